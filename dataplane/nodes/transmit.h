#pragma once
#include "dataplane/nodes/node_context.h"

namespace linegate::nodes {

/// How often a packet may come back to us through one of our own addresses (design D4).
inline constexpr uint8_t kMaxInternalHops = 3;

/// Last node: writes Ethernet, IP and UDP headers with complete checksums in front of every payload that is
/// ready and queues the frame on its port. A frame to one of our own addresses becomes Verdict::kLoop
/// instead.
void Transmit(PacketBatch& batch, NodeContext& context);

/// The same for one packet made here, outside of a batch (our own connectivity checks, injected datagrams).
/// Takes the buffer; `payload` lies in it with room for headers below. To one of our own addresses it goes by way of
/// LoopQueue. False: no room for headers or in the queue; the buffer was freed.
bool TransmitOne(io::Packet packet, uint8_t* payload, size_t payload_bytes, const wire::FrameHeader& header,
                 uint16_t port_id, NodeContext& context);

/// TransmitOne of a payload that lies elsewhere, in a fresh buffer. Says why it was dropped.
abi::DropReason TransmitCopy(ByteView payload, const wire::FrameHeader& header, uint16_t port_id,
                             NodeContext& context);

}  // namespace linegate::nodes
