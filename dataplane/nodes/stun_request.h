#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// Sends a Binding request of our own to a validated path (design D6: proof that its address is the peer's),
/// with the credentials the peer gave us. Nothing is sent while these are unknown or no buffer is free.
void SendBindingRequest(uint32_t flow, uint8_t path, ByteView transaction_id, NodeContext& context);

}  // namespace linegate::nodes
