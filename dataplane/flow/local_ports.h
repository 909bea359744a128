#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/base/net_address.h"
#include "dataplane/settings/settings.h"

namespace linegate::flow {

enum class LocalPortKind : uint8_t {
  kStunListener,  ///< plain STUN, served by every worker
  kWebRtc,        ///< all WebRTC legs of one worker and realm
  kRtp,           ///< one RTP or RTCP port of a pair, of one worker
  kTurnListener,  ///< STUN and TURN, served by every worker
  kRelay,  ///< one port for relayed transport addresses, of one worker; reached through every interface
};

/// RFC 5780 for one listener: the address and port that its server answers from, too.
struct Discovery {
  IpAddress advertised;        ///< the listener's own address as the outside names it
  IpAddress other_address;     ///< as on the wire
  IpAddress other_advertised;  ///< as the outside names it
  uint16_t other_port = 0;
};

/// What a local UDP endpoint is for.
struct LocalPort {
  LocalPortKind kind = LocalPortKind::kStunListener;
  uint16_t owner = 0;    ///< worker; meaningless for listeners
  uint16_t port_id = 0;  ///< network port of the realm's interface
  uint16_t realm = 0;
  uint32_t rtp_index = 0;  ///< kRtp: a number that no other RTP port has, below LocalPorts::rtp_ports()
  const Discovery* discovery =
      nullptr;  ///< listeners whose realm has an `other_realm`; lives as long as LocalPorts
};

/// Who serves which of our UDP endpoints (design D4), from the settings alone, the same in every worker. A
/// machine has a handful of addresses, so a search is a scan over them.
class LocalPorts {
 public:
  explicit LocalPorts(const settings::DataplaneSettings& settings);

  /// False: not ours.
  bool Find(const Endpoint& local, LocalPort& out) const;
  bool IsOurAddress(const IpAddress& address) const;
  /// How many RTP ports there are, of all workers and addresses.
  uint32_t rtp_ports() const { return rtp_ports_; }
  /// The address that stands behind an advertised one (1:1 NAT), or `address` itself.
  const IpAddress& Unadvertised(const IpAddress& address) const;

 private:
  struct Address {
    IpAddress address;
    IpAddress advertised;  ///< kNone: same
    uint16_t port_id = 0;
    uint16_t realm = 0;
    uint16_t webrtc_port = 0;
    settings::PortRange rtp;
    uint32_t rtp_index = 0;  ///< of the first port of `rtp`
    settings::PortRange relay;
    std::vector<uint16_t> stun_ports;
    std::vector<uint16_t> turn_ports;
    std::array<uint16_t, 2> discovery_ports = {};  ///< primary and alternate port; 0: no discovery
    std::array<Discovery, 2> discovery;            ///< of packets to discovery_ports[i]
  };
  static void FillDiscovery(const settings::DataplaneSettings& settings, const settings::Realm& realm,
                            Address& entry);
  static const Discovery* DiscoveryOf(const Address& entry, uint16_t port);
  uint16_t OwnerOf(const settings::PortRange& range, uint16_t port) const;
  std::vector<Address> addresses_;
  uint32_t rtp_ports_ = 0;
  uint16_t workers_;
};

}  // namespace linegate::flow
