#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// The node of Route::kTurnListener: what arrives on a TURN listener. Every worker serves every listener; the allocation of
/// a 5-tuple belongs to one, and its packets are handed to that one.
///
///   | packet                                       | what becomes of it                                               |
///   |----------------------------------------------|------------------------------------------------------------------|
///   | Binding request                              | answered here (stun_reply.h), limited per source                 |
///   | ChannelData, Send indication of a client     | relayed (turn_relay.h)                                           |
///   | the same from anybody else                   | dropped: relay_no_allocation                                     |
///   | any other request of a client                | to the control plane, limited per allocation                     |
///   | any other request of anybody else            | to the control plane, limited per source and in total            |
///   | everything else                              | dropped                                                          |
///
/// A client's own requests have a limit of their own, so that strangers never starve it.
void TurnListener(PacketBatch& batch, NodeContext& context);

/// A datagram of the control plane from one of our listeners (ListenerInjectRecord and payload, as it stands in the ring).
void InjectFromListener(ByteView record, NodeContext& context);

}  // namespace linegate::nodes
