#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "drivers/net/xdp/udp_port_claim.h"

namespace linegate::drivers {

/// A set of port numbers, in the notation of net.ipv4.ip_local_reserved_ports: "3478,20000,40000-43999".
class PortSet {
 public:
  PortSet() = default;
  /// Errors: not in that notation.
  static Result<PortSet> Parse(std::string_view text);
  static PortSet OfClaims(std::span<const UdpPortClaim> claims);
  std::string ToString() const;
  bool empty() const { return ports_.empty(); }
  bool Contains(uint16_t port) const;
  PortSet Union(const PortSet& other) const;
  PortSet Minus(const PortSet& other) const;
  friend bool operator==(const PortSet&, const PortSet&) = default;

 private:
  void Set(uint32_t first, uint32_t last);
  std::vector<bool> ports_;  ///< 65,536 bits, or empty for the empty set
};

/// Keeps the kernel from handing our ports to its own sockets as ephemeral ports (its range overlaps media
/// ranges). Theory of operation: the sysctl belongs to the whole network namespace and may hold entries of
/// others. What we added is written to `record_file` before the sysctl changes, so that after kill -9 the
/// next start still knows which entries are ours; Release takes out exactly those.
class ReservedPorts {
 public:
  explicit ReservedPorts(std::string record_file,
                         std::string sysctl_file = "/proc/sys/net/ipv4/ip_local_reserved_ports");
  /// Makes `ours` the set reserved by us. Errors: sysctl or record file cannot be read or written.
  Status Reserve(const PortSet& ours);
  /// Undoes Reserve, also of an earlier process. Errors as above.
  Status Release();

 private:
  Status Write(const PortSet& reserved);
  Result<PortSet> RecordedByUs() const;
  std::string record_file_;
  std::string sysctl_file_;
};

/// One line of /proc/net/udp or udp6.
struct KernelUdpSocket {
  IpAddress address;
  uint16_t port = 0;
};

/// Parses the text of /proc/net/udp or /proc/net/udp6; lines it does not understand are skipped.
std::vector<KernelUdpSocket> ParseKernelUdpSockets(std::string_view text);

/// Refuses claims on which a kernel socket is bound, on the address itself or on the wildcard: that socket
/// would go silent. Errors: names the first such socket and the command that finds its process.
Status CheckNoKernelSocket(std::span<const UdpPortClaim> claims, std::span<const KernelUdpSocket> sockets);
/// The sockets of this network namespace.
std::vector<KernelUdpSocket> ListKernelUdpSockets();

}  // namespace linegate::drivers
