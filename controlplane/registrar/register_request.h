#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/registrar/binding_store.h"
#include "controlplane/registrar/registration_config.h"
#include "controlplane/sip/identity.h"
#include "controlplane/sip/message.h"

namespace linegate::registrar {

/// One Contact of a REGISTER, with what the rules of RFC 3261 section 10.3 make of it.
struct RequestedContact {
  std::string element;  ///< as the browser wrote it: what its 200 gives back
  std::string uri;
  std::string instance;
  std::string token;
  uint16_t q_milli = 1000;
  uint32_t expires_s = 0;  ///< clamped; 0: remove
};

struct RegisterRequest {
  std::string aor;
  std::string call_id;
  uint32_t cseq = 0;
  enum class Form : uint8_t { kQuery, kContacts, kRemoveAll } form = Form::kQuery;
  std::vector<RequestedContact> contacts;
};

/// A REGISTER that we answer with a failure.
struct Refusal {
  int status;
  std::string reason;
  std::vector<sip::HeaderField> headers;  ///< Min-Expires, Retry-After
};

/// "sip:user@host" with the host in lower case; nullopt unless `uri` is sip or sips with a user.
std::optional<std::string> CanonicalAor(std::string_view uri);

/// Reads and judges a REGISTER, local or relayed: 400 (malformed, `*` beside other contacts or with an
/// expiry), 423 (too brief), 503 (over the limits).
Result<RegisterRequest, Refusal> ReadRegister(const sip::Message& message, const RegistrationConfig& config,
                                              const sip::Identity& identity);

/// 503 when the AOR, or all of us together, would have more bindings than allowed.
Result<void, Refusal> CheckLimits(const RegisterRequest& request, const RegistrationConfig& config,
                                  const BindingStore& store, TimePoint now);

}  // namespace linegate::registrar
