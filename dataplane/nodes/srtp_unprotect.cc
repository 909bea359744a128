#include "dataplane/nodes/flow_accounting.h"
#include "dataplane/nodes/ice_paths.h"
#include "dataplane/nodes/job_burst.h"
#include "dataplane/nodes/media_receive.h"
#include "dataplane/wire/rtcp_packet.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {
namespace {

using abi::DropReason;
using srtp::CryptoJob;
using srtp::JobStatus;
using srtp::PacketKind;
using srtp::ReplayVerdict;

abi::ReceiveSource* FindSource(abi::FlowSlot& slot, uint32_t ssrc) {
  for (abi::ReceiveSource& source : slot.receive) {
    if (source.used != 0 && source.ssrc == ssrc) return &source;
  }
  return nullptr;
}

bool HasRoom(const abi::FlowSlot& slot) {
  for (const abi::ReceiveSource& source : slot.receive) {
    if (source.used == 0) return true;
  }
  return false;
}

abi::ReceiveSource* AddSource(abi::FlowSlot& slot, uint32_t ssrc) {
  for (abi::ReceiveSource& source : slot.receive) {
    if (source.used != 0) continue;
    source = {};
    source.ssrc = ssrc;
    abi::StoreBarrier();
    source.used = 1;
    return &source;
  }
  return nullptr;
}

DropReason ReasonOf(ReplayVerdict verdict) {
  return verdict == ReplayVerdict::kTooOld ? DropReason::kTooOld : DropReason::kReplayed;
}

void Fill(PacketBatch& batch, size_t i, JobBurst& burst, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  abi::FlowSlot& slot = context.slots[meta.flow];
  const FlowRuntime& runtime = context.runtime[meta.flow];
  if (runtime.receive_context == nullptr) return context.Drop(meta, DropReason::kNoReceiveKey);
  CryptoJob job;
  if (meta.component == 0) {
    const auto header = wire::RtpHeaderView::ParseHeader(meta.payload_view());
    if (!header) return context.Drop(meta, DropReason::kBadRtp);
    job.kind = PacketKind::kRtp;
    job.header_bytes = uint32_t(header->header_bytes());
    job.ssrc = header->ssrc();
    job.index = header->sequence_number();
    meta.rtp_header_bytes = uint16_t(header->header_bytes());
  } else {
    const auto prefix = wire::RtcpPrefix::Parse(meta.payload_view());
    if (!prefix) return context.Drop(meta, DropReason::kBadRtcp);
    job.kind = PacketKind::kRtcp;
    job.header_bytes = wire::kRtcpMinPacketBytes;
    job.ssrc = prefix->sender_ssrc;
  }
  const abi::ReceiveSource* source = FindSource(slot, job.ssrc);
  if (source == nullptr && !HasRoom(slot)) return context.Drop(meta, DropReason::kTooManySsrcs);
  if (source != nullptr && job.kind == PacketKind::kRtp) {
    job.index = srtp::EstimateReceivedIndex(source->rtp, uint16_t(job.index));
    const ReplayVerdict verdict = source->rtp.Check(job.index);
    if (verdict != ReplayVerdict::kFresh) return context.Drop(meta, ReasonOf(verdict));
  }
  job.context = runtime.receive_context.get();
  job.packet = meta.payload;
  job.length = meta.payload_bytes;
  job.capacity = uint32_t(batch.capacity(i));
  burst.Add(i, job);
}

/// The tag was good: only now anything is remembered.
void Accept(PacketBatch& batch, size_t i, const CryptoJob& job, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  abi::FlowSlot& slot = context.slots[meta.flow];
  abi::ReceiveSource* source = FindSource(slot, job.ssrc);
  if (source == nullptr) source = AddSource(slot, job.ssrc);
  if (source == nullptr) return context.Drop(meta, DropReason::kTooManySsrcs);
  // Again: a copy may stand earlier in this burst, and an SRTCP index is known only now.
  auto& window = job.kind == PacketKind::kRtp ? source->rtp : source->rtcp;
  const ReplayVerdict verdict = window.Check(job.index);
  if (verdict != ReplayVerdict::kFresh) return context.Drop(meta, ReasonOf(verdict));
  window.Record(job.index);
  abi::StoreBarrier();
  context.Count(abi::Counter::kUnprotectedPkts);
  meta.payload_bytes = uint16_t(job.length);
  OnAuthenticatedMedia(meta.flow, meta.path, context);
  if (meta.component == 0) {
    const auto header = wire::RtpHeaderView::Parse(meta.payload_view());
    if (!header) return context.Drop(meta, DropReason::kBadRtp);  // padding, visible only now
    RecordRtp(meta, *header, context);
  } else {
    if (!wire::RtcpCompoundView::Parse(meta.payload_view(), wire::RtcpForm::kCompound)) {
      return context.Drop(meta, DropReason::kBadRtcp);
    }
    RecordRtcp(meta, context);
  }
  batch.clear.Add(i);
}

void Retire(PacketBatch& batch, const JobBurst& burst, NodeContext& context) {
  for (size_t j = 0; j < burst.count; ++j) {
    PacketMeta& meta = batch.meta[burst.positions[j]];
    switch (burst.jobs[j].status) {
      case JobStatus::kDone:
        Accept(batch, burst.positions[j], burst.jobs[j], context);
        break;
      case JobStatus::kMalformed:
        context.Drop(meta, DropReason::kPlainRtpOnSrtpLeg);
        break;
      case JobStatus::kPending:
      case JobStatus::kBadTag:
      case JobStatus::kNoRoom:
        context.Drop(meta, DropReason::kBadTag);
        break;
      case JobStatus::kRefused:
        context.Drop(meta, DropReason::kTooManySsrcs);
        break;
    }
  }
}

}  // namespace

void SrtpUnprotect(PacketBatch& batch, NodeContext& context) {
  if (batch.on(Route::kSrtp).count + batch.on(Route::kSrtcp).count == 0) return;
  JobBurst burst;
  for (const uint8_t i : batch.on(Route::kSrtp)) Fill(batch, i, burst, context);
  for (const uint8_t i : batch.on(Route::kSrtcp)) Fill(batch, i, burst, context);
  if (burst.count == 0) return;
  context.transform.Unprotect(burst.span());
  Retire(batch, burst, context);
}

}  // namespace linegate::nodes
