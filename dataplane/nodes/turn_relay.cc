#include "dataplane/nodes/turn_relay.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/abi/punt_record.h"
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
  Endpoint destination;
  ByteView data;
  bool dont_fragment = false;  ///< DONT-FRAGMENT was asked for
};

/// How a packet leaves.
struct Departure {
  wire::FrameHeader header;
  uint16_t port_id = 0;
  bool internal = false;  ///< to one of our own addresses
};

size_t FamilyIndex(uint8_t family) { return family == 4 ? 0 : 1; }

DropReason ReadChannelData(uint32_t relay, ByteView message, ToPeer& out, NodeContext& context) {
  const auto view = wire::ChannelDataView::Parse(message);
  if (!view) return DropReason::kRelayBadChannelData;
  const uint32_t entry = context.turn.runtime[relay].FindChannel(view->channel);
  if (entry == RelayRuntime::kNone) return DropReason::kRelayNoChannel;
  out.peer = &context.turn.slots[relay].peers[entry];
  out.destination = out.peer->wire.ToEndpoint();
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
  out.destination = {out.peer->wire.ToEndpoint().address, peer->port};
  out.data = *data;
  out.dont_fragment = message->Has(StunAttribute::kDontFragment);
  return DropReason::kNone;
}

DropReason ReadFromClient(uint32_t relay, ByteView message, ToPeer& out, NodeContext& context) {
  const bool channel_data = !message.empty() && (message[0] & 0xc0) == 0x40;
  return channel_data ? ReadChannelData(relay, message, out, context)
                      : ReadSendIndication(relay, message, out, context);
}

/// Everything in front of the payload but what is copied from the packet that carried it.
DropReason Address(const SocketAddress& source, const Endpoint& destination, const abi::NextHop& next_hop,
                   Departure& out, const NodeContext& context) {
  wire::FrameHeader& header = out.header;
  header.source = source.ToEndpoint();
  header.destination = destination;
  flow::LocalPort own;
  out.internal = context.local_ports.IsOurAddress(destination.address);
  if (out.internal) {
    out.port_id = context.local_ports.Find(destination, own) ? own.port_id : 0;
  } else if (next_hop.known != 0 && next_hop.port_id < context.ports.size()) {
    out.port_id = next_hop.port_id;
  } else {
    return DropReason::kNoNextHop;
  }
  header.source_mac = context.ports[out.port_id]->mac();
  std::copy_n(next_hop.mac, sizeof next_hop.mac, header.destination_mac.bytes.begin());
  header.tagged = next_hop.vlan != 0;
  header.vlan_tci = next_hop.vlan;
  return DropReason::kNone;
}

void SetDontFragment(bool dont_fragment, wire::FrameHeader& header, NodeContext& context) {
  header.dont_fragment = dont_fragment;
  if (!dont_fragment) header.identification = ++context.turn.identification;
}

/// Copies what RFC 8656 section 14 wants copied. False: the hop limit is used up.
bool CopyIpFields(const wire::FrameView& from, size_t payload_bytes, wire::FrameHeader& header,
                  NodeContext& context) {
  if (from.hop_limit <= 1) return false;
  header.hop_limit = uint8_t(from.hop_limit - 1);
  header.dscp = from.traffic_class >> 2;
  header.ecn = from.traffic_class & 3;
  const size_t ipv4_bytes = wire::kIpv4MinHeaderBytes + wire::kUdpHeaderBytes + payload_bytes;
  const bool dont_fragment =
      from.family() == IpFamily::kIpv4 ? from.dont_fragment : ipv4_bytes > kLargestUnfragmentedBytes;
  SetDontFragment(dont_fragment, header, context);
  return true;
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

DropReason AddressToPeer(uint32_t relay, const ToPeer& message, Departure& out, NodeContext& context) {
  const SocketAddress& relayed =
      context.turn.slots[relay].config.relayed[FamilyIndex(message.peer->wire.family)];
  if (relayed.family != message.peer->wire.family) return DropReason::kRelayFamily;
  const DropReason reason = Address(relayed, message.destination, message.peer->next_hop, out, context);
  if (reason != DropReason::kNone) return reason;
  const bool allowed = context.turn.runtime[relay].to_peer.Take(message.data.size(), context.now_ns);
  return allowed ? DropReason::kNone : DropReason::kRelayBandwidth;
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
  const abi::RelayConfig& config = context.turn.slots[meta.relay].config;
  const size_t data_bytes = meta.payload_bytes;
  const size_t room_below = size_t(meta.payload - (packet.data - packet.headroom));
  if (room_below < prefix.bytes() + wire::kMaxFrameHeaderBytes ||
      batch.capacity(i) < data_bytes + prefix.padding(data_bytes)) {
    return context.Drop(meta, DropReason::kNoRoom);
  }
  Departure out;
  const DropReason reason =
      Address(config.client_local, config.client_remote.ToEndpoint(), config.client_next_hop, out, context);
  if (reason != DropReason::kNone) return context.Drop(meta, reason);
  const size_t message_bytes = prefix.bytes() + data_bytes + prefix.padding(data_bytes);
  if (!CopyIpFields(meta.frame, message_bytes, out.header, context))
    return context.Drop(meta, DropReason::kRelayHopLimit);
  batch.SetHeader(i, out.header, out.port_id, out.internal);
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
  if (reason == DropReason::kNone) reason = AddressToPeer(relay, message, out, context);
  if (reason != DropReason::kNone) return reason;
  SetDontFragment(message.dont_fragment, out.header, context);
  reason = TransmitCopy(message.data, out.header, out.port_id, context);
  if (reason == DropReason::kNone) CountToPeer(relay, message.data.size(), context);
  return reason;
}

}  // namespace

void RelayFromClient(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  ToPeer message;
  Departure out;
  DropReason reason = ReadFromClient(meta.relay, meta.payload_view(), message, context);
  if (reason == DropReason::kNone) reason = AddressToPeer(meta.relay, message, out, context);
  if (reason != DropReason::kNone) return context.Drop(meta, reason);
  if (!CopyIpFields(meta.frame, message.data.size(), out.header, context))
    return context.Drop(meta, DropReason::kRelayHopLimit);
  if (message.dont_fragment) SetDontFragment(true, out.header, context);
  batch.SetHeader(i, out.header, out.port_id, out.internal);
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
