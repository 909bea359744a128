#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/sip/keyed_hash.h"
#include "dataplane/base/secret.h"
#include "dataplane/base/time.h"

namespace linegate::sip {

/// An Authorization or Proxy-Authorization value of scheme Digest (RFC 7616 section 3.4), quotes removed.
struct DigestCredentials {
  std::string username;
  std::string realm;
  std::string nonce;
  std::string uri;
  std::string response;
  std::string algorithm;  ///< empty: MD5
  std::string cnonce;
  std::string qop;
  std::string nc;
};
/// nullopt for another scheme or when a mandatory field is missing.
std::optional<DigestCredentials> ParseDigestCredentials(std::string_view value);

/// MD5(user:realm:password): what the configuration keeps instead of the password.
std::string ComputeHa1(const HashFunctions& hashes, std::string_view user, std::string_view realm,
                       std::string_view password);

/// The response an honest client computes for these credentials (qop "auth").
std::string ComputeDigestResponse(const HashFunctions& hashes, std::string_view ha1,
                                  const DigestCredentials& credentials, std::string_view method);

/// A WWW-Authenticate or Proxy-Authenticate value without `auth-int` in its qop when `auth` is offered too:
/// bodies change on their way through us, so auth-int could never verify (design D8). Byte-exact otherwise.
std::string WithoutAuthInt(std::string_view challenge);

/// Challenges and verifies without keeping state: a nonce is its time and an HMAC over (time, realm). MD5
/// with qop "auth", the one thing JsSIP speaks. A nonce is good for `life`, any number of times and with any
/// nc: clients re-use their Authorization for refreshes (mission A8); after that a right answer to an old
/// nonce gets stale=true and the client retries unasked.
class DigestAuthenticator {
 public:
  enum class Verdict {
    kAccepted,
    kStale,     ///< right password, nonce too old or of another boot
    kRejected,  ///< wrong password, wrong realm, other algorithm or qop, other Request-URI
  };
  enum class Stale { kNo, kYes };

  DigestAuthenticator(const HashFunctions& hashes, const SecretBytes<32>& nonce_key,
                      std::chrono::seconds life)
      : hashes_(hashes), nonce_key_(nonce_key), life_(life) {}

  std::string Challenge(TimePoint now, std::string_view realm, Stale stale) const;
  /// `ha1` empty: unknown user, always kRejected, in the same time.
  Verdict Verify(TimePoint now, const DigestCredentials& credentials, std::string_view method,
                 std::string_view request_uri, std::string_view realm, std::string_view ha1) const;

 private:
  enum class NonceState { kFresh, kExpired, kForeign };
  std::string MakeNonce(uint64_t time_s, std::string_view realm) const;
  NonceState CheckNonce(TimePoint now, std::string_view nonce, std::string_view realm) const;

  const HashFunctions& hashes_;
  SecretBytes<32> nonce_key_;
  std::chrono::seconds life_;
};

}  // namespace linegate::sip
