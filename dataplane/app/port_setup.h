#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/io/packet_port.h"
#include "dataplane/settings/settings.h"
#include "drivers/net/dpdk_pool.h"
#include "drivers/net/steering_rules.h"
#include "drivers/net/vlan_port.h"
#include "drivers/net/xdp/reserved_ports.h"
#include "drivers/net/xdp/udp_port_claim.h"
#include "drivers/net/xdp/xdp_loader.h"

namespace linegate::app {

/// The UDP ports that the realms on `interface` take from the kernel.
std::vector<drivers::UdpPortClaim> ClaimsOf(const settings::DataplaneSettings& settings,
                                            const std::string& interface);

/// The same ports and the receive queue each belongs on (worker i serves queue i); listeners belong on all.
std::vector<drivers::SteeredPorts> SteeredPortsOf(const settings::DataplaneSettings& settings,
                                                  const std::string& interface);

/// Memory that StartEal must provide for NetworkPorts, in MiB.
size_t NetworkMegabytes(const settings::DataplaneSettings& settings);

/// What an interface must be like, or the command that makes it so. Part of Open; apart for tests.
Status CheckReceiveQueues(const std::string& interface, uint32_t queues, uint32_t workers);

/// All network ports of the process: the XDP program on every kernel interface and one AF_XDP port per such
/// interface and worker; one memif server per memif interface and worker (id = worker, one socket), behind a VlanPort
/// where its realms have a VLAN.
///
/// Theory of operation. Open reserves our UDP ports with the kernel, attaches (or adopts) the XDP programs,
/// fills their port sets, and only then binds the sockets; each bind is verified. The worker of index w
/// serves receive queue w of every interface. Start-up that fails takes off what it attached itself, but
/// leaves programs it adopted: they keep the kernel from answering ICMP until somebody starts successfully.
/// Close is the graceful end and leaves nothing; destruction without Close (or kill -9) leaves programs, port
/// sets and reservations for the next start.
class NetworkPorts {
 public:
  static Result<NetworkPorts> Open(const settings::DataplaneSettings& settings);
  /// What Close does, for a process that was killed. The caller made sure that none is running.
  static Status Release(const settings::DataplaneSettings& settings);
  NetworkPorts(NetworkPorts&&) noexcept = default;
  NetworkPorts& operator=(NetworkPorts&&) noexcept = default;

  /// The worker's ports, indexed by port id (the order of InterfacesOf).
  std::vector<io::PacketPort*> PortsOf(uint16_t worker) const;
  /// What the XDP programs of all interfaces counted since they were attached, which may be several processes
  /// ago.
  Result<drivers::XdpCounters> ReadXdpCounters() const;
  /// Things an operator should know that do not keep us from starting.
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// "interface 'eth0': XDP in native mode on 2 receive queue(s), adopted": one line per interface.
  const std::vector<std::string>& descriptions() const { return descriptions_; }
  const drivers::DpdkPool& pool() const { return *pool_; }

  /// Unbinds sockets, detaches programs, gives reserved ports back. The first error, having tried everything.
  Status Close();

 private:
  explicit NetworkPorts(const settings::DataplaneSettings& settings);
  Status OpenAll();
  Status CheckInterfaces();
  std::vector<drivers::UdpPortClaim> AllClaims() const;
  Status ClaimPorts();
  Status AttachProgram(const std::string& interface);
  Status OpenXdpPorts(uint16_t port_id, const drivers::XdpLoader& program);
  Status OpenMemifPorts(uint16_t port_id);
  void AddPort(uint16_t worker, uint16_t vlan, std::unique_ptr<io::PacketPort> port);
  void UndoStart();

  settings::DataplaneSettings settings_;
  std::vector<std::string> interfaces_;
  std::vector<std::string> warnings_;
  std::vector<std::string> descriptions_;
  drivers::ReservedPorts reserved_;
  std::unique_ptr<drivers::DpdkPool> pool_;
  std::vector<drivers::XdpLoader> programs_;  ///< of the kernel interfaces, in their order
  std::vector<std::vector<std::unique_ptr<io::PacketPort>>> ports_;  ///< [worker][port id]
  std::vector<std::unique_ptr<io::PacketPort>> trunks_;  ///< what stands behind the VlanPorts among them
};

}  // namespace linegate::app
