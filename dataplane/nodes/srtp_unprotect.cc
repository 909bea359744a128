#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "dataplane/nodes/flow_accounting.h"
#include "dataplane/nodes/ice_paths.h"
#include "dataplane/nodes/job_burst.h"
#include "dataplane/nodes/media_receive.h"
#include "dataplane/nodes/rtp_source.h"
#include "dataplane/wire/rtcp_packet.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {
namespace {

using abi::DropReason;
using srtp::CryptoJob;
using srtp::JobStatus;
using srtp::PacketKind;
using srtp::ReplayVerdict;
/// What was received under one key.
using Sources = std::span<abi::ReceiveSource, abi::kReceiveSources>;

abi::ReceiveSource* FindSource(Sources sources, uint32_t ssrc) {
  for (abi::ReceiveSource& source : sources) {
    if (source.used != 0 && source.ssrc == ssrc) return &source;
  }
  return nullptr;
}

bool HasRoom(Sources sources) {
  for (const abi::ReceiveSource& source : sources) {
    if (source.used == 0) return true;
  }
  return false;
}

abi::ReceiveSource* AddSource(Sources sources, uint32_t ssrc) {
  for (abi::ReceiveSource& source : sources) {
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

DropReason ReasonOf(JobStatus status) {
  switch (status) {
    case JobStatus::kDone:
      return DropReason::kNone;
    case JobStatus::kMalformed:
      return DropReason::kPlainRtpOnSrtpLeg;
    case JobStatus::kPending:
    case JobStatus::kBadTag:
    case JobStatus::kNoRoom:
      break;
    case JobStatus::kRefused:
      return DropReason::kTooManySsrcs;
  }
  return DropReason::kBadTag;
}

/// Reads the clear part of the packet into `job`, the sequence number as its index. kNone: good.
DropReason ReadHeader(PacketMeta& meta, CryptoJob& job) {
  if (meta.component == 0) {
    const auto header = wire::RtpHeaderView::ParseHeader(meta.payload_view());
    if (!header) return DropReason::kBadRtp;
    job.kind = PacketKind::kRtp;
    job.header_bytes = uint32_t(header->header_bytes());
    job.ssrc = header->ssrc();
    job.index = header->sequence_number();
    meta.rtp_header_bytes = uint16_t(header->header_bytes());
  } else {
    const auto prefix = wire::RtcpPrefix::Parse(meta.payload_view());
    if (!prefix) return DropReason::kBadRtcp;
    job.kind = PacketKind::kRtcp;
    job.index = 0;
    job.header_bytes = wire::kRtcpMinPacketBytes;
    job.ssrc = prefix->sender_ssrc;
  }
  return DropReason::kNone;
}

/// Estimates the index of the packet and asks the window of its source. kNone: may be tried.
DropReason Number(Sources sources, CryptoJob& job) {
  const abi::ReceiveSource* source = FindSource(sources, job.ssrc);
  if (source == nullptr && !HasRoom(sources)) return DropReason::kTooManySsrcs;
  if (source != nullptr && job.kind == PacketKind::kRtp) {
    job.index = srtp::EstimateReceivedIndex(source->rtp, uint16_t(job.index));
    const ReplayVerdict verdict = source->rtp.Check(job.index);
    if (verdict != ReplayVerdict::kFresh) return ReasonOf(verdict);
  }
  return DropReason::kNone;
}

/// The tag was good: only now anything is remembered.
void Accept(PacketBatch& batch, size_t i, const CryptoJob& job, Sources sources, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  abi::ReceiveSource* source = FindSource(sources, job.ssrc);
  if (source == nullptr) source = AddSource(sources, job.ssrc);
  if (source == nullptr) return context.Drop(meta, DropReason::kTooManySsrcs);
  // Again: a copy may stand earlier in this burst, and an SRTCP index is known only now.
  auto& window = job.kind == PacketKind::kRtp ? source->rtp : source->rtcp;
  const ReplayVerdict verdict = window.Check(job.index);
  if (verdict != ReplayVerdict::kFresh) return context.Drop(meta, ReasonOf(verdict));
  window.Record(job.index);
  abi::StoreBarrier();
  context.Count(abi::Counter::kUnprotectedPkts);
  meta.payload_bytes = uint16_t(job.length);
  if (meta.local_kind == flow::LocalPortKind::kWebRtc) {
    OnAuthenticatedMedia(meta.flow, meta.path, context);
    RememberTuple(batch, i, meta.path, context);
  } else {
    abi::FlowSlot& slot = context.slots[meta.flow];
    const RtpSource from = RtpSource::Of(meta, context.runtime[meta.flow]);
    if (from.learns) from.Learn(meta, slot, context.runtime[meta.flow]);
    RememberTuple(batch, i, abi::kNoPath, context);
  }
  if (meta.component == 0) {
    const auto header = wire::RtpHeaderView::ParseDecrypted(meta.payload_view(), job.header_bytes);
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

/// One packet of a leg with ReceiveKeyExtras.
class Trial {
 public:
  Trial(PacketBatch& batch, size_t i, const CryptoJob& job, NodeContext& context)
      : batch_(batch), i_(i), job_(job), context_(context) {}

  void Run() {
    FlowRuntime& runtime = context_.runtime[meta().flow];
    ReceiveKeyExtras& extras = *runtime.receive_extras;
    const bool old_key_is_good = extras.old_context != nullptr && context_.now_ns < extras.old_until_ns;
    if (old_key_is_good) Keep();
    const DropReason reason = Try(*runtime.receive_context, extras.mki, context_.slots[meta().flow].receive);
    if (reason == DropReason::kNone) {
      if (old_key_is_good && !std::exchange(extras.new_key_heard, true)) {
        extras.old_until_ns =
            std::min(extras.old_until_ns, context_.now_ns + ReceiveKeyExtras::kOldKeyGraceNs);
      }
      return;
    }
    if (!old_key_is_good || !kept_) return context_.Drop(meta(), reason);
    Restore();
    if (Try(*extras.old_context, extras.old_mki, extras.old_sources) != DropReason::kNone)
      context_.Drop(meta(), reason);
  }

 private:
  PacketMeta& meta() { return batch_.meta[i_]; }

  /// A failed attempt leaves unspecified bytes behind, so the second one works on a copy.
  void Keep() {
    kept_ = job_.length <= sizeof copy_;
    if (kept_) std::memcpy(copy_, job_.packet, job_.length);
  }
  void Restore() { std::memcpy(job_.packet, copy_, job_.length); }

  /// kNone: it was this key; accepted, or dropped for what stands in it.
  DropReason Try(srtp::CryptoContext& key, const srtp::MkiCodec& mki, Sources sources) {
    CryptoJob job = job_;
    job.context = &key;
    if (mki && !mki.Remove(job.packet, job.length, job.kind)) return DropReason::kUnknownMki;
    if (const DropReason reason = Number(sources, job); reason != DropReason::kNone) return reason;
    context_.transform.Unprotect({&job, 1});
    if (job.status != JobStatus::kDone) return ReasonOf(job.status);
    Accept(batch_, i_, job, sources, context_);
    return DropReason::kNone;
  }

  PacketBatch& batch_;
  const size_t i_;
  const CryptoJob job_;
  NodeContext& context_;
  bool kept_ = false;
  uint8_t copy_[2048];  ///< as long as a frame
};

[[gnu::noinline]] void TryKeys(PacketBatch& batch, size_t i, const CryptoJob& job, NodeContext& context) {
  Trial(batch, i, job, context).Run();
}

void Fill(PacketBatch& batch, size_t i, JobBurst& burst, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const FlowRuntime& runtime = context.runtime[meta.flow];
  if (meta.local_kind == flow::LocalPortKind::kRtp && !RtpSource::Of(meta, runtime).allowed) {
    return context.Drop(meta, DropReason::kWrongSource);
  }
  if (runtime.receive_context == nullptr) return context.Drop(meta, DropReason::kNoReceiveKey);
  CryptoJob& job = burst.next();
  if (const DropReason reason = ReadHeader(meta, job); reason != DropReason::kNone)
    return context.Drop(meta, reason);
  job.context = runtime.receive_context.get();
  job.packet = meta.payload;
  job.length = meta.payload_bytes;
  job.capacity = uint32_t(batch.capacity(i));
  if (runtime.has_receive_extras) [[unlikely]]
    return TryKeys(batch, i, job, context);
  if (const DropReason reason = Number(context.slots[meta.flow].receive, job); reason != DropReason::kNone)
    return context.Drop(meta, reason);
  burst.Add(i);
}

void Retire(PacketBatch& batch, const JobBurst& burst, NodeContext& context) {
  for (size_t j = 0; j < burst.count; ++j) {
    const size_t i = burst.positions[j];
    PacketMeta& meta = batch.meta[i];
    if (burst.jobs[j].status == JobStatus::kDone) {
      Accept(batch, i, burst.jobs[j], context.slots[meta.flow].receive, context);
    } else {
      context.Drop(meta, ReasonOf(burst.jobs[j].status));
    }
  }
}

}  // namespace

void SrtpUnprotect(PacketBatch& batch, NodeContext& context) {
  if (batch.on(Route::kSrtp).count + batch.on(Route::kSrtcp).count == 0) return;
  JobBurst& burst = batch.jobs;
  burst.Clear();
  for (const uint8_t i : batch.on(Route::kSrtp)) Fill(batch, i, burst, context);
  for (const uint8_t i : batch.on(Route::kSrtcp)) Fill(batch, i, burst, context);
  if (burst.count == 0) return;
  context.transform.Unprotect(burst.span());
  Retire(batch, burst, context);
}

}  // namespace linegate::nodes
