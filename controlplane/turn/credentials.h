#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/turn/turn_config.h"
#include "controlplane/turn/turn_crypto.h"
#include "dataplane/base/secret.h"

namespace linegate::turn {

inline constexpr size_t kMaxKeyBytes = 64;
using IntegrityKey = SecretBytes<kMaxKeyBytes>;

/// What a request has to prove that it knows, and whom that makes it.
struct Credential {
  std::string name;     ///< as USERNAME says it (OAuth: the key ID)
  std::string account;  ///< whose quota counts: without the expiry; one per token with OAuth
  PasswordAlgorithm algorithm = PasswordAlgorithm::kMd5;
  bool token = false;  ///< OAuth: the key is the token's, whatever `algorithm` says
  IntegrityKey key;
  std::optional<int64_t> valid_until_unix_s;  ///< OAuth: the allocation may not live longer
};

/// Who may use the server: users of the configuration, names that a shared secret vouches for, and tokens of an
/// authorization server. Names are bytes; nothing here is kept for a name that is not configured.
class CredentialStore {
 public:
  CredentialStore(const TurnConfig& config, TurnCrypto& crypto);

  enum class Expiry : uint8_t { kCheck, kIgnore };
  /// What `name` may prove: one for a configured user, one per shared secret for a time-limited name whose time
  /// is not over (kIgnore: or is), none for any other.
  std::vector<Credential> FindByName(std::string_view name, PasswordAlgorithm algorithm, int64_t unix_s,
                                     Expiry expiry) const;
  /// USERHASH = SHA-256(name ":" realm); users of the configuration only.
  std::optional<Credential> FindByUserhash(ByteView hash, PasswordAlgorithm algorithm) const;
  /// RFC 7635 section 6.2. nullopt: unknown key ID, broken seal, malformed or expired.
  std::optional<Credential> OpenToken(std::string_view kid, ByteView token, int64_t unix_s) const;

  bool takes_tokens() const { return !oauth_keys_.empty(); }
  /// Whether every name could also be sent as a hash.
  bool knows_all_names() const { return shared_secrets_.empty() && oauth_keys_.empty(); }

 private:
  struct Keys {
    IntegrityKey md5;
    IntegrityKey sha256;
  };
  IntegrityKey KeyOf(std::string_view name, std::string_view password, PasswordAlgorithm algorithm) const;

  TurnCrypto& crypto_;
  std::string realm_;
  std::map<std::string, Keys, std::less<>> users_;
  std::map<std::array<uint8_t, 32>, std::string> names_by_hash_;
  std::vector<std::string> shared_secrets_;
  std::vector<OauthKey> oauth_keys_;
  std::string oauth_server_name_;
};

}  // namespace linegate::turn
