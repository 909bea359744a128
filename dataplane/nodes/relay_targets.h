#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// How a packet of an allocation leaves, where nothing stands ready.
struct Departure {
  wire::FrameHeader header;
  uint16_t port_id = 0;
  bool internal = false;  ///< to one of our own addresses
};

/// From the relayed address of the peer's family to `destination`, whose permission or channel is `peer`. kRelayFamily or
/// kNoNextHop: nothing can be sent.
abi::DropReason AddressToPeer(uint32_t relay, const abi::RelayPeer& peer, const Endpoint& destination,
                              Departure& out, const NodeContext& context);
abi::DropReason AddressToClient(uint32_t relay, Departure& out, const NodeContext& context);

/// After every change of the allocation's slot: RelayRuntime's index over its peers, and RelayTargets.
void RefreshRelay(uint32_t relay, NodeContext& context);

}  // namespace linegate::nodes
