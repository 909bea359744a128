#include "dataplane/nodes/media_forward.h"

#include "dataplane/nodes/flow_accounting.h"
#include "dataplane/nodes/reflect.h"
#include "dataplane/nodes/rtcp_renumber.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {
namespace {

using abi::Counter;
using abi::DropReason;
using abi::FlowService;

/// The payload of a caller's packet gives way to the tone; its length is the clock. False: not audio of that
/// codec.
bool MakeTone(PacketMeta& meta, const abi::FlowConfig& config, uint32_t timestamp) {
  const uint8_t payload_type = meta.payload[1] & 0x7f;
  if (payload_type != config.tone_payload || meta.payload_bytes == meta.rtp_header_bytes) return false;
  meta.payload[0] &= uint8_t(~0x20);  // padding, if there was any, is overwritten, too
  FillTone(meta.mutable_payload().subspan(meta.rtp_header_bytes), payload_type, timestamp);
  return true;
}

/// Sends to the component's target, through the cipher if that leg is encrypted.
void Dispatch(PacketBatch& batch, size_t i, const FlowRuntime& flow, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const EgressTarget& target = flow.egress[meta.component];
  if (!target.known) return context.Drop(meta, DropReason::kNoRemote);
  if (!target.next_hop_known) return context.Drop(meta, DropReason::kNoNextHop);
  meta.out = &target.headers;
  meta.out_port = target.port_id;
  meta.internal = target.internal;
  if (flow.encrypted_egress) {
    batch.protect.Add(i);
    return;
  }
  meta.ready = true;
  RecordSent(meta, context);
}

void ForwardRtp(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  FlowRuntime& flow = context.runtime[meta.flow];
  const uint8_t mapped = flow.MapPayloadType(meta.payload[1] & 0x7f, context.slots[meta.flow].config);
  if (mapped == FlowRuntime::kNotMapped) return context.Drop(meta, DropReason::kPayloadTypeUnknown);
  if (!flow.send_rtp) return context.Drop(meta, DropReason::kMediaDisabled);
  if (flow.service != FlowService::kRelay) [[unlikely]] {
    abi::FlowSlot& slot = context.slots[meta.flow];
    const uint32_t caller_timestamp = LoadBe32(meta.payload + 4);
    if (slot.config.service == FlowService::kTone && !MakeTone(meta, slot.config, caller_timestamp)) {
      meta.verdict = Verdict::kConsumed;
      return;
    }
    Reflect(meta.mutable_payload(), slot.config.own_ssrc, slot.reflect, context.random);
  }
  wire::RtpHeaderEditor(meta.mutable_payload()).set_payload_type(mapped);
  Dispatch(batch, i, flow, context);
}

void ForwardRtcp(PacketBatch& batch, size_t i, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const FlowRuntime& flow = context.runtime[meta.flow];
  if (flow.service != FlowService::kRelay) {
    meta.verdict = Verdict::kConsumed;  // design D12: RTCP is not reflected
    return;
  }
  if (!flow.send_rtcp) return context.Drop(meta, DropReason::kMediaDisabled);
  const abi::FlowSlot& slot = context.slots[meta.flow];
  if (flow.encrypted_ingress && AnyRenumbered(slot.transmit.sources)) [[unlikely]] {
    TranslateReports(meta.mutable_payload(), slot.transmit.sources);
  }
  Dispatch(batch, i, flow, context);
}

}  // namespace

void MediaForward(PacketBatch& batch, NodeContext& context) {
  for (const uint8_t i : batch.clear) {
    batch.meta[i].component == 0 ? ForwardRtp(batch, i, context) : ForwardRtcp(batch, i, context);
  }
}

}  // namespace linegate::nodes
