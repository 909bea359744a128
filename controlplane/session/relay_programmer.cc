#include "controlplane/session/relay_programmer.h"

#include <cstring>

#include "dataplane/base/check.h"

namespace linegate::session {
namespace {

template <typename T>
bool SameBytes(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

std::pair<uint16_t, uint32_t> KeyOf(const abi::RelayRef& relay) { return {relay.worker, relay.index}; }

abi::SocketAddress WireForm(const Endpoint& endpoint) {
  if (endpoint.address.family() == IpFamily::kNone) return {};
  return abi::SocketAddress::From(endpoint);
}

}  // namespace

RelayProgrammer::RelayProgrammer(const settings::DataplaneSettings& settings, NextHopTable& next_hops,
                                 uint32_t first_generation, uint64_t first_sequence)
    : next_hops_(next_hops),
      slots_(settings.workers, settings.relays_per_worker, first_generation, SlotKind::kRelay),
      queue_(first_sequence) {
  for (const settings::Realm& realm : settings.realms) {
    for (size_t i = 0; i < realm.addresses.size() && i < realm.advertise.size(); ++i) {
      if (realm.advertise[i] != realm.addresses[i])
        advertised_.emplace_back(realm.advertise[i], realm.addresses[i]);
    }
  }
}

IpAddress RelayProgrammer::Bound(const IpAddress& address) const {
  for (const auto& [advertised, bound] : advertised_) {
    if (advertised == address) return bound;
  }
  return address;
}

abi::NextHop RelayProgrammer::HopTo(const IpAddress& address) {
  return next_hops_.Lookup(address).value_or(abi::NextHop{});
}

abi::RelayConfig RelayProgrammer::ConfigOf(const turn::RelayTerms& terms) {
  abi::RelayConfig config;
  const bool datagram = !turn::HasConnection(terms.client.transport);
  config.transport = datagram ? abi::ClientTransport::kDatagram : abi::ClientTransport::kStream;
  config.realm = terms.realm;
  config.bytes_per_second = terms.bytes_per_second;
  config.client_local = WireForm(terms.client.local);
  config.client_remote = WireForm(terms.client.remote);
  for (size_t family = 0; family < terms.relayed.size(); ++family)
    config.relayed[family] = WireForm(terms.relayed[family]);
  if (!datagram) return config;
  // The kernel's view, which follows a router that moves; until it is known, the way the client's request came.
  config.client_next_hop = HopTo(terms.client.remote.address);
  if (config.client_next_hop.known == 0) {
    static_assert(sizeof config.client_next_hop == sizeof terms.client.reply_hop);
    std::memcpy(static_cast<void*>(&config.client_next_hop), terms.client.reply_hop.data(),
                terms.client.reply_hop.size());
  }
  return config;
}

abi::RelayPeer RelayProgrammer::PeerOf(const turn::RelayPeerTerms& terms) {
  abi::RelayPeer peer;
  if (terms.peer.address.family() == IpFamily::kNone) return peer;
  const Endpoint wire{Bound(terms.peer.address), terms.peer.port};
  peer.wire = abi::SocketAddress::From(wire);
  peer.shown = abi::SocketAddress::From(terms.peer);
  peer.channel = terms.channel;
  peer.permitted = terms.permitted ? 1 : 0;
  peer.next_hop = HopTo(wire.address);
  return peer;
}

void RelayProgrammer::Program(Relay& relay, uint64_t change) {
  relay.sent_config = ConfigOf(relay.terms);
  queue_.Program(relay.ref, relay.sent_config, change);
}

void RelayProgrammer::SetPeer(Relay& relay, uint32_t index, uint64_t change) {
  abi::RelayPeer& sent = relay.sent_peers[index];
  sent = PeerOf(relay.peers.at(index));
  queue_.SetPeer(relay.ref, index, sent, change);
}

void RelayProgrammer::Apply(const turn::ProgramRelay& program) {
  auto found = relays_.find(program.allocation);
  if (found == relays_.end()) {
    const auto slot = slots_.Acquire(program.worker);
    if (!slot) {
      events_.push_back(RelaySettled{program.allocation, program.change, true});
      return;
    }
    found = relays_.emplace(program.allocation, Relay{}).first;
    found->second.ref = *slot;
    by_slot_[KeyOf(*slot)] = program.allocation;
  }
  Relay& relay = found->second;
  relay.terms = program.terms;
  relay.newest_change = program.change;
  Program(relay, program.change);
}

void RelayProgrammer::Apply(const turn::SetRelayPeer& set) {
  const auto found = relays_.find(set.allocation);
  if (found == relays_.end() || set.index >= abi::kRelayPeers) {
    events_.push_back(RelaySettled{set.allocation, set.change, true});
    return;
  }
  Relay& relay = found->second;
  relay.peers[set.index] = set.terms;
  relay.newest_change = set.change;
  SetPeer(relay, set.index, set.change);
}

void RelayProgrammer::Apply(const turn::RemoveRelay& remove) {
  const auto found = relays_.find(remove.allocation);
  if (found == relays_.end()) {  // was refused: there is no slot to clear
    events_.push_back(RelayRemoved{remove.allocation});
    return;
  }
  queue_.Remove(found->second.ref);
  relays_.erase(found);  // by_slot_ knows it until the worker has answered
}

void RelayProgrammer::HandleDone(const abi::CommandDone& done) {
  const auto confirmation = queue_.HandleDone(done);
  const auto slot = by_slot_.find(KeyOf(done.flow));
  if (!confirmation || slot == by_slot_.end()) return;
  const turn::AllocationId allocation = slot->second;
  if (confirmation->removed) {
    slots_.Release(done.flow);
    by_slot_.erase(slot);
    events_.push_back(RelayRemoved{allocation});
    return;
  }
  if (!relays_.contains(allocation)) return;  // being removed: nobody waits any more
  events_.push_back(RelaySettled{allocation, confirmation->settled, confirmation->refused});
}

void RelayProgrammer::HandleNextHopChanged() {
  for (auto& [allocation, relay] : relays_) {
    if (!SameBytes(ConfigOf(relay.terms), relay.sent_config)) Program(relay, relay.newest_change);
    for (const auto& [index, terms] : relay.peers) {
      if (!SameBytes(PeerOf(terms), relay.sent_peers.at(index))) SetPeer(relay, index, relay.newest_change);
    }
  }
}

std::optional<RelayEvent> RelayProgrammer::PollEvent() {
  if (events_.empty()) return std::nullopt;
  RelayEvent event = events_.front();
  events_.pop_front();
  return event;
}

std::optional<abi::RelayRef> RelayProgrammer::RelayOf(turn::AllocationId allocation) const {
  const auto found = relays_.find(allocation);
  if (found == relays_.end()) return std::nullopt;
  return found->second.ref;
}

std::optional<turn::AllocationId> RelayProgrammer::AllocationOf(const abi::RelayRef& ref) const {
  const auto found = by_slot_.find(KeyOf(ref));
  if (found == by_slot_.end()) return std::nullopt;
  const auto relay = relays_.find(found->second);
  if (relay == relays_.end() || relay->second.ref != ref) return std::nullopt;
  return found->second;
}

}  // namespace linegate::session
