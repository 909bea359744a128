#include "dataplane/nodes/turn_relay.h"

#include <array>
#include <cstring>

#include "dataplane/abi/punt_record.h"
#include "dataplane/nodes/relay_targets.h"
#include "dataplane/nodes/transmit.h"
#include "dataplane/wire/turn_channel_data.h"
#include "dataplane/wire/turn_data_indication.h"

namespace linegate::nodes {
namespace {

using abi::Counter;
using abi::DropReason;
using abi::SocketAddress;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMethod;

constexpr size_t kLargestUnfragmentedBytes = 1260;  // RFC 7915 section 5.1

/// One message of a client, understood.
struct ToPeer {
  const abi::RelayPeer* peer = nullptr;
  const RelayTarget* target = nullptr;  ///< headers that stand ready; null: to `port` of the peer
  uint16_t port = 0;
  ByteView data;
  bool dont_fragment = false;  ///< DONT-FRAGMENT was asked for
};

DropReason ReadChannelData(uint32_t relay, ByteView message, ToPeer& out, NodeContext& context) {
  const auto view = wire::ChannelDataView::Parse(message);
  if (!view) return DropReason::kRelayBadChannelData;
  const uint32_t entry = context.turn.runtime[relay].FindChannel(view->channel);
  if (entry == RelayRuntime::kNone) return DropReason::kRelayNoChannel;
  out.peer = &context.turn.slots[relay].peers[entry];
  out.target = &context.turn.targets[relay].peers[entry];
  out.port = LoadBe16(out.peer->wire.port);
  out.data = view->data;
  return DropReason::kNone;
}

DropReason ReadSendIndication(uint32_t relay, ByteView bytes, ToPeer& out, NodeContext& context) {
  const auto message = wire::StunMessageView::Parse(bytes);
  if (!message) return DropReason::kBadStun;
  const bool send =
      message->message_class() == StunClass::kIndication && message->method() == StunMethod::kSend;
  if (!send || message->UnknownRequired(wire::StunUsage::kTurn).count != 0)
    return DropReason::kRelayBadIndication;
  const auto peer = message->FindXorAddress(StunAttribute::kXorPeerAddress);
  const auto data = message->Find(StunAttribute::kData);
  if (!peer || !data || peer->port == 0) return DropReason::kRelayBadIndication;
  const abi::RelaySlot& slot = context.turn.slots[relay];
  const uint32_t entry = context.turn.runtime[relay].FindShown(SocketAddress::From(*peer), slot);
  if (entry == RelayRuntime::kNone) return DropReason::kRelayNoPermission;
  out.peer = &slot.peers[entry];
  out.port = peer->port;
  out.data = *data;
  out.dont_fragment = message->Has(StunAttribute::kDontFragment);
  return DropReason::kNone;
}

DropReason ReadFromClient(uint32_t relay, ByteView message, ToPeer& out, NodeContext& context) {
  const bool channel_data = !message.empty() && (message[0] & 0xc0) == 0x40;
  return channel_data ? ReadChannelData(relay, message, out, context)
                      : ReadSendIndication(relay, message, out, context);
}

void SetDontFragment(bool dont_fragment, wire::IpFields& fields, NodeContext& context) {
  fields.dont_fragment = dont_fragment;
  fields.identification = dont_fragment ? 0 : ++context.turn.identification;
}

/// Copies what RFC 8656 section 14 wants copied. False: the hop limit is used up.
bool CopyIpFields(const wire::FrameView& from, size_t payload_bytes, wire::IpFields& fields,
                  NodeContext& context) {
  if (from.hop_limit <= 1) return false;
  fields.hop_limit = uint8_t(from.hop_limit - 1);
  fields.traffic_class = from.traffic_class;
  const size_t ipv4_bytes = wire::kIpv4MinHeaderBytes + wire::kUdpHeaderBytes + payload_bytes;
  const bool dont_fragment =
      from.family() == IpFamily::kIpv4 ? from.dont_fragment : ipv4_bytes > kLargestUnfragmentedBytes;
  SetDontFragment(dont_fragment, fields, context);
  return true;
}

/// Headers for one packet whose IP fields are `meta.ip`.
void SetOpenHeader(PacketBatch& batch, size_t i, const Departure& out) {
  PacketMeta& meta = batch.meta[i];
  batch.own_headers[i] = wire::FrameTemplate::Open(out.header);
  meta.out = &batch.own_headers[i];
  meta.out_port = out.port_id;
  meta.internal = out.internal;
  meta.open = true;
}

void UseTarget(PacketMeta& meta, const RelayTarget& target) {
  meta.out = &target.headers;
  meta.out_port = target.port_id;
  meta.internal = target.internal;
  meta.open = true;
}

void CountToPeer(uint32_t relay, size_t bytes, NodeContext& context) {
  abi::RelayStats& stats = context.turn.stats[relay];
  ++stats.to_peer_pkts;
  stats.to_peer_bytes += bytes;
  stats.last_relayed_ns = context.now_ns;
  context.Count(Counter::kRelayedToPeerPkts);
  context.tally.counters[size_t(Counter::kRelayedToPeerBytes)] += bytes;
}

void CountToClient(uint32_t relay, size_t bytes, NodeContext& context) {
  abi::RelayStats& stats = context.turn.stats[relay];
  ++stats.to_client_pkts;
  stats.to_client_bytes += bytes;
  stats.last_relayed_ns = context.now_ns;
  context.Count(Counter::kRelayedToClientPkts);
  context.tally.counters[size_t(Counter::kRelayedToClientBytes)] += bytes;
}

DropReason Address(uint32_t relay, const ToPeer& message, Departure& out, const NodeContext& context) {
  const Endpoint destination{message.peer->wire.ToEndpoint().address, message.port};
  return AddressToPeer(relay, *message.peer, destination, out, context);
}

bool TakeBandwidth(uint32_t relay, const ToPeer& message, NodeContext& context) {
  return context.turn.runtime[relay].to_peer.Take(message.data.size(), context.now_ns);
}

/// What stands in front of the data of packet `i`. kNone: it can go.
DropReason SetHeaderToPeer(PacketBatch& batch, size_t i, const ToPeer& message, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  if (message.target != nullptr && message.target->known) [[likely]] {
    UseTarget(meta, *message.target);
    return DropReason::kNone;
  }
  Departure out;
  const DropReason reason = Address(meta.relay, message, out, context);
  if (reason == DropReason::kNone) SetOpenHeader(batch, i, out);
  return reason;
}

/// The bytes in front of application data that its client shall read: a ChannelData header or a Data indication.
struct ClientPrefix {
  uint16_t channel = 0;  ///< 0: Data indication
  Endpoint peer;         ///< as the client names it

  size_t bytes() const {
    return channel != 0 ? wire::kChannelDataHeaderBytes
                        : wire::DataIndicationHeaderBytes(peer.address.family());
  }
  size_t padding(size_t data_bytes) const {
    return channel != 0 ? 0 : wire::DataIndicationPadding(data_bytes);
  }
  /// Pre: bytes() below `data` and padding() behind it are writable.
  void Write(uint8_t* data, size_t data_bytes, PrfStream& random) const {
    if (channel != 0) {
      return wire::WriteChannelDataHeader(
          std::span<uint8_t, wire::kChannelDataHeaderBytes>(data - wire::kChannelDataHeaderBytes,
                                                            wire::kChannelDataHeaderBytes),
          channel, data_bytes);
    }
    std::array<uint8_t, wire::kStunTransactionIdBytes> transaction_id;
    random.Fill(transaction_id);
    wire::WriteDataIndication(data, data_bytes, peer, transaction_id);
  }
};

/// False: nobody permitted that peer.
bool FindPrefix(const PacketMeta& meta, ClientPrefix& prefix, const NodeContext& context) {
  const abi::RelaySlot& slot = context.turn.slots[meta.relay];
  const RelayRuntime& runtime = context.turn.runtime[meta.relay];
  const SocketAddress source = SocketAddress::From(meta.frame.source);
  uint32_t entry = runtime.FindChannelOf(source, slot);
  if (entry != RelayRuntime::kNone) {
    prefix.channel = slot.peers[entry].channel;
    return true;
  }
  entry = runtime.FindWire(source, slot);
  if (entry == RelayRuntime::kNone) return false;
  prefix.peer = {slot.peers[entry].shown.ToEndpoint().address, meta.frame.source.port};
  return true;
}

/// To a stream client: the whole message into the punt ring.
[[gnu::noinline]] void PuntToClient(PacketMeta& meta, const ClientPrefix& prefix, NodeContext& context) {
  const size_t data_bytes = meta.payload_bytes;
  const size_t message_bytes = prefix.bytes() + data_bytes + prefix.padding(data_bytes);
  if (message_bytes > abi::kPuntPayloadMax) return context.Drop(meta, DropReason::kRelayOversize);
  const abi::RelayPuntRecord record{context.turn.slots.RefOf(meta.relay), uint32_t(message_bytes)};
  MutableByteView room = context.punts.TryClaim(uint32_t(abi::PuntKind::kRelayToClient),
                                                uint32_t(sizeof record + message_bytes));
  if (room.data() == nullptr) return context.Drop(meta, DropReason::kPuntRingFull);
  std::memcpy(room.data(), &record, sizeof record);
  uint8_t* const data = room.data() + sizeof record + prefix.bytes();
  if (data_bytes != 0) std::memcpy(data, meta.payload, data_bytes);
  prefix.Write(data, data_bytes, context.random);
  context.punts.Commit();
  CountToClient(meta.relay, data_bytes, context);
  meta.verdict = Verdict::kPunt;
}

void SendToClient(PacketBatch& batch, size_t i, const ClientPrefix& prefix, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const io::Packet& packet = batch.packets[i];
  const size_t data_bytes = meta.payload_bytes;
  const size_t room_below = size_t(meta.payload - (packet.data - packet.headroom));
  if (room_below < prefix.bytes() + wire::kMaxFrameHeaderBytes ||
      batch.capacity(i) < data_bytes + prefix.padding(data_bytes)) {
    return context.Drop(meta, DropReason::kNoRoom);
  }
  const RelayTarget& target = context.turn.targets[meta.relay].client;
  if (!target.known) return context.Drop(meta, DropReason::kNoNextHop);
  const size_t message_bytes = prefix.bytes() + data_bytes + prefix.padding(data_bytes);
  if (!CopyIpFields(meta.frame, message_bytes, meta.ip, context))
    return context.Drop(meta, DropReason::kRelayHopLimit);
  UseTarget(meta, target);
  prefix.Write(meta.payload, data_bytes, context.random);
  meta.payload -= prefix.bytes();
  meta.payload_bytes = uint16_t(message_bytes);
  meta.ready = true;
  CountToClient(meta.relay, data_bytes, context);
}

void FromPeer(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  ClientPrefix prefix;
  if (!FindPrefix(meta, prefix, context)) return context.Drop(meta, DropReason::kRelayNoPermission);
  if (!context.turn.runtime[meta.relay].to_client.Take(meta.payload_bytes, context.now_ns))
    return context.Drop(meta, DropReason::kRelayBandwidth);
  if (context.turn.slots[meta.relay].config.transport == abi::ClientTransport::kStream)
    return PuntToClient(meta, prefix, context);
  SendToClient(batch, i, prefix, context);
}

DropReason TryInjectFromClient(ByteView bytes, uint32_t& relay, NodeContext& context) {
  abi::RelayInjectRecord record;
  if (bytes.size() < sizeof record) return DropReason::kInjectRefused;
  std::memcpy(static_cast<void*>(&record), bytes.data(), sizeof record);
  const ByteView payload = bytes.subspan(sizeof record);
  const abi::RelaySlot* slot = context.turn.slots.Live(record.relay);
  if (payload.size() != record.payload_bytes || payload.size() > abi::kPuntPayloadMax || slot == nullptr ||
      slot->config.transport != abi::ClientTransport::kStream) {
    return DropReason::kInjectRefused;
  }
  relay = record.relay.index;
  ToPeer message;
  Departure out;
  DropReason reason = ReadFromClient(relay, payload, message, context);
  if (reason == DropReason::kNone) reason = Address(relay, message, out, context);
  if (reason != DropReason::kNone) return reason;
  if (!TakeBandwidth(relay, message, context)) return DropReason::kRelayBandwidth;
  // Nothing carried it here whose fields could be copied.
  out.header.dont_fragment = message.dont_fragment;
  if (!message.dont_fragment) out.header.identification = ++context.turn.identification;
  reason = TransmitCopy(message.data, out.header, out.port_id, context);
  if (reason == DropReason::kNone) CountToPeer(relay, message.data.size(), context);
  return reason;
}

}  // namespace

void RelayFromClient(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  ToPeer message;
  DropReason reason = ReadFromClient(meta.relay, meta.payload_view(), message, context);
  if (reason == DropReason::kNone) reason = SetHeaderToPeer(batch, i, message, context);
  if (reason != DropReason::kNone) return context.Drop(meta, reason);
  if (!TakeBandwidth(meta.relay, message, context)) return context.Drop(meta, DropReason::kRelayBandwidth);
  if (!CopyIpFields(meta.frame, message.data.size(), meta.ip, context))
    return context.Drop(meta, DropReason::kRelayHopLimit);
  if (message.dont_fragment) SetDontFragment(true, meta.ip, context);
  meta.payload += message.data.data() - meta.payload;
  meta.payload_bytes = uint16_t(message.data.size());
  meta.ready = true;
  CountToPeer(meta.relay, message.data.size(), context);
}

void RelayFromPeers(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kRelay)) FromPeer(batch, i, context);
}

void InjectFromRelayClient(ByteView record, NodeContext& context) {
  uint32_t relay = flow::kNoRelay;
  const DropReason reason = TryInjectFromClient(record, relay, context);
  if (reason == DropReason::kNone) return context.Count(Counter::kInjectedPkts);
  PacketMeta meta;
  meta.relay = relay;
  context.Drop(meta, reason);
}

}  // namespace linegate::nodes
