#include "dataplane/nodes/classify.h"

#include <optional>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/demux.h"
#include "dataplane/wire/ip_header.h"

namespace linegate::nodes {
namespace {

using abi::DropReason;
using flow::LocalPort;
using flow::LocalPortKind;
using wire::FrameError;
using wire::PayloadClass;

DropReason ReasonOf(FrameError error) {
  switch (error) {
    case FrameError::kNone:
      break;
    case FrameError::kTruncated:
      return DropReason::kTruncated;
    case FrameError::kNotIp:
      return DropReason::kNotIp;
    case FrameError::kBadIpHeader:
      return DropReason::kBadIpHeader;
    case FrameError::kBadIpChecksum:
      return DropReason::kBadIpHeader;
    case FrameError::kBadAddress:
      return DropReason::kBadAddress;
    case FrameError::kTtlZero:
      return DropReason::kTtlZero;
    case FrameError::kFragment:
      return DropReason::kFragment;
    case FrameError::kNotUdp:
      return DropReason::kNotUdp;
    case FrameError::kBadLength:
      return DropReason::kBadLength;
    case FrameError::kTooManyExtensions:
      return DropReason::kTooManyExtensions;
  }
  return DropReason::kNone;
}

/// A checksum field that holds only the folded pseudo header sum: the kernel left the rest to hardware that a
/// veth pair does not have (CHECKSUM_PARTIAL). Such a packet never crossed a wire, so nothing can have
/// damaged it.
[[gnu::noinline]] bool ChecksumIsUnfinished(ByteView frame, const wire::FrameView& view) {
  wire::ChecksumAccumulator sum;
  sum.Add(view.source.address.bytes());
  sum.Add(view.destination.address.bytes());
  sum.AddU16(wire::kIpProtocolUdp);
  sum.AddU16(view.udp_bytes);
  return LoadBe16(frame.data() + view.udp_offset + 6) == uint16_t(~sum.Finish());
}

bool ChecksumIsAcceptable(const io::Packet& packet, const wire::FrameView& view) {
  if (packet.rx_checksum != io::RxChecksum::kUnknown) return true;
  return wire::UdpChecksumValid(packet.bytes(), view) ||
         (!view.udp_checksum_absent && ChecksumIsUnfinished(packet.bytes(), view));
}

/// All legs of a worker share this port: STUN by its user name, everything else by the validated remote
/// address.
void ClassifyWebRtc(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const PayloadClass payload_class = wire::ClassifyPayload(meta.payload_view());
  if (payload_class == PayloadClass::kStun) return batch.SetRoute(i, Route::kStunLeg);
  if (payload_class == PayloadClass::kUnknown || payload_class == PayloadClass::kTurnChannel) {
    return context.Drop(meta, DropReason::kUnknownProtocol);
  }
  const flow::PathMatch match =
      context.table.FindPath(meta.frame.destination, meta.frame.source, meta.lookup);
  if (match.flow == flow::kNoFlow) return context.Drop(meta, DropReason::kUnvalidatedSource);
  meta.flow = match.flow;
  meta.path = match.path;
  if (payload_class == PayloadClass::kDtls) return batch.SetRoute(i, Route::kDtls);
  meta.component = payload_class == PayloadClass::kRtcp ? 1 : 0;
  batch.SetRoute(i, meta.component == 1 ? Route::kSrtcp : Route::kSrtp);
}

/// A port of a pair is RTP or RTCP; the first bytes only decide where both share a port (RFC 5761 section 4).
void ClassifyRtp(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const flow::PortMatch match = context.table.FindPort(meta.lookup);
  if (match.flow == flow::kNoFlow) return context.Drop(meta, DropReason::kNoFlow);
  meta.flow = match.flow;
  meta.component = match.component;
  if (context.runtime[match.flow].rtcp_mux &&
      wire::ClassifyPayload(meta.payload_view()) == PayloadClass::kRtcp) {
    meta.component = 1;
  }
  if (context.runtime[match.flow].encrypted_ingress)
    return batch.SetRoute(i, meta.component == 1 ? Route::kSrtcp : Route::kSrtp);
  batch.SetRoute(i, meta.component == 1 ? Route::kRtcp : Route::kRtp);
}

/// A relayed transport address: what its allocation makes of the packet is decided by who sent it.
void ClassifyRelay(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  meta.relay = context.turn.table.FindPort(abi::SocketAddress::From(meta.frame.destination), meta.lookup);
  if (meta.relay == flow::kNoRelay) return context.Drop(meta, DropReason::kNoFlow);
  batch.SetRoute(i, Route::kRelay);
}

void ClassifyStunListener(PacketBatch& batch, size_t i, NodeContext& context) {
  if (wire::ClassifyPayload(batch.meta[i].payload_view()) != PayloadClass::kStun)
    return context.Drop(batch.meta[i], DropReason::kUnknownProtocol);
  batch.SetRoute(i, Route::kStunListener);
}

/// The 5-tuple tells the allocation; what has none may become one.
void ClassifyTurnListener(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  // No DTLS and no SRTP comes here, so all of RFC 5766's channels are told by their first two bits.
  const ByteView payload = meta.payload_view();
  const bool channel_data = !payload.empty() && (payload[0] & 0xc0) == 0x40;
  if (!channel_data && wire::ClassifyPayload(payload) != PayloadClass::kStun)
    return context.Drop(meta, DropReason::kUnknownProtocol);
  meta.relay = context.turn.table.FindClient(abi::SocketAddress::From(meta.frame.destination),
                                             abi::SocketAddress::From(meta.frame.source), meta.lookup);
  batch.SetRoute(i, Route::kTurnListener);
}

/// Served by every worker.
bool IsListener(LocalPortKind kind) {
  return kind == LocalPortKind::kStunListener || kind == LocalPortKind::kTurnListener;
}

/// The table entry that names the flow or the allocation is on its way into the cache afterwards.
void PrefetchEntry(PacketMeta& meta, NodeContext& context) {
  switch (meta.local_kind) {
    case LocalPortKind::kStunListener:
      return;
    case LocalPortKind::kTurnListener:
      meta.lookup = context.turn.table.HashOf(abi::SocketAddress::From(meta.frame.destination),
                                              abi::SocketAddress::From(meta.frame.source));
      return context.turn.table.PrefetchClient(meta.lookup);
    case LocalPortKind::kWebRtc:
      meta.lookup = context.table.HashOf(meta.frame.destination, meta.frame.source);
      return context.table.PrefetchPath(meta.lookup);
    case LocalPortKind::kRtp:
      return context.table.PrefetchPort(meta.lookup);
    case LocalPortKind::kRelay:
      meta.lookup = context.turn.table.HashOf(abi::SocketAddress::From(meta.frame.destination));
      return context.turn.table.PrefetchPort(meta.lookup);
  }
}

/// First look: is it of the kind that KnownFlows knows?
void Recognise(const io::Packet& packet, PacketMeta& meta, const NodeContext& context) {
  if (meta.hops != 0 || !wire::PlainUdp::Parse(packet.bytes(), meta.plain)) return;
  meta.tuple_hash = context.known_flows.HashOf(meta.plain.tuple);
  context.known_flows.Prefetch(meta.tuple_hash);
}

/// A packet that looks like media of a known flow; `meta.flow` names it from here on. Looped packets take the long way.
bool GuessFlow(const io::Packet& packet, PacketMeta& meta, const NodeContext& context) {
  if (meta.plain.udp_bytes == 0) return false;
  const uint32_t flow = context.known_flows.Guess(meta.tuple_hash);
  if (flow == flow::kNoFlow) return false;
  meta.flow = flow;
  meta.guessed = true;
  meta.payload = packet.data + wire::PlainUdp::kPayloadOffset;
  meta.payload_bytes = uint16_t(meta.plain.udp_bytes - wire::kUdpHeaderBytes);
  return true;
}

/// Which kind of media a packet of `flow` carries that came from where its media comes from; nothing else comes back.
std::optional<Route> MediaRoute(const PacketMeta& meta, const FlowRuntime& flow, uint8_t& component) {
  component = 0;
  if (flow.known.path != abi::kNoPath || flow.rtcp_mux) {
    const PayloadClass payload_class = wire::ClassifyPayload(meta.payload_view());
    if (payload_class == PayloadClass::kRtcp) component = 1;
    if (component == 0 && payload_class != PayloadClass::kRtp && flow.known.path != abi::kNoPath) return {};
  }
  if (flow.encrypted_ingress) return component == 1 ? Route::kSrtcp : Route::kSrtp;
  return component == 1 ? Route::kRtcp : Route::kRtp;
}

/// False: the guess was wrong, or the packet is not plain media.
bool ConfirmGuess(PacketBatch& batch, size_t i, NodeContext& context) {
  io::Packet& packet = batch.packets[i];
  PacketMeta& meta = batch.meta[i];
  const FlowRuntime& flow = context.runtime[meta.flow];
  if (!(flow.known.tuple == meta.plain.tuple) || flow.known.port_id != packet.port_id) return false;
  const auto route = MediaRoute(meta, flow, meta.component);
  if (!route) return false;
  if (packet.rx_checksum == io::RxChecksum::kUnknown &&
      !wire::PlainUdp::ChecksumMatches(packet.bytes(), meta.plain))
    return false;
  meta.known_source = true;
  meta.path = flow.known.path;
  meta.local_kind = meta.path == abi::kNoPath ? LocalPortKind::kRtp : LocalPortKind::kWebRtc;
  batch.SetRoute(i, *route);
  return true;
}

/// Everything up to the look-up of the flow or the allocation.
void ParseOne(PacketBatch& batch, size_t i, NodeContext& context) {
  io::Packet& packet = batch.packets[i];
  PacketMeta& meta = batch.meta[i];
  const FrameError error = wire::ParseFrame(packet.bytes(), meta.frame);
  if (error != FrameError::kNone) [[unlikely]]
    return context.Drop(meta, ReasonOf(error));
  LocalPort local;
  if (!context.local_ports.Find(meta.frame.destination, local))
    return context.Drop(meta, DropReason::kNoFlow);
  if (meta.hops == 0) {
    // RFC 1122 section 3.3.4.2, strong host model: nothing crosses from one side to an address of the other,
    // and what claims to come from ourselves did not.
    // Relayed addresses are reached from every side: who may is the allocation's permissions.
    const bool wrong_side = packet.port_id != local.port_id && local.kind != LocalPortKind::kRelay;
    if (wrong_side || context.local_ports.IsOurAddress(meta.frame.source.address)) [[unlikely]] {
      return context.Drop(meta, DropReason::kBadSource);
    }
    if (!ChecksumIsAcceptable(packet, meta.frame)) [[unlikely]]
      return context.Drop(meta, DropReason::kBadChecksum);
    packet.rx_checksum = io::RxChecksum::kGood;  // the worker that owns the flow does not look again
  }
  meta.payload = packet.data + meta.frame.payload_offset;
  meta.payload_bytes = meta.frame.payload_bytes;
  meta.local_kind = local.kind;
  meta.lookup = local.rtp_index;  // of others: PrefetchEntry
  if (!IsListener(local.kind) && local.owner != context.worker) {
    meta.verdict = Verdict::kHandOver;
    meta.owner = local.owner;
    return;
  }
  PrefetchEntry(meta, context);
}

/// Brings what the nodes will touch of an allocation into the cache.
void PrefetchRelay(const PacketMeta& meta, NodeContext& context) {
  const flow::RelayTable& table = context.turn.table;
  const bool client = meta.local_kind == LocalPortKind::kTurnListener;
  const uint32_t relay = client ? table.ClientCandidate(meta.lookup) : table.PortCandidate(meta.lookup);
  if (relay == flow::kNoRelay) return;
  const abi::RelaySlot& slot = context.turn.slots[relay];
  const RelayRuntime& runtime = context.turn.runtime[relay];
  __builtin_prefetch(&slot.life);
  __builtin_prefetch(slot.config.relayed);
  __builtin_prefetch(&slot.peers[0]);
  client ? __builtin_prefetch(runtime.channels) : __builtin_prefetch(runtime.endpoints);
  const RelayTargets& targets = context.turn.targets[relay];
  __builtin_prefetch(client ? &targets.peers[0] : &targets.client);
  __builtin_prefetch(&runtime.used, 1);
  __builtin_prefetch(&context.turn.stats[relay], 1);
}

/// Brings what the nodes will touch of a flow into the cache, the key of its table entry among it.
void PrefetchFlow(uint32_t flow, bool webrtc, NodeContext& context) {
  const abi::FlowSlot& slot = context.slots[flow];
  const FlowRuntime& runtime = context.runtime[flow];
  if (webrtc) {
    __builtin_prefetch(&slot.ice.paths[0], 1);
    __builtin_prefetch(&slot.receive[0], 1);
  }
  for (size_t line = 0; line < FlowRuntime::kHotLines; ++line) {
    __builtin_prefetch(reinterpret_cast<const uint8_t*>(&runtime) + 64 * line, 1);
  }
  __builtin_prefetch(&context.stats[flow], 1);
}

void PrefetchState(const PacketMeta& meta, NodeContext& context) {
  if (meta.verdict != Verdict::kForward) return;
  switch (meta.local_kind) {
    case LocalPortKind::kStunListener:
      return;
    case LocalPortKind::kWebRtc:
    case LocalPortKind::kRtp: {
      const bool webrtc = meta.local_kind == LocalPortKind::kWebRtc;
      const uint32_t flow =
          webrtc ? context.table.PathCandidate(meta.lookup) : context.table.FindPort(meta.lookup).flow;
      if (flow == flow::kNoFlow) return;
      if (webrtc) __builtin_prefetch(&context.slots[flow].config);
      return PrefetchFlow(flow, webrtc, context);
    }
    case LocalPortKind::kTurnListener:
    case LocalPortKind::kRelay:
      return PrefetchRelay(meta, context);
  }
}

void RouteOne(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  if (meta.verdict != Verdict::kForward) return;
  switch (meta.local_kind) {
    case LocalPortKind::kStunListener:
      return ClassifyStunListener(batch, i, context);
    case LocalPortKind::kTurnListener:
      return ClassifyTurnListener(batch, i, context);
    case LocalPortKind::kWebRtc:
      return ClassifyWebRtc(batch, i, context);
    case LocalPortKind::kRtp:
      return ClassifyRtp(batch, i, context);
    case LocalPortKind::kRelay:
      return ClassifyRelay(batch, i, context);
  }
}

}  // namespace

void Classify(PacketBatch& batch, NodeContext& context) {
  for (size_t i = 0; i < batch.count; ++i) __builtin_prefetch(batch.packets[i].data);
  for (size_t i = 0; i < batch.count; ++i) Recognise(batch.packets[i], batch.meta[i], context);
  for (size_t i = 0; i < batch.count; ++i) {
    if (GuessFlow(batch.packets[i], batch.meta[i], context)) [[likely]] {
      // Which kind it is stands in what is being fetched; a browser's needs more.
      PrefetchFlow(batch.meta[i].flow, true, context);
    } else {
      ParseOne(batch, i, context);
    }
  }
  for (size_t i = 0; i < batch.count; ++i) {
    if (!batch.meta[i].guessed) PrefetchState(batch.meta[i], context);
  }
  uint64_t known = 0;
  for (size_t i = 0; i < batch.count; ++i) {
    PacketMeta& meta = batch.meta[i];
    if (meta.guessed) {
      if (ConfirmGuess(batch, i, context)) [[likely]] {
        ++known;
        continue;
      }
      meta.flow = flow::kNoFlow;
      meta.component = 0;
      ParseOne(batch, i, context);
    }
    RouteOne(batch, i, context);
  }
  context.tally.counters[size_t(abi::Counter::kKnownSourcePkts)] += known;
}

}  // namespace linegate::nodes
