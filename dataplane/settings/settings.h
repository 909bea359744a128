#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::settings {

struct PortRange {
  uint16_t first = 0;  ///< inclusive
  uint16_t last = 0;   ///< inclusive; 0,0: no range
  constexpr bool empty() const { return last == 0; }
  constexpr bool Contains(uint16_t port) const { return !empty() && port >= first && port <= last; }
};

/// The part of a realm's RTP ports, or of its relay ports, that worker `worker` of `workers` owns: whole pairs (even
/// RTP, odd RTCP port; RFC 8656 section 18.7, EVEN-PORT), evenly split, the rest with the last worker. Both processes compute it: the control plane to choose
/// ports, the dataplane to find the owner of a packet.
constexpr PortRange RtpShareOf(const PortRange& range, uint16_t worker, uint16_t workers) {
  const uint32_t first = (uint32_t{range.first} + 1) & ~1u;
  const uint32_t pairs = range.empty() || first > range.last ? 0 : (range.last + 1u - first) / 2;
  const uint32_t each = pairs / workers;
  const uint32_t count = worker + 1u == workers ? pairs - each * worker : each;
  if (count == 0) return {};
  const uint32_t share_first = first + 2 * each * worker;
  return {uint16_t(share_first), uint16_t(share_first + 2 * count - 1)};
}

/// One side of the gateway: addresses on one network interface, and the UDP ports that belong to the
/// dataplane there.
struct Realm {
  std::string name;
  std::string interface;  ///< a kernel interface, or "memif:/absolute/path" (MemifPathOf)
  /// IEEE 802.1Q: frames of this interface carry this VLAN, all others are dropped; equal in all realms of an interface.
  /// 0: tags are not looked at.
  uint16_t vlan = 0;
  std::vector<IpAddress> addresses;  ///< at most one per family
  /// What SDP and Contact say instead, position by position with `addresses` (1:1 NAT); empty: the address
  /// itself.
  std::vector<IpAddress> advertise;
  uint16_t webrtc_port = 0;          ///< worker i answers browsers on webrtc_port + i; 0: no browsers here
  std::vector<uint16_t> stun_ports;  ///< plain STUN listeners, served by every worker
  PortRange rtp_ports;               ///< even RTP / odd RTCP pairs, split evenly between workers
  std::vector<uint16_t> turn_ports;  ///< STUN and TURN over UDP, served by every worker
  /// Relayed transport addresses of TURN allocations are these ports of this realm's addresses; split like `rtp_ports`.
  PortRange relay_ports;
  /// RFC 5780: the realm whose addresses are the alternate ones of this realm's listeners; empty: no behaviour discovery.
  std::string other_realm;
};

/// Listener ports in the order of the file, `turn_ports` first: RFC 5780 takes the first as primary, the second as alternate.
std::vector<uint16_t> ListenerPortsOf(const Realm& realm);

enum class IdleMode : uint8_t { kPoll, kAdaptive };
enum class HugepageMode : uint8_t { kAuto, kOff };
enum class SrtpEngine : uint8_t { kLibsrtp2, kIpsecMb };

/// What strangers may ask of the listeners, per worker.
struct StunSettings {
  /// Requests answered or passed on per source (an IPv4 address, an IPv6 /64); at most twice as many at once. 0: no limit.
  uint32_t requests_per_second_per_source = 100;
  /// TURN requests passed to the control plane from addresses without an allocation, of all sources together.
  uint32_t new_clients_per_second = 2000;
};

/// The part of linegate.toml that both processes read: sections [dataplane], [srtp], [stun] and [[realm]].
struct DataplaneSettings {
  uint16_t workers = 1;
  uint32_t flows_per_worker = 4096;  ///< power of two
  uint32_t relays_per_worker = 0;    ///< TURN allocations; power of two, or 0: none
  IdleMode idle = IdleMode::kAdaptive;
  HugepageMode hugepages = HugepageMode::kAuto;
  std::string runtime_directory = "/run/linegate";  ///< link and vault files, bpffs, sockets
  /// Account that the control plane becomes once it has started; the link file belongs to its group, and the vault stays
  /// out of its reach. Empty: it stays what it was started as.
  std::string controlplane_user;
  std::string xdp_mode = "generic";  ///< "generic" or "native"
  std::vector<int> cores;            ///< one per worker; empty: chosen at start
  SrtpEngine srtp_engine = SrtpEngine::kIpsecMb;
  StunSettings stun;
  std::vector<Realm> realms;
  /// Hash over everything above: stamped into shared memory so that the two processes never disagree
  /// unnoticed.
  uint64_t hash = 0;
};

/// Reads and checks `path`. Sections other than the three are left to the control plane. Every error names
/// file, line and key: unreadable file, TOML syntax, unknown key, wrong type, malformed address, unknown
/// interface name syntax, duplicate realm, port ranges that overlap on one address, an other_realm that does not fit.
Result<DataplaneSettings> LoadDataplaneSettings(const std::string& path);

/// Path of the Unix socket when `interface` names a memif port; empty for a kernel interface.
std::string MemifPathOf(const std::string& interface);

/// The VLAN of the realms on `interface`; 0: none.
uint16_t VlanOf(const DataplaneSettings& settings, const std::string& interface);

/// Names of the distinct interfaces in order of first use: index = port id in the dataplane.
std::vector<std::string> InterfacesOf(const DataplaneSettings& settings);

}  // namespace linegate::settings
