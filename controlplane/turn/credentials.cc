#include "controlplane/turn/credentials.h"

#include <charconv>

#include "dataplane/base/base64.h"

namespace linegate::turn {
namespace {

/// RFC 7635 section 6.2 lets clocks differ a little.
constexpr int64_t kClockSkewSeconds = 5;
constexpr size_t kGcmTagBytes = 16;

/// "1764112800" or "1764112800:anything". Nothing else is a time-limited name.
std::optional<int64_t> ExpiryOf(std::string_view name) {
  const std::string_view digits = name.substr(0, name.find(':'));
  int64_t expiry = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, expiry);
  if (digits.empty() || digits[0] == '-' || error != std::errc{} || stop != end) return std::nullopt;
  return expiry;
}

/// A client's many time-limited names are one account if the application names its user behind the expiry.
std::string_view AccountOf(std::string_view name) {
  const size_t colon = name.find(':');
  return colon == name.npos || colon + 1 == name.size() ? name : name.substr(colon + 1);
}

std::string LongTermText(std::string_view name, std::string_view realm, std::string_view password) {
  std::string text(name);
  return text.append(":").append(realm).append(":").append(password);
}

}  // namespace

CredentialStore::CredentialStore(const TurnConfig& config, TurnCrypto& crypto)
    : crypto_(crypto),
      realm_(config.realm),
      shared_secrets_(config.shared_secrets),
      oauth_keys_(config.oauth_keys),
      oauth_server_name_(config.oauth_server_name) {
  for (const TurnUser& user : config.users) {
    users_.insert_or_assign(user.name, Keys{KeyOf(user.name, user.password, PasswordAlgorithm::kMd5),
                                            KeyOf(user.name, user.password, PasswordAlgorithm::kSha256)});
    names_by_hash_[crypto_.Sha256(AsBytes(user.name + ":" + realm_))] = user.name;
  }
}

IntegrityKey CredentialStore::KeyOf(std::string_view name, std::string_view password,
                                    PasswordAlgorithm algorithm) const {
  std::string text = LongTermText(name, realm_, password);
  IntegrityKey key;
  if (algorithm == PasswordAlgorithm::kMd5) {
    key.Assign(crypto_.Md5(AsBytes(text)));
  } else {
    key.Assign(crypto_.Sha256(AsBytes(text)));
  }
  Wipe(text.data(), text.size());
  return key;
}

std::vector<Credential> CredentialStore::FindByName(std::string_view name, PasswordAlgorithm algorithm,
                                                    int64_t unix_s, Expiry expiry) const {
  std::vector<Credential> found;
  Credential credential;
  credential.name = name;
  credential.algorithm = algorithm;
  if (const auto user = users_.find(name); user != users_.end()) {
    credential.account = name;
    credential.key = algorithm == PasswordAlgorithm::kMd5 ? user->second.md5 : user->second.sha256;
    found.push_back(std::move(credential));
    return found;
  }
  if (shared_secrets_.empty()) return found;
  const auto expires_unix_s = ExpiryOf(name);
  if (!expires_unix_s || (expiry == Expiry::kCheck && *expires_unix_s <= unix_s)) return found;
  credential.account = AccountOf(name);
  for (const std::string& secret : shared_secrets_) {
    std::array<uint8_t, wire::HmacSha1::kTagBytes> tag;
    crypto_.hmac_sha1().Compute(AsBytes(secret), AsBytes(name), {}, tag);
    credential.key = KeyOf(name, EncodeBase64(tag), algorithm);
    found.push_back(credential);
  }
  return found;
}

std::optional<Credential> CredentialStore::FindByUserhash(ByteView hash, PasswordAlgorithm algorithm) const {
  std::array<uint8_t, 32> wanted;
  if (hash.size() != wanted.size()) return std::nullopt;
  std::copy(hash.begin(), hash.end(), wanted.begin());
  const auto found = names_by_hash_.find(wanted);
  if (found == names_by_hash_.end()) return std::nullopt;
  auto credentials = FindByName(found->second, algorithm, 0, Expiry::kCheck);
  return credentials.front();
}

// RFC 7635 section 6.2: nonce length (2), nonce, then sealed: key length (2), key, time stamp (8), lifetime (4).
std::optional<Credential> CredentialStore::OpenToken(std::string_view kid, ByteView token,
                                                     int64_t unix_s) const {
  const OauthKey* key = nullptr;
  for (const OauthKey& candidate : oauth_keys_) {
    if (candidate.kid == kid) key = &candidate;
  }
  if (key == nullptr || token.size() < 2) return std::nullopt;
  const size_t nonce_bytes = LoadBe16(token.data());
  if (nonce_bytes == 0 || nonce_bytes > 64 || token.size() < 2 + nonce_bytes + kGcmTagBytes)
    return std::nullopt;
  auto plain = crypto_.OpenAesGcm(key->key.view(), token.subspan(2, nonce_bytes), AsBytes(oauth_server_name_),
                                  token.subspan(2 + nonce_bytes));
  if (!plain) return std::nullopt;
  std::optional<Credential> credential;
  const size_t key_bytes = plain->size() >= 2 ? LoadBe16(plain->data()) : 0;
  if (key_bytes > 0 && key_bytes <= kMaxKeyBytes && plain->size() == 2 + key_bytes + 12) {
    const uint8_t* behind_key = plain->data() + 2 + key_bytes;
    // 48 bits of seconds, 16 of fractions.
    const auto issued_unix_s = int64_t(LoadBe64(behind_key) >> 16);
    const int64_t valid_until = issued_unix_s + LoadBe32(behind_key + 8);
    if (issued_unix_s <= unix_s + kClockSkewSeconds && valid_until + kClockSkewSeconds > unix_s) {
      credential.emplace();
      credential->name = kid;
      credential->token = true;
      credential->key.Assign(ByteView(*plain).subspan(2, key_bytes));
      credential->valid_until_unix_s = valid_until;
      // Of the token, which is the user's, and not of the key ID, which is everybody's.
      const auto digest = crypto_.Sha256(credential->key.view());
      credential->account = "token:" + EncodeBase64(ByteView(digest).first(12));
    }
  }
  Wipe(plain->data(), plain->size());
  return credential;
}

}  // namespace linegate::turn
