#pragma once
#include <array>
#include <string_view>
#include <vector>

#include "controlplane/turn/turn_config.h"

namespace linegate::turn {

/// Which peers a client may reach through us. Theory of operation: an IPv6 address that carries an IPv4 one
/// inside is judged as both, after every such form was taken apart: what a client may not name as 127.0.0.1 it
/// may not name as ::ffff:127.0.0.1, ::127.0.0.1, 2002:7f00:1::, 64:ff9b::7f00:1 or through Teredo either. For
/// each address, first match wins:
///
///   1. never: this host, loopback, multicast, broadcast, cloud metadata
///   2. denied_peers
///   3. our own media addresses: allowed for UDP (gateway and relays of this box: looped inside the dataplane,
///      which has nothing else on them); over TCP only relayed addresses are there for peers, and our own web
///      server beside them is not
///   4. our management addresses: refused
///   5. allowed_peers
///   6. private, shared, link-local, unique-local, documentation and other special ranges: refused
///   7. anything else: allowed
class PeerPolicy {
 public:
  enum class Protocol : uint8_t { kUdp, kTcp };
  enum class Verdict : uint8_t {
    kAllowed,
    kDenied,
    kRelayOnly,  ///< allowed where a relayed transport address of ours is, and on no other port
  };

  PeerPolicy() = default;
  explicit PeerPolicy(const TurnConfig& config);
  Verdict Check(const IpAddress& peer, Protocol protocol) const;

 private:
  Verdict CheckPlain(const IpAddress& address, Protocol protocol) const;
  std::vector<IpPrefix> allowed_, denied_, nat64_;
  std::vector<IpAddress> media_, management_;
};

/// The IPv4 addresses inside an IPv6 address: mapped, compatible, 6to4, NAT64 (`nat64`: /96 prefixes), Teredo
/// (server and client). `count` 0: none.
struct EmbeddedIpv4 {
  std::array<IpAddress, 2> addresses;
  size_t count = 0;
};
EmbeddedIpv4 FindEmbeddedIpv4(const IpAddress& address, const std::vector<IpPrefix>& nat64);

}  // namespace linegate::turn
