#pragma once
#include <string>
#include <vector>

#include "controlplane/registrar/register_request.h"

namespace linegate::registrar {

/// What a REGISTER came to. The caller binds and unbinds the tokens to the flow and sends the response.
struct RegisterOutcome {
  sip::Message response;
  std::vector<std::string> bound;    ///< tokens now reached over the request's flow
  std::vector<std::string> removed;  ///< tokens that no longer exist
};

/// The embedded registrar of local domains (RFC 3261 section 10.3). Authentication and the choice of the
/// domain are the caller's; this class only keeps bindings and lists them in the 200.
class Registrar {
 public:
  /// References must outlive the object.
  Registrar(const RegistrationConfig& config, BindingStore& store, const sip::Identity& identity)
      : config_(config), store_(store), identity_(identity) {}

  /// `local_tag` goes into the To of the response.
  RegisterOutcome Register(TimePoint now, const sip::Message& request, std::string_view local_tag);

 private:
  Result<void, Refusal> Commit(TimePoint now, const RegisterRequest& request, RegisterOutcome& outcome);

  const RegistrationConfig& config_;
  BindingStore& store_;
  const sip::Identity& identity_;
};

/// The failure response a refusal stands for.
sip::Message RefusalResponse(const sip::Message& request, const Refusal& refusal, std::string_view local_tag);
/// The Contact value with which a 200 names this binding to its browser.
std::string ContactOf(const Binding& binding, TimePoint now);

}  // namespace linegate::registrar
