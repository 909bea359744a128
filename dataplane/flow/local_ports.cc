#include "dataplane/flow/local_ports.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace linegate::flow {
namespace {

/// Distinct interfaces in order of first use, as settings::InterfacesOf numbers them.
uint16_t PortIdOf(const settings::DataplaneSettings& settings, const settings::Realm& realm) {
  std::vector<std::string> seen;
  for (const settings::Realm& other : settings.realms) {
    if (other.interface == realm.interface) break;
    if (std::ranges::find(seen, other.interface) == seen.end()) seen.push_back(other.interface);
  }
  return uint16_t(seen.size());
}

}  // namespace

LocalPorts::LocalPorts(const settings::DataplaneSettings& settings) : workers_(settings.workers) {
  LG_FATAL(workers_ > 0);
  for (size_t r = 0; r < settings.realms.size(); ++r) {
    const settings::Realm& realm = settings.realms[r];
    for (size_t a = 0; a < realm.addresses.size(); ++a) {
      Address entry;
      entry.address = realm.addresses[a];
      if (a < realm.advertise.size()) entry.advertised = realm.advertise[a];
      entry.port_id = PortIdOf(settings, realm);
      entry.realm = uint16_t(r);
      entry.webrtc_port = realm.webrtc_port;
      entry.rtp = realm.rtp_ports;
      entry.rtp_index = rtp_ports_;
      if (!entry.rtp.empty()) rtp_ports_ += uint32_t{entry.rtp.last} - entry.rtp.first + 1;
      entry.relay = realm.relay_ports;
      entry.stun_ports = realm.stun_ports;
      entry.turn_ports = realm.turn_ports;
      FillDiscovery(settings, realm, entry);
      addresses_.push_back(std::move(entry));
    }
  }
}

void LocalPorts::FillDiscovery(const settings::DataplaneSettings& settings, const settings::Realm& realm,
                               Address& entry) {
  const auto other = std::ranges::find(settings.realms, realm.other_realm, &settings::Realm::name);
  if (realm.other_realm.empty() || other == settings.realms.end()) return;
  const auto same_family = std::ranges::find(other->addresses, entry.address.family(), &IpAddress::family);
  const std::vector<uint16_t> ports = settings::ListenerPortsOf(realm);
  if (same_family == other->addresses.end() || ports.size() < 2) return;
  const size_t position = size_t(same_family - other->addresses.begin());
  for (size_t i = 0; i < 2; ++i) {
    entry.discovery_ports[i] = ports[i];
    Discovery& discovery = entry.discovery[i];
    discovery.advertised = entry.advertised.family() != IpFamily::kNone ? entry.advertised : entry.address;
    discovery.other_address = *same_family;
    discovery.other_advertised =
        position < other->advertise.size() ? other->advertise[position] : *same_family;
    discovery.other_port = ports[1 - i];
  }
}

const Discovery* LocalPorts::DiscoveryOf(const Address& entry, uint16_t port) {
  for (size_t i = 0; i < 2; ++i) {
    if (entry.discovery_ports[i] != 0 && entry.discovery_ports[i] == port) return &entry.discovery[i];
  }
  return nullptr;
}

uint16_t LocalPorts::OwnerOf(const settings::PortRange& range, uint16_t port) const {
  if (workers_ == 1) return 0;
  const uint16_t last = uint16_t(workers_ - 1);
  const settings::PortRange share = settings::RtpShareOf(range, 0, workers_);
  if (share.empty()) return last;
  return uint16_t(std::min<uint32_t>((port - share.first) / (uint32_t{share.last} - share.first + 1), last));
}

bool LocalPorts::Find(const Endpoint& local, LocalPort& out) const {
  for (const Address& entry : addresses_) {
    if (entry.address != local.address) continue;
    out.port_id = entry.port_id;
    out.realm = entry.realm;
    if (entry.webrtc_port != 0 && local.port >= entry.webrtc_port &&
        local.port - entry.webrtc_port < workers_) {
      out.kind = LocalPortKind::kWebRtc;
      out.owner = uint16_t(local.port - entry.webrtc_port);
      return true;
    }
    if (entry.rtp.Contains(local.port) && local.port >= ((entry.rtp.first + 1u) & ~1u)) {
      out.kind = LocalPortKind::kRtp;
      out.rtp_index = entry.rtp_index + (local.port - entry.rtp.first);
      out.owner = OwnerOf(entry.rtp, local.port);
      return true;
    }
    if (entry.relay.Contains(local.port) && local.port >= ((entry.relay.first + 1u) & ~1u)) {
      out.kind = LocalPortKind::kRelay;
      out.owner = OwnerOf(entry.relay, local.port);
      return true;
    }
    if (std::ranges::find(entry.turn_ports, local.port) != entry.turn_ports.end()) {
      out.kind = LocalPortKind::kTurnListener;
      out.owner = 0;
      out.discovery = DiscoveryOf(entry, local.port);
      return true;
    }
    if (std::ranges::find(entry.stun_ports, local.port) != entry.stun_ports.end()) {
      out.kind = LocalPortKind::kStunListener;
      out.owner = 0;
      out.discovery = DiscoveryOf(entry, local.port);
      return true;
    }
    // The same address may stand in two realms with different ports: go on.
  }
  return false;
}

bool LocalPorts::IsOurAddress(const IpAddress& address) const {
  return std::ranges::any_of(addresses_, [&](const Address& entry) { return entry.address == address; });
}

const IpAddress& LocalPorts::Unadvertised(const IpAddress& address) const {
  for (const Address& entry : addresses_) {
    if (entry.advertised.family() != IpFamily::kNone && entry.advertised == address) return entry.address;
  }
  return address;
}

}  // namespace linegate::flow
