#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// DTLS records of a leg go to the control plane; only from validated addresses (classify saw to that), so
/// that nobody can put handshake state there without knowing an ICE password. Limited per leg.
void DtlsPunt(PacketBatch& batch, NodeContext& context);

/// A datagram of the control plane (InjectRecord and payload, as it stands in the ring): sent to an address
/// of the leg that passed a check, else counted and dropped.
void Inject(ByteView record, NodeContext& context);

}  // namespace linegate::nodes
