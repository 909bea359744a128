#include "dataplane/nodes/punt.h"

#include <algorithm>
#include <cstring>

#include "dataplane/abi/punt_record.h"
#include "dataplane/nodes/transmit.h"
#include "dataplane/wire/dtls_record_peek.h"

namespace linegate::nodes {
namespace {

using abi::Counter;
using abi::DropReason;

void PuntOne(PacketMeta& meta, NodeContext& context) {
  const ByteView payload = meta.payload_view();
  if (!wire::DtlsRecordPeek::Parse(payload)) return context.Drop(meta, DropReason::kUnknownProtocol);
  if (payload.size() > abi::kPuntPayloadMax) return context.Drop(meta, DropReason::kDtlsOversize);
  if (!context.runtime[meta.flow].dtls.Take(context.now_ns))
    return context.Drop(meta, DropReason::kRateLimited);
  const abi::PuntRecord record{context.slots.RefOf(meta.flow),
                               abi::SocketAddress::From(meta.frame.destination),
                               abi::SocketAddress::From(meta.frame.source), uint32_t(payload.size())};
  MutableByteView room =
      context.punts.TryClaim(uint32_t(abi::PuntKind::kDtls), uint32_t(sizeof record + payload.size()));
  if (room.data() == nullptr) return context.Drop(meta, DropReason::kPuntRingFull);
  std::memcpy(room.data(), &record, sizeof record);
  std::memcpy(room.data() + sizeof record, payload.data(), payload.size());
  context.punts.Commit();
  context.Count(Counter::kPuntedPkts);
  meta.verdict = Verdict::kPunt;
}

DropReason TryInject(ByteView bytes, NodeContext& context) {
  abi::InjectRecord record;
  if (bytes.size() < sizeof record) return DropReason::kInjectRefused;
  std::memcpy(&record, bytes.data(), sizeof record);
  const ByteView payload = bytes.subspan(sizeof record);
  if (payload.size() != record.payload_bytes || payload.size() > abi::kPuntPayloadMax)
    return DropReason::kInjectRefused;
  const abi::FlowSlot* slot = context.slots.Live(record.flow);
  if (slot == nullptr) return DropReason::kInjectRefused;
  const Endpoint local = record.local.ToEndpoint();
  const Endpoint remote = record.remote.ToEndpoint();
  const flow::PathMatch match = context.table.FindPath(local, remote);
  if (match.flow != record.flow.index) return DropReason::kInjectRefused;
  const abi::NextHop& next_hop = slot->ice.paths[match.path].next_hop;
  wire::FrameHeader header;
  header.source = local;
  header.destination = remote;
  header.source_mac = context.ports[next_hop.port_id]->mac();
  std::copy_n(next_hop.mac, sizeof next_hop.mac, header.destination_mac.bytes.begin());
  header.tagged = next_hop.vlan != 0;
  header.vlan_tci = next_hop.vlan;
  return TransmitCopy(payload, header, next_hop.port_id, context);
}

}  // namespace

void DtlsPunt(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kDtls)) PuntOne(batch.meta[i], context);
}

void Inject(ByteView record, NodeContext& context) {
  const DropReason reason = TryInject(record, context);
  if (reason == DropReason::kNone) return context.Count(Counter::kInjectedPkts);
  ++context.tally.drops[size_t(reason)];
}

}  // namespace linegate::nodes
