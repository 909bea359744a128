#include "dataplane/app/port_setup.h"

#include <utility>

#include "drivers/net/dpdk_port.h"
#include "drivers/net/memif_socket.h"
#include "drivers/net/xdp/interface_info.h"

namespace linegate::app {

std::vector<drivers::UdpPortClaim> ClaimsOf(const settings::DataplaneSettings& settings,
                                            const std::string& interface) {
  std::vector<drivers::UdpPortClaim> claims;
  for (const settings::Realm& realm : settings.realms) {
    if (realm.interface != interface) continue;
    for (const IpAddress& address : realm.addresses) {
      if (realm.webrtc_port != 0) {
        claims.push_back({address, realm.webrtc_port, uint16_t(realm.webrtc_port + settings.workers - 1)});
      }
      for (uint16_t port : realm.stun_ports) claims.push_back({address, port, port});
      for (uint16_t port : realm.turn_ports) claims.push_back({address, port, port});
      for (const settings::PortRange& range : {realm.rtp_ports, realm.relay_ports}) {
        if (!range.empty()) claims.push_back({address, range.first, range.last});
      }
    }
  }
  return claims;
}

std::vector<drivers::SteeredPorts> SteeredPortsOf(const settings::DataplaneSettings& settings,
                                                  const std::string& interface) {
  std::vector<drivers::SteeredPorts> steered;
  const auto add = [&](const IpAddress& address, const settings::PortRange& ports,
                       std::optional<uint16_t> queue) {
    if (!ports.empty()) steered.push_back({{address, ports.first, ports.last}, queue});
  };
  for (const settings::Realm& realm : settings.realms) {
    if (realm.interface != interface) continue;
    for (const IpAddress& address : realm.addresses) {
      for (uint16_t port : settings::ListenerPortsOf(realm)) add(address, {port, port}, std::nullopt);
      for (uint16_t worker = 0; worker < settings.workers; ++worker) {
        const auto webrtc_port = uint16_t(realm.webrtc_port + worker);
        if (realm.webrtc_port != 0) add(address, {webrtc_port, webrtc_port}, worker);
        for (const settings::PortRange& range : {realm.rtp_ports, realm.relay_ports})
          add(address, settings::RtpShareOf(range, worker, settings.workers), worker);
      }
    }
  }
  return steered;
}

size_t NetworkMegabytes(const settings::DataplaneSettings& settings) {
  return drivers::DpdkPool::MegabytesFor(settings::InterfacesOf(settings).size() * settings.workers);
}

Status CheckReceiveQueues(const std::string& interface, uint32_t queues, uint32_t workers) {
  if (queues == workers) return {};
  // A queue without a socket would lose its packets; a worker without a queue could not send.
  return Fail("interface '" + interface + "' has " + std::to_string(queues) + " receive queue(s) for " +
              std::to_string(workers) + " worker(s): run 'ethtool -L " + interface + " combined " +
              std::to_string(workers) +
              "' (or 'rx' where there are no combined queues), or set workers = " + std::to_string(queues));
}

namespace {

bool IsMemif(const std::string& interface) { return !settings::MemifPathOf(interface).empty(); }

std::string BpffsDirectory(const settings::DataplaneSettings& settings) {
  return settings.runtime_directory + "/bpf";
}
std::string ReservationRecord(const settings::DataplaneSettings& settings) {
  return settings.runtime_directory + "/reserved_ports";
}

}  // namespace

NetworkPorts::NetworkPorts(const settings::DataplaneSettings& settings)
    : settings_(settings),
      interfaces_(settings::InterfacesOf(settings)),
      reserved_(ReservationRecord(settings)) {}

Result<NetworkPorts> NetworkPorts::Open(const settings::DataplaneSettings& settings) {
  NetworkPorts ports(settings);
  if (Status opened = ports.OpenAll(); !opened) {
    ports.UndoStart();
    return MakeUnexpected(std::move(opened).error());
  }
  return ports;
}

Status NetworkPorts::OpenAll() {
  if (Status good = CheckInterfaces(); !good) return good;
  auto pool =
      drivers::DpdkPool::Create(drivers::DpdkPool::BuffersFor(interfaces_.size() * settings_.workers));
  if (!pool) return MakeUnexpected(std::move(pool).error());
  pool_ = std::make_unique<drivers::DpdkPool>(std::move(*pool));
  if (Status claimed = ClaimPorts(); !claimed) return claimed;
  for (const std::string& interface : interfaces_) {
    if (IsMemif(interface)) continue;
    if (Status attached = AttachProgram(interface); !attached) return attached;
  }
  ports_.resize(settings_.workers);
  auto program = programs_.begin();
  for (uint16_t port_id = 0; port_id < interfaces_.size(); ++port_id) {
    Status opened =
        IsMemif(interfaces_[port_id]) ? OpenMemifPorts(port_id) : OpenXdpPorts(port_id, *program++);
    if (!opened) return opened;
  }
  return {};
}

Status NetworkPorts::CheckInterfaces() {
  for (const std::string& interface : interfaces_) {
    if (IsMemif(interface)) continue;
    auto info = drivers::InspectInterface(interface);
    if (!info) return MakeUnexpected(std::move(info).error());
    if (!info->up) warnings_.push_back("interface '" + interface + "' is down");
    Status queues = CheckReceiveQueues(interface, info->receive_queues, settings_.workers);
    if (!queues) return queues;
  }
  return {};
}

std::vector<drivers::UdpPortClaim> NetworkPorts::AllClaims() const {
  std::vector<drivers::UdpPortClaim> claims;
  for (const std::string& interface : interfaces_) {
    if (IsMemif(interface)) continue;  // the kernel never sees what arrives there
    for (const drivers::UdpPortClaim& claim : ClaimsOf(settings_, interface)) claims.push_back(claim);
  }
  return claims;
}

Status NetworkPorts::ClaimPorts() {
  const std::vector<drivers::UdpPortClaim> claims = AllClaims();
  // Reserved first: between the check and the reservation the kernel could give one of them away.
  if (Status reserved = reserved_.Reserve(drivers::PortSet::OfClaims(claims)); !reserved) return reserved;
  return drivers::CheckNoKernelSocket(claims, drivers::ListKernelUdpSockets());
}

Status NetworkPorts::AttachProgram(const std::string& interface) {
  drivers::XdpOptions options;
  options.interface = interface;
  options.mode = settings_.xdp_mode == "native" ? drivers::XdpMode::kNative : drivers::XdpMode::kGeneric;
  options.bpffs_directory = BpffsDirectory(settings_);
  auto program = drivers::XdpLoader::Attach(options);
  if (!program) return MakeUnexpected(std::move(program).error());
  if (program->pin_lifetime() == drivers::BpffsLifetime::kProcess) {
    warnings_.push_back(
        options.bpffs_directory +
        " lies in a private mount namespace: after a crash the kernel would answer for our ports until "
        "the next start (enter network namespaces with nsenter --net, or mount bpffs there first)");
  }
  if (!program->native_refusal().empty()) {
    warnings_.push_back("interface '" + interface +
                        "': native XDP is refused, running in generic mode: " + program->native_refusal());
  }
  descriptions_.push_back("interface '" + interface + "': XDP in " +
                          std::string(drivers::XdpModeName(program->mode())) + " mode on " +
                          std::to_string(settings_.workers) + " receive queue(s)" +
                          (program->origin() == drivers::XdpOrigin::kAdopted ? ", program adopted" : ""));
  programs_.push_back(std::move(*program));
  // Every interface takes the ports of all realms: what arrives for an address of the other side is dropped
  // and counted by the worker; left to the kernel it would be answered, which tells a stranger what is
  // private. Relay ports serve whatever interface a packet came from.
  return programs_.back().SetPorts(AllClaims());
}

Status NetworkPorts::OpenXdpPorts(uint16_t port_id, const drivers::XdpLoader& program) {
  for (uint16_t worker = 0; worker < settings_.workers; ++worker) {
    drivers::AfXdpDevice device;
    device.interface = interfaces_[port_id];
    device.queue = worker;
    if (program.mode() == drivers::XdpMode::kNative) device.busy_poll = drivers::AfXdpDevice::BusyPoll::kOn;
    auto port = drivers::DpdkPort::Open(*pool_, port_id, device);
    if (!port) return MakeUnexpected(std::move(port).error());
    ports_[worker].push_back(std::move(*port));
    if (Status bound = program.VerifySocketBound(worker); !bound) return bound;
  }
  return {};
}

Status NetworkPorts::OpenMemifPorts(uint16_t port_id) {
  const std::string path = settings::MemifPathOf(interfaces_[port_id]);
  const uint16_t vlan = settings::VlanOf(settings_, interfaces_[port_id]);
  descriptions_.push_back("memif server on " + path + ", " + std::to_string(settings_.workers) + " port(s)" +
                          (vlan != 0 ? ", VLAN " + std::to_string(vlan) : ""));
  if (Status claimed = drivers::ClaimMemifSocket(path); !claimed) return claimed;
  for (uint16_t worker = 0; worker < settings_.workers; ++worker) {
    drivers::MemifDevice device;
    device.socket = path;
    device.id = worker;
    auto port = drivers::DpdkPort::Open(*pool_, port_id, device);
    if (!port) return MakeUnexpected(std::move(port).error());
    AddPort(worker, vlan, std::move(*port));
  }
  return {};
}

void NetworkPorts::AddPort(uint16_t worker, uint16_t vlan, std::unique_ptr<io::PacketPort> port) {
  if (vlan == 0) return ports_[worker].push_back(std::move(port));
  ports_[worker].push_back(std::make_unique<drivers::VlanPort>(*port, vlan));
  trunks_.push_back(std::move(port));
}

std::vector<io::PacketPort*> NetworkPorts::PortsOf(uint16_t worker) const {
  std::vector<io::PacketPort*> ports;
  for (const auto& port : ports_[worker]) ports.push_back(port.get());
  return ports;
}

Result<drivers::XdpCounters> NetworkPorts::ReadXdpCounters() const {
  drivers::XdpCounters sum = {};
  for (const drivers::XdpLoader& program : programs_) {
    auto counters = program.ReadCounters();
    if (!counters) return counters;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += (*counters)[i];
  }
  return sum;
}

void NetworkPorts::UndoStart() {
  ports_.clear();
  trunks_.clear();
  bool adopted = false;
  for (drivers::XdpLoader& program : programs_) {
    adopted |= program.origin() == drivers::XdpOrigin::kAdopted;
    if (program.origin() == drivers::XdpOrigin::kAttached) (void)program.Detach();
  }
  programs_.clear();
  if (!adopted) (void)reserved_.Release();
}

Status NetworkPorts::Release(const settings::DataplaneSettings& settings) {
  for (const std::string& interface : settings::InterfacesOf(settings)) {
    if (!IsMemif(interface)) drivers::XdpLoader::Release(BpffsDirectory(settings), interface);
  }
  return drivers::ReservedPorts(ReservationRecord(settings)).Release();
}

Status NetworkPorts::Close() {
  ports_.clear();
  trunks_.clear();
  Status first;
  for (drivers::XdpLoader& program : programs_) {
    if (Status detached = program.Detach(); !detached && first) first = detached;
  }
  programs_.clear();
  if (Status released = reserved_.Release(); !released && first) first = released;
  return first;
}

}  // namespace linegate::app
