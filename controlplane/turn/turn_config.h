#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/turn/ip_prefix.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/secret.h"

namespace linegate::turn {

/// A long-term credential (RFC 8489 section 9.2). Names and passwords are bytes; they are compared and hashed
/// as given, never used as a format, a label or a path.
struct TurnUser {
  std::string name;
  std::string password;  ///< zeroed with the object, as all secrets here
  ~TurnUser() { Wipe(password.data(), password.size()); }
};

/// RFC 7635 section 4: a key that this server shares with an authorization server. Tokens are sealed with AES-GCM of the
/// key's size.
struct OauthKey {
  std::string kid;      ///< what the client puts into USERNAME
  SecretBytes<32> key;  ///< 16 or 32 bytes
};

/// RFC 8489 section 18.5.
enum class PasswordAlgorithm : uint16_t { kMd5 = 1, kSha256 = 2 };

/// Kernel sockets on which TURN is served; UDP ports are the dataplane's ([[realm]] turn_ports).
struct TurnListeners {
  std::vector<Endpoint> tcp;
  std::vector<Endpoint> tls;
  std::vector<Endpoint> dtls;
  bool share_web_port = true;  ///< TURN over TLS on the [web] listeners, told from HTTP by the first byte
};

/// What TURN is told of one media realm: where relayed addresses come from, and what is said of them.
struct RelayRealm {
  uint16_t realm = 0;  ///< index in the dataplane's settings
  /// By family, IPv4 first; kNone: none of that family.
  std::array<IpAddress, 2> bound;
  std::array<IpAddress, 2> advertised;  ///< what XOR-RELAYED-ADDRESS says (1:1 NAT); equal to `bound` without
  struct PortShare {
    uint16_t first = 0;  ///< even
    uint16_t last = 0;   ///< odd; below `first`: no ports
  };
  std::vector<PortShare> shares;  ///< by worker: a relay port belongs to one worker (design D4)
};

/// Section [turn] of linegate.toml, and below it what the realms say.
struct TurnConfig {
  bool enabled = false;
  std::string realm;  ///< REALM attribute
  TurnListeners listeners;

  std::vector<TurnUser> users;
  /// Time-limited credentials: username "expiry[:id]", password base64(HMAC-SHA1(secret, username)). Several
  /// while a secret is being replaced.
  std::vector<std::string> shared_secrets;
  std::vector<OauthKey> oauth_keys;
  std::string oauth_server_name;  ///< THIRD-PARTY-AUTHORIZATION, and what tokens are bound to
  std::vector<PasswordAlgorithm> password_algorithms = {PasswordAlgorithm::kMd5, PasswordAlgorithm::kSha256};
  std::chrono::seconds nonce_lifetime{3600};

  std::chrono::seconds default_lifetime{600};
  std::chrono::seconds max_lifetime{3600};
  uint32_t quota_per_user = 0;                   ///< allocations; 0: no limit
  uint32_t max_allocations = 0;                  ///< of all users; 0: as many as the workers have slots for
  uint32_t bytes_per_second_per_allocation = 0;  ///< each direction; 0: no limit
  uint32_t bytes_per_second_per_user = 0;        ///< shared evenly by the user's allocations; 0: no limit
  std::vector<IpPrefix> allowed_peers;           ///< exceptions from what is denied by default
  std::vector<IpPrefix> denied_peers;            ///< in addition; stronger than allowed_peers
  std::vector<IpPrefix> nat64_prefixes;          ///< local /96 prefixes (RFC 6052) beside 64:ff9b::/96
  bool mobility = false;                         ///< RFC 8016
  bool tcp_relay = false;                        ///< RFC 6062

  // From [[realm]] and the listeners, by the application.
  std::vector<RelayRealm> relay_realms;
  /// By index of the listener's realm: index into relay_realms, -1: no relaying for its clients.
  std::vector<int> relay_realm_of;
  std::vector<IpAddress> media_addresses;       ///< bound and advertised, of all realms: allowed peers
  std::vector<IpAddress> management_addresses;  ///< never a peer, unless also a media address

  ~TurnConfig() {
    for (std::string& secret : shared_secrets) Wipe(secret.data(), secret.size());
  }
};

}  // namespace linegate::turn
