#include "dataplane/nodes/stun_reply.h"

#include <array>
#include <cstring>
#include <optional>

#include "dataplane/nodes/stun_discovery.h"

namespace linegate::nodes {

using abi::Counter;
using abi::DropReason;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMessageWriter;
using wire::StunMethod;

void ReplyInPlace(PacketBatch& batch, size_t i, ByteView message, NodeContext& context) {
  const wire::FrameView& frame = batch.meta[i].frame;
  ReplyInPlace(batch, i, message, frame.destination, frame.source, context);
}

void ReplyInPlace(PacketBatch& batch, size_t i, ByteView message, const Endpoint& from, const Endpoint& to,
                  NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  if (message.empty() || message.size() > batch.capacity(i)) return context.Drop(meta, DropReason::kNoRoom);
  std::memcpy(meta.payload, message.data(), message.size());
  meta.payload_bytes = uint16_t(message.size());
  wire::FrameHeader header;
  header.source_mac = context.ports[batch.packets[i].port_id]->mac();
  header.destination_mac = meta.frame.source_mac;
  header.source = from;
  header.destination = to;
  header.tagged = meta.frame.tagged;
  header.vlan_tci = meta.frame.vlan_tci;
  const bool internal = context.local_ports.IsOurAddress(header.destination.address);
  batch.SetHeader(i, header, batch.packets[i].port_id, internal);
  meta.ready = true;
}

namespace {

/// Any response to a Binding request without credentials, but those of RFC 5780.
constexpr size_t kPlainResponseBytes = 128;
constexpr size_t kDiscoveryResponseBytes = 1400;

struct BindingRules {
  wire::StunUsage usage = wire::StunUsage::kBase;  ///< attributes that are understood
  const flow::Discovery* discovery = nullptr;
};

void WriteError(StunMessageWriter& writer, const wire::StunUnknownAttributes& unknown) {
  if (unknown.count == 0) return writer.AddErrorCode(400, "Bad Request");
  writer.AddErrorCode(420, "Unknown Attribute");
  writer.AddUnknownAttributes(unknown);
}

template <size_t kBufferBytes>
void Answer(PacketBatch& batch, size_t i, const wire::StunMessageView& request, const BindingRules& rules,
            NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  std::array<uint8_t, kBufferBytes> buffer;
  const wire::StunUnknownAttributes unknown = request.UnknownRequired(rules.usage);
  std::optional<DiscoveryReply> discovery;
  if (rules.discovery != nullptr)
    discovery = ReadDiscovery(request, meta.frame.destination, meta.frame.source, *rules.discovery);
  const bool refused = unknown.count != 0 || (rules.discovery != nullptr && !discovery);
  if (refused && !context.stun_errors.Take(context.now_ns))
    return context.Drop(meta, DropReason::kRateLimited);
  StunMessageWriter writer(buffer, refused ? StunClass::kError : StunClass::kSuccess, StunMethod::kBinding,
                           request.transaction_id());
  if (refused) {
    WriteError(writer, unknown);
  } else {
    writer.AddXorAddress(StunAttribute::kXorMappedAddress, meta.frame.source);
    if (discovery) AddDiscovery(writer, *discovery);
  }
  if (request.has_fingerprint()) writer.AddFingerprint();
  context.Count(refused ? Counter::kStunErrorsSent : Counter::kStunBindingsAnswered);
  if (refused || !discovery) return ReplyInPlace(batch, i, writer.Finish(), context);
  const Endpoint to{meta.frame.source.address, discovery->destination_port};
  ReplyInPlace(batch, i, writer.Finish(), discovery->source, to, context);
}

/// A request that may be answered; false: it was dropped.
bool MayAnswer(PacketMeta& meta, const wire::StunMessageView& request, NodeContext& context) {
  DropReason reason = DropReason::kNone;
  if (request.method() != StunMethod::kBinding) {
    reason = DropReason::kBadStun;
  } else if (request.message_class() != StunClass::kRequest) {
    reason = DropReason::kStunUnsolicited;
  } else if (!context.turn.sources.Take(meta.frame.source.address, context.now_ns)) {
    reason = DropReason::kRateLimited;
  }
  if (reason == DropReason::kNone) return true;
  context.Drop(meta, reason);
  return false;
}

}  // namespace

void AnswerPlainBinding(PacketBatch& batch, size_t i, const wire::StunMessageView& request,
                        NodeContext& context) {
  if (MayAnswer(batch.meta[i], request, context)) Answer<kPlainResponseBytes>(batch, i, request, {}, context);
}

void AnswerListenerBinding(PacketBatch& batch, size_t i, const wire::StunMessageView& request,
                           NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  if (!MayAnswer(meta, request, context)) return;
  flow::LocalPort listener;
  BindingRules rules;
  if (context.local_ports.Find(meta.frame.destination, listener)) rules.discovery = listener.discovery;
  uint8_t usage = listener.kind == flow::LocalPortKind::kTurnListener ? uint8_t(wire::StunUsage::kTurn) : 0;
  if (rules.discovery != nullptr) usage |= uint8_t(wire::StunUsage::kDiscovery);
  rules.usage = wire::StunUsage(usage);
  if (rules.discovery == nullptr) return Answer<kPlainResponseBytes>(batch, i, request, rules, context);
  Answer<kDiscoveryResponseBytes>(batch, i, request, rules, context);
}

void StunListener(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kStunListener)) {
    const auto message = wire::StunMessageView::Parse(batch.meta[i].payload_view());
    if (!message) {
      context.Drop(batch.meta[i], DropReason::kBadStun);
      continue;
    }
    AnswerListenerBinding(batch, i, *message, context);
  }
}

}  // namespace linegate::nodes
