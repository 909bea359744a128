#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// The data path of TURN allocations (RFC 8656 sections 11 and 12). Theory of operation:
///
///   client -> peer   ChannelData on a bound channel whose permission is alive, or a Send indication to an address with
///                    a permission: the application data leaves from the relayed address of the peer's family
///   peer -> client   from a peer with a channel: ChannelData; from an address with a permission: Data indication; from
///                    anybody else: dropped
///
/// Data stays where it is in the buffer; only what stands in front of it changes. A client on a stream gets whole
/// messages through the punt ring and sends through the inject ring. Peers that are our own addresses (a gateway leg,
/// another relay) are looped inside by transmit.
///
/// IP header (RFC 8656 section 14, preferred behaviour): TTL or hop limit one less, dropped when used up; DSCP and ECN
/// copied; DF copied, or set by DONT-FRAGMENT; from IPv6 to IPv4 DF is set above 1,260 bytes (RFC 7915 section 5.1). We
/// never fragment and never reassemble.
///
/// Measured by perf/bench/dataplane/nodes/turn_relay_bench.cc.

/// A message of a UDP client with an allocation here: ChannelData, or a Send indication. `meta.relay` names it.
void RelayFromClient(PacketBatch& batch, size_t i, NodeContext& context);

/// The node of Route::kRelay: what arrived on relay ports.
void RelayFromPeers(PacketBatch& batch, NodeContext& context);

/// A message of a stream client (RelayInjectRecord and payload, as it stands in the ring).
void InjectFromRelayClient(ByteView record, NodeContext& context);

}  // namespace linegate::nodes
