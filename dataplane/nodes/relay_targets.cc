#include "dataplane/nodes/relay_targets.h"

#include <algorithm>

namespace linegate::nodes {
namespace {

using abi::DropReason;
using abi::SocketAddress;

DropReason Address(const SocketAddress& source, const Endpoint& destination, const abi::NextHop& next_hop,
                   Departure& out, const NodeContext& context) {
  wire::FrameHeader& header = out.header;
  header.source = source.ToEndpoint();
  header.destination = destination;
  flow::LocalPort own;
  out.internal = context.local_ports.IsOurAddress(destination.address);
  if (out.internal) {
    out.port_id = context.local_ports.Find(destination, own) ? own.port_id : 0;
  } else if (next_hop.known != 0 && next_hop.port_id < context.ports.size()) {
    out.port_id = next_hop.port_id;
  } else {
    return DropReason::kNoNextHop;
  }
  header.source_mac = context.ports[out.port_id]->mac();
  std::copy_n(next_hop.mac, sizeof next_hop.mac, header.destination_mac.bytes.begin());
  header.tagged = next_hop.vlan != 0;
  header.vlan_tci = next_hop.vlan;
  return DropReason::kNone;
}

RelayTarget TargetOf(const Departure& departure) {
  return {true, departure.internal, departure.port_id, wire::FrameTemplate::Open(departure.header)};
}

}  // namespace

DropReason AddressToPeer(uint32_t relay, const abi::RelayPeer& peer, const Endpoint& destination,
                         Departure& out, const NodeContext& context) {
  const SocketAddress& relayed = context.turn.slots[relay].config.relayed[peer.wire.family == 4 ? 0 : 1];
  if (relayed.family != peer.wire.family) return DropReason::kRelayFamily;
  return Address(relayed, destination, peer.next_hop, out, context);
}

DropReason AddressToClient(uint32_t relay, Departure& out, const NodeContext& context) {
  const abi::RelayConfig& config = context.turn.slots[relay].config;
  return Address(config.client_local, config.client_remote.ToEndpoint(), config.client_next_hop, out,
                 context);
}

void RefreshRelay(uint32_t relay, NodeContext& context) {
  const abi::RelaySlot& slot = context.turn.slots[relay];
  context.turn.runtime[relay].Refresh(slot);
  RelayTargets& targets = context.turn.targets[relay];
  targets = {};
  Departure departure;
  if (slot.config.transport == abi::ClientTransport::kDatagram &&
      AddressToClient(relay, departure, context) == DropReason::kNone)
    targets.client = TargetOf(departure);
  for (uint32_t i = 0; i < abi::kRelayPeers; ++i) {
    const abi::RelayPeer& peer = slot.peers[i];
    if (peer.wire.family == 0 || peer.channel == 0) continue;
    if (AddressToPeer(relay, peer, peer.wire.ToEndpoint(), departure, context) == DropReason::kNone)
      targets.peers[i] = TargetOf(departure);
  }
}

}  // namespace linegate::nodes
