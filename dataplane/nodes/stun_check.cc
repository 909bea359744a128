#include "dataplane/nodes/stun_check.h"

#include <algorithm>
#include <array>

#include "dataplane/nodes/ice_paths.h"
#include "dataplane/nodes/stun_reply.h"

namespace linegate::nodes {
namespace {

using abi::Counter;
using abi::DropReason;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMessageView;
using wire::StunMessageWriter;
using wire::StunMethod;

struct StunFailure {
  uint16_t code;
  std::string_view reason;
  DropReason drop;  ///< when no response may be sent
};
constexpr StunFailure kBadRequest{400, "Bad Request", DropReason::kBadStun};
constexpr StunFailure kUnknownUser{401, "Unauthenticated", DropReason::kStunUnknownUser};
constexpr StunFailure kBadIntegrity{401, "Unauthenticated", DropReason::kStunBadIntegrity};
constexpr StunFailure kUnknownAttribute{420, "Unknown Attribute", DropReason::kBadStun};
constexpr StunFailure kRoleConflict{487, "Role Conflict", DropReason::kIceRoleConflict};

ByteView LocalPassword(const abi::IceCredentials& set) {
  return AsBytes({set.local_pwd, abi::kLocalPwdLength});
}

/// Responses to authenticated requests are signed (RFC 8489 section 9.1.4); `password` empty: the request was
/// not.
void Refuse(PacketBatch& batch, size_t i, const StunMessageView& request, const StunFailure& failure,
            ByteView password, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const bool leg_allows =
      meta.flow == flow::kNoFlow || context.runtime[meta.flow].stun_errors.Take(context.now_ns);
  if (!leg_allows || !context.stun_errors.Take(context.now_ns)) return context.Drop(meta, failure.drop);
  std::array<uint8_t, 160> buffer;
  StunMessageWriter writer(buffer, StunClass::kError, StunMethod::kBinding, request.transaction_id());
  writer.AddErrorCode(failure.code, failure.reason);
  if (failure.code == 420) writer.AddUnknownAttributes(request.UnknownRequired(wire::StunUsage::kIce));
  if (!password.empty()) writer.AddMessageIntegrity(context.hmac, password);
  writer.AddFingerprint();
  context.Count(Counter::kStunErrorsSent);
  ReplyInPlace(batch, i, writer.Finish(), context);
}

void Answer(PacketBatch& batch, size_t i, const StunMessageView& request, ByteView password,
            NodeContext& context) {
  std::array<uint8_t, 128> buffer;
  StunMessageWriter writer(buffer, StunClass::kSuccess, StunMethod::kBinding, request.transaction_id());
  writer.AddXorAddress(StunAttribute::kXorMappedAddress, batch.meta[i].frame.source);
  writer.AddMessageIntegrity(context.hmac, password);
  writer.AddFingerprint();
  context.Count(Counter::kStunChecksAnswered);
  ReplyInPlace(batch, i, writer.Finish(), context);
}

VerifiedCheck CheckOf(const PacketBatch& batch, size_t i, const abi::FlowSlot& slot, uint32_t credential_set,
                      const StunMessageView& request) {
  const PacketMeta& meta = batch.meta[i];
  VerifiedCheck check;
  check.local_index = slot.config.ingress.local[0].ToEndpoint() == meta.frame.destination ? 0 : 1;
  check.remote = abi::SocketAddress::From(meta.frame.source);
  check.next_hop.port_id = batch.packets[i].port_id;
  check.next_hop.vlan = meta.frame.tagged ? wire::VlanIdOf(meta.frame.vlan_tci) : 0;
  std::ranges::copy(meta.frame.source_mac.bytes, check.next_hop.mac);
  check.next_hop.known = 1;
  check.priority = request.priority().value_or(0);
  check.nomination = request.use_candidate() ? Nomination::kUseCandidate : Nomination::kNone;
  check.credentials = credential_set == 0 ? CredentialAge::kCurrent : CredentialAge::kPrevious;
  return check;
}

/// Pre: USERNAME and MESSAGE-INTEGRITY are there.
void HandleCheck(PacketBatch& batch, size_t i, const StunMessageView& request, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const std::string_view username = request.username().value_or("");
  uint32_t index = 0;
  uint32_t set = 0;
  const abi::FlowSlot* slot = context.slots.FindByUfrag(username.substr(0, username.find(':')), &index, &set);
  const bool ours =
      slot != nullptr && (slot->config.ingress.local[0].ToEndpoint() == meta.frame.destination ||
                          slot->config.ingress.local[1].ToEndpoint() == meta.frame.destination);
  if (!ours) return Refuse(batch, i, request, kUnknownUser, {}, context);
  meta.flow = index;
  const ByteView password = LocalPassword(slot->config.ingress.ice[set]);
  if (!request.VerifyIntegrity(context.hmac, password))
    return Refuse(batch, i, request, kBadIntegrity, {}, context);
  if (request.UnknownRequired(wire::StunUsage::kIce).count != 0) {
    return Refuse(batch, i, request, kUnknownAttribute, password, context);
  }
  if (request.ice_controlled()) return Refuse(batch, i, request, kRoleConflict, password, context);
  if (!OnVerifiedCheck(index, CheckOf(batch, i, *slot, set, request), context)) {
    return context.Drop(meta, DropReason::kAddressInUse);
  }
  Answer(batch, i, request, password, context);
}

/// Success response to our own Binding request: it counts only from the path it was sent to, signed with the
/// peer's password (RFC 8445 section 7.2.5.2.1 demands symmetric addresses).
void HandleResponse(PacketMeta& meta, const StunMessageView& response, NodeContext& context) {
  const flow::PathMatch match = context.table.FindPath(meta.frame.destination, meta.frame.source);
  if (match.flow == flow::kNoFlow ||
      VerifyingPath(match.flow, response.transaction_id(), context) != match.path) {
    return context.Drop(meta, DropReason::kStunUnsolicited);
  }
  meta.flow = match.flow;
  const abi::IceCredentials& ice = context.slots[match.flow].config.ingress.ice[0];
  if (!response.VerifyIntegrity(context.hmac, AsBytes({ice.remote_pwd, ice.remote_pwd_length}))) {
    return context.Drop(meta, DropReason::kStunBadIntegrity);
  }
  if (response.message_class() == StunClass::kSuccess) OnPathProven(match.flow, match.path, context);
  meta.verdict = Verdict::kConsumed;
}

void HandleOne(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const auto message = StunMessageView::Parse(meta.payload_view());
  if (!message || message->method() != StunMethod::kBinding) return context.Drop(meta, DropReason::kBadStun);
  switch (message->message_class()) {
    case StunClass::kIndication:
      return context.Drop(meta, DropReason::kStunUnsolicited);
    case StunClass::kSuccess:
    case StunClass::kError:
      return HandleResponse(meta, *message, context);
    case StunClass::kRequest:
      break;
  }
  const bool has_username = message->username().has_value();
  if (!has_username && !message->has_integrity()) return AnswerPlainBinding(batch, i, *message, context);
  if (!has_username || !message->has_integrity()) return Refuse(batch, i, *message, kBadRequest, {}, context);
  HandleCheck(batch, i, *message, context);
}

}  // namespace

void StunLeg(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kStunLeg)) HandleOne(batch, i, context);
}

}  // namespace linegate::nodes
