#pragma once
#include <map>
#include <optional>
#include <string>

#include "controlplane/sip/digest.h"
#include "controlplane/sip/signalling_context.h"

namespace linegate::sip {

/// Authenticates requests of local domains by digest. Relayed domains never come here: their challenges and
/// credentials are between browser and SIP Server.
class AuthGate {
 public:
  enum class Role : uint8_t {
    kRegistrar,  ///< 401, WWW-Authenticate
    kProxy,      ///< 407, Proxy-Authenticate
  };
  AuthGate(SignallingContext& context, const HashFunctions& hashes);

  /// The authenticated user, or nullopt after a challenge was sent. A flow with too many failures is closed.
  std::optional<std::string> Authenticate(TimePoint now, const RequestReceived& event,
                                          const DomainConfig& domain, Role role);
  void HandleFlowClosed(FlowToken flow) { failures_.erase(flow); }

 private:
  void Challenge(TimePoint now, const RequestReceived& event, const DomainConfig& domain, Role role,
                 DigestAuthenticator::Stale stale);
  void CountFailure(const RequestReceived& event);

  SignallingContext& context_;
  DigestAuthenticator authenticator_;
  std::map<FlowToken, size_t> failures_;
};

}  // namespace linegate::sip
