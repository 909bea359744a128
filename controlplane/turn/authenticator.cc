#include "controlplane/turn/authenticator.h"

#include <algorithm>

namespace linegate::turn {
namespace {

using wire::StunAttribute;

/// RFC 8489 section 14.11: algorithm (2), length of its parameters (2): neither of ours has any.
std::vector<uint8_t> OfferOf(const std::vector<PasswordAlgorithm>& algorithms) {
  std::vector<uint8_t> offer;
  if (algorithms == std::vector{PasswordAlgorithm::kMd5}) return offer;
  for (PasswordAlgorithm algorithm : algorithms) {
    offer.insert(offer.end(), {uint8_t(uint16_t(algorithm) >> 8), uint8_t(algorithm), 0, 0});
  }
  return offer;
}

constexpr size_t kCoturnKeyBytes = 16;

uint32_t FeaturesOf(const TurnConfig& config) {
  uint32_t features = 0;
  if (!OfferOf(config.password_algorithms).empty()) features |= kFeaturePasswordAlgorithms;
  if (config.shared_secrets.empty() && config.oauth_keys.empty()) features |= kFeatureUsernameAnonymity;
  return features;
}

}  // namespace

Authenticator::Authenticator(const TurnConfig& config, TurnCrypto& crypto, Rng& rng)
    : crypto_(crypto),
      realm_(config.realm),
      oauth_server_name_(config.oauth_server_name),
      algorithms_(config.password_algorithms),
      offer_(OfferOf(config.password_algorithms)),
      store_(config, crypto),
      nonces_(crypto, rng, config.nonce_lifetime, FeaturesOf(config)) {}

bool Authenticator::Allows(PasswordAlgorithm algorithm) const {
  return std::find(algorithms_.begin(), algorithms_.end(), algorithm) != algorithms_.end();
}

/// RFC 8489 section 9.2.4, the first of its checks. nullopt with an intact offer: an algorithm we do not take.
std::optional<PasswordAlgorithm> Authenticator::AlgorithmOf(const wire::StunMessageView& message,
                                                            bool& offer_broken) const {
  const auto offered = message.Find(StunAttribute::kPasswordAlgorithms);
  const auto chosen = message.Find(StunAttribute::kPasswordAlgorithm);
  PasswordAlgorithm algorithm = PasswordAlgorithm::kMd5;
  if (!offer_.empty() && (offered || chosen)) {
    offer_broken =
        !offered || !chosen || !std::ranges::equal(*offered, offer_) || LoadBe16(chosen->data() + 2) != 0;
    if (offer_broken) return std::nullopt;
    algorithm = PasswordAlgorithm(LoadBe16(chosen->data()));
    offer_broken = !Allows(algorithm);
  }
  return Allows(algorithm) ? std::optional(algorithm) : std::nullopt;
}

std::vector<Credential> Authenticator::CandidatesOf(const TurnTime& time,
                                                    const wire::StunMessageView& message,
                                                    PasswordAlgorithm algorithm,
                                                    const Credential* known) const {
  std::vector<Credential> candidates;
  const auto name = message.username();
  if (!name) {
    if (auto found =
            store_.FindByUserhash(message.Find(StunAttribute::kUserhash).value_or(ByteView{}), algorithm)) {
      candidates.push_back(*std::move(found));
    }
    return candidates;
  }
  const bool same_name = known != nullptr && known->name == *name;
  if (const auto token = message.Find(StunAttribute::kAccessToken); token && store_.takes_tokens()) {
    auto opened = store_.OpenToken(*name, *token, time.unix_s);
    if (!opened) return candidates;
    candidates.push_back(*opened);
    // coturn and its clients prove with no more of a token's key than an MD5 sum would have.
    if (opened->key.view().size() > kCoturnKeyBytes) {
      const IntegrityKey whole = opened->key;
      opened->key.Assign(whole.view().first(kCoturnKeyBytes));
      candidates.push_back(*std::move(opened));
    }
    return candidates;
  }
  if (same_name && (known->token || known->algorithm == algorithm)) {
    candidates.push_back(*known);
    return candidates;
  }
  return store_.FindByName(*name, algorithm, time.unix_s,
                           same_name ? CredentialStore::Expiry::kIgnore : CredentialStore::Expiry::kCheck);
}

Authenticator::Result Authenticator::Check(const TurnTime& time, const TurnClient& client,
                                           const wire::StunMessageView& message,
                                           const Credential* known) const {
  Result result;
  const bool sha256 = message.has_integrity_sha256();
  if (!sha256 && !message.has_integrity()) return result;
  const bool named = message.username() || message.Has(StunAttribute::kUserhash);
  if (!named || !message.realm() || !message.nonce()) {
    result.verdict = Verdict::kBadRequest;
    return result;
  }
  if (!nonces_.IsFresh(time.now, client, *message.nonce())) {
    result.verdict = Verdict::kStale;
    return result;
  }
  bool offer_broken = false;
  const auto algorithm = AlgorithmOf(message, offer_broken);
  if (!algorithm) {
    result.verdict = offer_broken ? Verdict::kBadRequest : Verdict::kWrong;
    return result;
  }
  if (*message.realm() != realm_) {
    result.verdict = Verdict::kOtherRealm;
    return result;
  }
  result.verdict = Verdict::kWrong;
  for (Credential& candidate : CandidatesOf(time, message, *algorithm, known)) {
    const bool right = sha256 ? message.VerifyIntegrity(crypto_.hmac_sha256(), candidate.key.view())
                              : message.VerifyIntegrity(crypto_.hmac_sha1(), candidate.key.view());
    if (!right) continue;
    result.verdict = Verdict::kProved;
    result.integrity = sha256 ? Integrity::kSha256 : Integrity::kSha1;
    result.credential = std::move(candidate);
    break;
  }
  return result;
}

void Authenticator::AddChallenge(TimePoint now, const TurnClient& client,
                                 wire::StunMessageWriter& writer) const {
  writer.AddText(StunAttribute::kRealm, realm_);
  writer.AddText(StunAttribute::kNonce, nonces_.Make(now, client));
  if (!offer_.empty()) writer.AddBytes(StunAttribute::kPasswordAlgorithms, offer_);
  if (store_.takes_tokens()) writer.AddText(StunAttribute::kThirdPartyAuthorization, oauth_server_name_);
}

}  // namespace linegate::turn
