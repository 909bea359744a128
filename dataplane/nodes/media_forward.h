#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// Every clear RTP and RTCP packet: payload type of the other leg, the flow's service (relay, echo, tone),
/// destination. Ends ready to send, or on PacketBatch::protect when it goes to an encrypted leg.
void MediaForward(PacketBatch& batch, NodeContext& context);

/// All packets towards encrypted legs: one engine call per burst. Fill chooses every packet's index by the
/// transmit window of its source and stores it in the slot before the cipher runs, so that no index is ever
/// used twice under one key, not even by a process that died in between (design D1).
void SrtpProtect(PacketBatch& batch, NodeContext& context);

}  // namespace linegate::nodes
