#include "dataplane/nodes/flow_accounting.h"
#include "dataplane/nodes/media_receive.h"
#include "dataplane/nodes/rtp_source.h"
#include "dataplane/wire/rtcp_packet.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {
namespace {

using abi::DropReason;

/// What srtp_protect needs of the leg at the other end.
void PrefetchSendSlot(uint32_t flow, NodeContext& context) {
  const uint32_t reverse = context.runtime[flow].reverse;
  if (reverse == flow::kNoFlow) return;
  __builtin_prefetch(&context.slots[reverse].transmit, 1);
  __builtin_prefetch(&context.runtime[reverse]);
}

void ReceiveOne(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  FlowRuntime& runtime = context.runtime[meta.flow];
  const RtpSource source = RtpSource::Of(meta, runtime);
  if (!source.allowed) return context.Drop(meta, DropReason::kWrongSource);
  if (meta.component == 0) {
    const auto header = wire::RtpHeaderView::Parse(meta.payload_view());
    if (!header) return context.Drop(meta, DropReason::kBadRtp);
    meta.rtp_header_bytes = uint16_t(header->header_bytes());
    RecordRtp(meta, *header, context);
  } else {
    if (!wire::RtcpCompoundView::Parse(meta.payload_view(), wire::RtcpForm::kCompound)) {
      return context.Drop(meta, DropReason::kBadRtcp);
    }
    RecordRtcp(meta, context);
  }
  if (source.learns) [[unlikely]]
    source.Learn(meta, context.slots[meta.flow], runtime);
  RememberTuple(batch, i, abi::kNoPath, context);
  batch.clear.Add(i);
}

}  // namespace

void RtpReceive(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.on(Route::kRtp)) PrefetchSendSlot(batch.meta[i].flow, context);
  for (const uint8_t i : batch.on(Route::kRtp)) ReceiveOne(batch, i, context);
  for (const uint8_t i : batch.on(Route::kRtcp)) ReceiveOne(batch, i, context);
}

}  // namespace linegate::nodes
