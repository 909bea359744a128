#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/turn/credentials.h"
#include "controlplane/turn/nonce.h"
#include "controlplane/turn/requester.h"
#include "controlplane/turn/turn_service.h"

namespace linegate::turn {

/// Long-term credentials as RFC 8489 section 9.2.4 checks them, and tokens of RFC 7635. Keeps nothing about
/// whoever asks. Against bidding down: the algorithms on offer are in the challenge and, covered by the
/// nonce's tag, so is the fact that they were; a request that names algorithms has to repeat the offer
/// unchanged, and one that names none is taken for MD5, which the configuration may forbid.
class Authenticator {
 public:
  Authenticator(const TurnConfig& config, TurnCrypto& crypto, Rng& rng);

  enum class Verdict : uint8_t {
    kProved,
    kChallenge,   ///< 401: no credentials in the request
    kWrong,       ///< 401: unknown user, wrong integrity, expired
    kOtherRealm,  ///< 401: the client will try again with ours
    kStale,       ///< 438
    kBadRequest,  ///< 400: credentials incomplete, or another offer than ours
  };
  struct Result {
    Verdict verdict = Verdict::kChallenge;
    Integrity integrity = Integrity::kNone;
    Credential credential;
  };
  /// `known` is the credential of the client's allocation, if it has one: that stays good for the same name
  /// although its time is over, or a call would be cut by the clock.
  Result Check(const TurnTime& time, const TurnClient& client, const wire::StunMessageView& message,
               const Credential* known) const;

  /// What a 401 or 438 carries: REALM, NONCE, PASSWORD-ALGORITHMS, THIRD-PARTY-AUTHORIZATION.
  void AddChallenge(TimePoint now, const TurnClient& client, wire::StunMessageWriter& writer) const;

 private:
  std::optional<PasswordAlgorithm> AlgorithmOf(const wire::StunMessageView& message,
                                               bool& offer_broken) const;
  std::vector<Credential> CandidatesOf(const TurnTime& time, const wire::StunMessageView& message,
                                       PasswordAlgorithm algorithm, const Credential* known) const;
  bool Allows(PasswordAlgorithm algorithm) const;

  TurnCrypto& crypto_;
  std::string realm_;
  std::string oauth_server_name_;
  std::vector<PasswordAlgorithm> algorithms_;
  std::vector<uint8_t> offer_;  ///< value of PASSWORD-ALGORITHMS; empty: MD5 alone, which needs no offer
  CredentialStore store_;
  NonceMaker nonces_;
};

}  // namespace linegate::turn
