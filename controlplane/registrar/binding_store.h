#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace linegate::registrar {

/// One contact of one user (RFC 3261 section 10.2.1), local or relayed. Everything a restarted control plane
/// needs to ring the browser again once it has reconnected; the connection it lives on is not part of it
/// (flow_registry.h).
struct Binding {
  std::string
      token;  ///< primary key: keyed hash of (AOR, `+sip.instance` or contact URI), stable over refreshes
  std::string aor;          ///< canonical: "sip:user@domain", host in lower case
  std::string contact_uri;  ///< the browser's own, byte-exact: its Request-URI in requests to it
  std::string instance;     ///< `+sip.instance` with its quotes, empty when the contact has none
  std::string call_id;      ///< of the REGISTER that wrote it, with `cseq`: RFC 3261 section 10.3 step 7
  uint32_t cseq = 0;
  uint16_t q_milli = 1000;  ///< q value times 1000
  TimePoint expires_at;     ///< a persistent store translates to wall-clock time and back, so that reboots do
                            ///< not matter
  friend bool operator==(const Binding&, const Binding&) = default;
};

/// Where bindings live (design D9): SQLite in production, memory_binding_store.h in tests. Called from the
/// signalling strand only. Implementations may keep everything in memory and write behind; a failed write is
/// an Error that turns the REGISTER into 500. No call returns bindings that have expired at `now`.
class BindingStore {
 public:
  virtual ~BindingStore() = default;
  /// Bindings of an AOR, highest q first, then oldest first.
  virtual std::vector<Binding> FindByAor(std::string_view aor, TimePoint now) const = 0;
  virtual std::optional<Binding> FindByToken(std::string_view token, TimePoint now) const = 0;
  /// Inserts, or replaces the binding of the same token.
  virtual Status Put(const Binding& binding) = 0;
  virtual void Remove(std::string_view token) = 0;
  /// Removes what has expired and returns the tokens.
  virtual std::vector<std::string> RemoveExpired(TimePoint now) = 0;
  /// All bindings, for the operator's listing.
  virtual std::vector<Binding> All(TimePoint now) const = 0;
  virtual size_t size() const = 0;
};

}  // namespace linegate::registrar
