#include "dataplane/nodes/turn_listener.h"

#include <algorithm>
#include <cstring>

#include "dataplane/abi/punt_record.h"
#include "dataplane/nodes/stun_reply.h"
#include "dataplane/nodes/transmit.h"
#include "dataplane/nodes/turn_relay.h"
#include "dataplane/wire/demux.h"

namespace linegate::nodes {
namespace {

using abi::Counter;
using abi::DropReason;
using abi::SocketAddress;
using wire::StunClass;
using wire::StunMethod;

/// Requests of one allocation: Refresh, and while ICE looks for a pair a CreatePermission or ChannelBind per candidate.
constexpr RateLimit kClientRequests = RateLimit::PerSecond(100, 200);

/// True: the 5-tuple's allocation lives on another worker, which gets the packet.
bool GoesToOwner(PacketMeta& meta, const NodeContext& context) {
  const uint16_t owner = context.turn.directory.OwnerOf(SocketAddress::From(meta.frame.destination),
                                                        SocketAddress::From(meta.frame.source));
  if (owner == context.worker) return false;
  meta.verdict = Verdict::kHandOver;
  meta.owner = owner;
  return true;
}

bool RequestIsAllowed(PacketMeta& meta, NodeContext& context) {
  TurnContext& turn = context.turn;
  if (meta.relay != flow::kNoRelay)
    return kClientRequests.Take(turn.runtime[meta.relay].requests_paid_until_ns, context.now_ns);
  return turn.sources.Take(meta.frame.source.address, context.now_ns) &&
         turn.strangers_limit.Take(turn.strangers_paid_until_ns, context.now_ns);
}

void PuntRequest(const io::Packet& packet, PacketMeta& meta, NodeContext& context) {
  if (!RequestIsAllowed(meta, context)) return context.Drop(meta, DropReason::kRateLimited);
  const ByteView payload = meta.payload_view();
  if (payload.size() > abi::kPuntPayloadMax) return context.Drop(meta, DropReason::kRelayOversize);
  abi::TurnPuntRecord record;
  if (meta.relay != flow::kNoRelay) record.relay = context.turn.slots.RefOf(meta.relay);
  record.local = SocketAddress::From(meta.frame.destination);
  record.remote = SocketAddress::From(meta.frame.source);
  record.reply_hop.port_id = packet.port_id;
  record.reply_hop.vlan = meta.frame.tagged ? wire::VlanIdOf(meta.frame.vlan_tci) : 0;
  std::ranges::copy(meta.frame.source_mac.bytes, record.reply_hop.mac);
  record.reply_hop.known = 1;
  flow::LocalPort listener;
  if (context.local_ports.Find(meta.frame.destination, listener)) record.realm = listener.realm;
  record.payload_bytes = uint32_t(payload.size());
  MutableByteView room =
      context.punts.TryClaim(uint32_t(abi::PuntKind::kTurn), uint32_t(sizeof record + payload.size()));
  if (room.data() == nullptr) return context.Drop(meta, DropReason::kPuntRingFull);
  std::memcpy(room.data(), &record, sizeof record);
  std::memcpy(room.data() + sizeof record, payload.data(), payload.size());
  context.punts.Commit();
  context.Count(Counter::kTurnPuntedPkts);
  meta.verdict = Verdict::kPunt;
}

void HandleStun(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const auto message = wire::StunMessageView::Parse(meta.payload_view());
  if (!message) return context.Drop(meta, DropReason::kBadStun);
  const StunClass message_class = message->message_class();
  if (message->method() == StunMethod::kBinding) return AnswerListenerBinding(batch, i, *message, context);
  if (message_class == StunClass::kSuccess || message_class == StunClass::kError)
    return context.Drop(meta, DropReason::kStunUnsolicited);
  if (meta.relay == flow::kNoRelay && GoesToOwner(meta, context)) return;
  if (message_class == StunClass::kRequest) return PuntRequest(batch.packets[i], meta, context);
  if (meta.relay == flow::kNoRelay) return context.Drop(meta, DropReason::kRelayNoAllocation);
  RelayFromClient(batch, i, context);
}

void HandleOne(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const bool channel_data = (meta.payload[0] & 0xc0) == 0x40;
  if (!channel_data) return HandleStun(batch, i, context);
  if (meta.relay != flow::kNoRelay) [[likely]]
    return RelayFromClient(batch, i, context);
  if (!GoesToOwner(meta, context)) context.Drop(meta, DropReason::kRelayNoAllocation);
}

DropReason TryInject(ByteView bytes, NodeContext& context) {
  abi::ListenerInjectRecord record;
  if (bytes.size() < sizeof record) return DropReason::kInjectRefused;
  std::memcpy(static_cast<void*>(&record), bytes.data(), sizeof record);
  const ByteView payload = bytes.subspan(sizeof record);
  flow::LocalPort listener;
  wire::FrameHeader header;
  header.source = record.local.ToEndpoint();
  header.destination = record.remote.ToEndpoint();
  const bool from_listener = context.local_ports.Find(header.source, listener) &&
                             (listener.kind == flow::LocalPortKind::kTurnListener ||
                              listener.kind == flow::LocalPortKind::kStunListener);
  if (payload.size() != record.payload_bytes || payload.size() > abi::kPuntPayloadMax || !from_listener ||
      header.destination.address.family() != header.source.address.family() || header.destination.port == 0 ||
      record.next_hop.known == 0 || record.next_hop.port_id >= context.ports.size()) {
    return DropReason::kInjectRefused;
  }
  header.source_mac = context.ports[record.next_hop.port_id]->mac();
  std::ranges::copy(record.next_hop.mac, header.destination_mac.bytes.begin());
  header.tagged = record.next_hop.vlan != 0;
  header.vlan_tci = record.next_hop.vlan;
  return TransmitCopy(payload, header, record.next_hop.port_id, context);
}

}  // namespace

void TurnListener(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kTurnListener)) HandleOne(batch, i, context);
}

void InjectFromListener(ByteView record, NodeContext& context) {
  const DropReason reason = TryInject(record, context);
  if (reason == DropReason::kNone) return context.Count(Counter::kInjectedPkts);
  ++context.tally.drops[size_t(reason)];
}

}  // namespace linegate::nodes
