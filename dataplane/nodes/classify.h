#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// First node: parses each frame once, verifies its checksum, finds what the local endpoint is for and, for
/// media and DTLS, the flow. Leaves each packet on one route, or dropped, or to be handed to the worker that
/// owns it.
void Classify(PacketBatch& batch, NodeContext& context);

}  // namespace linegate::nodes
