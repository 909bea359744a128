#include "dataplane/nodes/stun_reply.h"

#include <array>
#include <cstring>

namespace linegate::nodes {

using abi::Counter;
using abi::DropReason;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMessageWriter;
using wire::StunMethod;

void ReplyInPlace(PacketBatch& batch, size_t i, ByteView message, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  if (message.empty() || message.size() > batch.capacity(i)) return context.Drop(meta, DropReason::kNoRoom);
  std::memcpy(meta.payload, message.data(), message.size());
  meta.payload_bytes = uint16_t(message.size());
  const wire::FrameView& frame = meta.frame;
  wire::FrameHeader header;
  header.source_mac = context.ports[batch.packets[i].port_id]->mac();
  header.destination_mac = frame.source_mac;
  header.source = frame.destination;
  header.destination = frame.source;
  header.tagged = frame.tagged;
  header.vlan_tci = frame.vlan_tci;
  const bool internal = context.local_ports.IsOurAddress(header.destination.address);
  batch.SetHeader(i, header, batch.packets[i].port_id, internal);
  meta.ready = true;
}

void AnswerPlainBinding(PacketBatch& batch, size_t i, const wire::StunMessageView& request,
                        NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  if (request.method() != StunMethod::kBinding) return context.Drop(meta, DropReason::kBadStun);
  if (request.message_class() != StunClass::kRequest) return context.Drop(meta, DropReason::kStunUnsolicited);
  std::array<uint8_t, 128> buffer;
  const wire::StunUnknownAttributes unknown = request.UnknownRequired(wire::StunUsage::kBase);
  const bool refused = unknown.count != 0;
  if (refused && !context.stun_errors.Take(context.now_ns))
    return context.Drop(meta, DropReason::kRateLimited);
  StunMessageWriter writer(buffer, refused ? StunClass::kError : StunClass::kSuccess, StunMethod::kBinding,
                           request.transaction_id());
  if (refused) {
    writer.AddErrorCode(420, "Unknown Attribute");
    writer.AddUnknownAttributes(unknown);
  } else {
    writer.AddXorAddress(StunAttribute::kXorMappedAddress, meta.frame.source);
  }
  if (request.has_fingerprint()) writer.AddFingerprint();
  context.Count(refused ? Counter::kStunErrorsSent : Counter::kStunBindingsAnswered);
  ReplyInPlace(batch, i, writer.Finish(), context);
}

void StunListener(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kStunListener)) {
    const auto message = wire::StunMessageView::Parse(batch.meta[i].payload_view());
    if (!message) {
      context.Drop(batch.meta[i], DropReason::kBadStun);
      continue;
    }
    AnswerPlainBinding(batch, i, *message, context);
  }
}

}  // namespace linegate::nodes
