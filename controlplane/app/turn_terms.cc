#include "controlplane/app/turn_terms.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>

#include "dataplane/base/base64.h"

namespace linegate::app {
namespace {

using settings::Realm;

turn::RelayRealm MakeRelayRealm(const Realm& realm, size_t index, uint16_t workers) {
  turn::RelayRealm relay;
  relay.realm = uint16_t(index);
  for (size_t i = 0; i < realm.addresses.size(); ++i) {
    const size_t family = realm.addresses[i].is_v4() ? 0 : 1;
    relay.bound[family] = realm.addresses[i];
    relay.advertised[family] = realm.advertise.empty() ? realm.addresses[i] : realm.advertise[i];
  }
  for (uint16_t worker = 0; worker < workers; ++worker) {
    const settings::PortRange share = settings::RtpShareOf(realm.relay_ports, worker, workers);
    turn::RelayRealm::PortShare ports{2, 1};
    if (!share.empty()) ports = {share.first, share.last};
    relay.shares.push_back(ports);
  }
  return relay;
}

void AddMissing(std::vector<IpAddress>& to, const std::vector<IpAddress>& addresses) {
  for (const IpAddress& address : addresses) {
    if (!address.is_unspecified() && std::find(to.begin(), to.end(), address) == to.end())
      to.push_back(address);
  }
}

std::vector<IpAddress> AddressesOf(const std::vector<Endpoint>& endpoints) {
  std::vector<IpAddress> addresses;
  for (const Endpoint& endpoint : endpoints) addresses.push_back(endpoint.address);
  return addresses;
}

/// What browsers reach: behind 1:1 NAT another address than the one bound.
std::string Seen(const ops::Config& config, const Endpoint& bound) {
  for (const Realm& realm : config.media.realms) {
    for (size_t i = 0; i < realm.advertise.size(); ++i) {
      if (realm.addresses[i] == bound.address) return Endpoint{realm.advertise[i], bound.port}.ToString();
    }
  }
  return bound.ToString();
}

}  // namespace

turn::TurnConfig MakeTurnConfig(const ops::Config& config, const std::vector<IpAddress>& local_addresses) {
  turn::TurnConfig terms = config.turn->server;
  const auto& realms = config.media.realms;
  std::vector<int> entry_of_realm(realms.size(), -1);
  for (size_t i = 0; i < realms.size(); ++i) {
    AddMissing(terms.media_addresses, realms[i].addresses);
    AddMissing(terms.media_addresses, realms[i].advertise);
    if (realms[i].relay_ports.empty()) continue;
    entry_of_realm[i] = int(terms.relay_realms.size());
    terms.relay_realms.push_back(MakeRelayRealm(realms[i], i, config.media.workers));
  }
  terms.relay_realm_of = entry_of_realm;
  for (size_t i = 0; i < realms.size(); ++i) {
    if (realms[i].name != config.turn->relay_realm) continue;
    terms.relay_realm_of.assign(realms.size(), entry_of_realm[i]);
  }
  AddMissing(terms.management_addresses, local_addresses);
  AddMissing(terms.management_addresses, AddressesOf(config.web.listen));
  if (config.sip) AddMissing(terms.management_addresses, AddressesOf(config.sip->listen));
  return terms;
}

std::vector<IpAddress> LocalAddresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      addresses.push_back(
          IpAddress::V4(std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&in->sin_addr), 4)));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      addresses.push_back(IpAddress::V6(std::span<const uint8_t, 16>(in6->sin6_addr.s6_addr, 16)));
    }
  }
  freeifaddrs(all);
  return addresses;
}

uint16_t RealmOfAddress(const settings::DataplaneSettings& media, const IpAddress& local) {
  for (size_t i = 0; i < media.realms.size(); ++i) {
    const auto& own = media.realms[i].addresses;
    if (std::find(own.begin(), own.end(), local) != own.end()) return uint16_t(i);
  }
  return 0;
}

IceServer MakeIceServer(const ops::Config& config, turn::TurnCrypto& crypto, Rng& rng,
                        int64_t expires_unix_s) {
  const Realm& realm = config.realm(config.web.realm);
  const turn::TurnListeners& listeners = config.turn->server.listeners;
  IceServer server;
  for (const IpAddress& address : realm.addresses) {
    for (uint16_t port : realm.turn_ports)
      server.urls.push_back("turn:" + Seen(config, {address, port}) + "?transport=udp");
  }
  for (const Endpoint& tcp : listeners.tcp)
    server.urls.push_back("turn:" + Seen(config, tcp) + "?transport=tcp");
  std::vector<Endpoint> tls = listeners.tls;
  if (listeners.share_web_port) tls.insert(tls.end(), config.web.listen.begin(), config.web.listen.end());
  for (const Endpoint& endpoint : tls)
    server.urls.push_back("turns:" + Seen(config, endpoint) + "?transport=tcp");
  server.username = std::to_string(expires_unix_s) + ":" + rng.Hex(4);
  std::array<uint8_t, wire::HmacSha1::kTagBytes> tag;
  crypto.hmac_sha1().Compute(AsBytes(config.turn->server.shared_secrets.front()), AsBytes(server.username),
                             {}, tag);
  server.credential = EncodeBase64(tag);
  return server;
}

}  // namespace linegate::app
