#include "controlplane/sip/auth_gate.h"

namespace linegate::sip {
namespace {

constexpr uint16_t kPolicyViolation = 1008;  // RFC 6455 section 7.4.1

SecretBytes<32> MakeNonceKey(Rng& rng) {
  uint8_t bytes[32];
  rng.Fill(bytes);
  SecretBytes<32> key{ByteView(bytes)};
  Wipe(bytes, sizeof bytes);
  return key;
}

}  // namespace

// The nonce key is of this process: after a restart every nonce is answered with stale=true, which clients
// follow unasked.
AuthGate::AuthGate(SignallingContext& context, const HashFunctions& hashes)
    : context_(context),
      authenticator_(hashes, MakeNonceKey(context.rng), context.config.timers.nonce_life) {}

std::optional<std::string> AuthGate::Authenticate(TimePoint now, const RequestReceived& event,
                                                  const DomainConfig& domain, Role role) {
  const char* header = role == Role::kRegistrar ? "Authorization" : "Proxy-Authorization";
  for (const std::string_view value : event.request.GetAll(header)) {
    const auto credentials = ParseDigestCredentials(value);
    if (!credentials || credentials->realm != domain.name) continue;
    std::string_view ha1;
    for (const LocalUser& user : domain.users)
      if (user.name == credentials->username) ha1 = user.ha1;
    switch (authenticator_.Verify(now, *credentials, event.request.method, event.request.request_uri,
                                  domain.name, ha1)) {
      case DigestAuthenticator::Verdict::kAccepted:
        return credentials->username;
      case DigestAuthenticator::Verdict::kStale:
        Challenge(now, event, domain, role, DigestAuthenticator::Stale::kYes);
        return std::nullopt;
      case DigestAuthenticator::Verdict::kRejected:
        CountFailure(event);
        Challenge(now, event, domain, role, DigestAuthenticator::Stale::kNo);
        return std::nullopt;
    }
  }
  Challenge(now, event, domain, role, DigestAuthenticator::Stale::kNo);
  return std::nullopt;
}

void AuthGate::Challenge(TimePoint now, const RequestReceived& event, const DomainConfig& domain, Role role,
                         DigestAuthenticator::Stale stale) {
  ++context_.counters.challenges_sent;
  const std::string challenge = authenticator_.Challenge(now, domain.name, stale);
  if (role == Role::kRegistrar)
    context_.Refuse(event.transaction, event.request, 401, "Unauthorized", {{"WWW-Authenticate", challenge}});
  else
    context_.Refuse(event.transaction, event.request, 407, "Proxy Authentication Required",
                    {{"Proxy-Authenticate", challenge}});
}

void AuthGate::CountFailure(const RequestReceived& event) {
  ++context_.counters.auth_failures;
  const auto* browser = std::get_if<WssPeer>(&event.from);
  if (browser == nullptr) return;
  // Guessing passwords costs a new connection every few tries, which the listener can limit by address.
  if (++failures_[browser->flow] == context_.config.limits.max_auth_failures_per_flow)
    context_.CloseBrowserFlow(browser->flow, kPolicyViolation);
}

}  // namespace linegate::sip
