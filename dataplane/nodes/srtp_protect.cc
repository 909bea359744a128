#include <algorithm>
#include <span>

#include "dataplane/nodes/flow_accounting.h"
#include "dataplane/nodes/job_burst.h"
#include "dataplane/nodes/media_forward.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {
namespace {

using abi::DropReason;
using srtp::CryptoJob;
using srtp::JobStatus;
using srtp::PacketKind;

/// An entry for a new source: a free one, or that of the source that was quiet longest, which is retired. nullptr: the
/// leg has had more sources under this key than can be remembered.
abi::TransmitSource* MakeRoom(abi::TransmitNumbering& numbering) {
  abi::TransmitSource* oldest = &numbering.sources[0];
  for (abi::TransmitSource& source : numbering.sources) {
    if (source.used == 0) return &source;
    if (uint16_t(numbering.stamp - source.stamp) > uint16_t(numbering.stamp - oldest->stamp))
      oldest = &source;
  }
  if (numbering.retired_count == abi::kRetiredSources) return nullptr;
  numbering.retired[numbering.retired_count] = oldest->ssrc;
  abi::StoreBarrier();
  ++numbering.retired_count;
  abi::StoreBarrier();
  return oldest;
}

/// nullptr: this SSRC must not be encrypted (again) under this key.
abi::TransmitSource* FindOrAddSource(abi::TransmitNumbering& numbering, uint32_t ssrc) {
  for (abi::TransmitSource& source : numbering.sources) {
    if (source.used == 0 || source.ssrc != ssrc) continue;
    if (source.stamp != numbering.stamp) source.stamp = ++numbering.stamp;
    return &source;
  }
  const std::span<const uint32_t> retired(numbering.retired, numbering.retired_count);
  if (std::ranges::find(retired, ssrc) != retired.end()) return nullptr;
  abi::TransmitSource* const source = MakeRoom(numbering);
  if (source == nullptr) return nullptr;
  source->used = 0;
  abi::StoreBarrier();
  *source = {};
  source->ssrc = ssrc;
  source->stamp = ++numbering.stamp;
  abi::StoreBarrier();
  source->used = 1;
  return source;
}

/// Numbers an RTP packet. False: it must not be sent; dropped.
bool NumberRtp(PacketMeta& meta, abi::FlowSlot& keys, CryptoJob& job, NodeContext& context) {
  job.kind = PacketKind::kRtp;
  job.header_bytes = meta.rtp_header_bytes;
  job.ssrc = LoadBe32(meta.payload + 8);
  abi::TransmitSource* source = FindOrAddSource(keys.transmit, job.ssrc);
  if (source == nullptr) {
    context.Drop(meta, DropReason::kTooManySsrcs);
    return false;
  }
  const uint16_t offset_before = source->index.offset;
  const srtp::TransmitDecision decision = source->index.Choose(LoadBe16(meta.payload + 2));
  if (decision.verdict != srtp::TransmitVerdict::kSend) {
    context.Drop(meta, DropReason::kTransmitReplay);
    return false;
  }
  if (source->index.offset != offset_before) context.Count(abi::Counter::kTransmitRenumbered);
  job.index = decision.index;
  wire::RtpHeaderEditor(meta.mutable_payload()).set_sequence_number(decision.sequence_number());
  return true;
}

bool NumberRtcp(PacketMeta& meta, abi::FlowSlot& keys, CryptoJob& job, NodeContext& context) {
  job.kind = PacketKind::kRtcp;
  job.header_bytes = 8;
  job.ssrc = LoadBe32(meta.payload + 4);
  const auto index = keys.transmit.srtcp.Next();
  if (!index) {
    context.Drop(meta, DropReason::kTransmitReplay);
    return false;
  }
  job.index = *index;
  return true;
}

/// `any_mki` is set if the packet's leg has an MKI.
void Fill(PacketBatch& batch, size_t i, JobBurst& burst, bool& any_mki, NodeContext& context) {
  PacketMeta& meta = batch.meta[i];
  const uint32_t holder = SendFlowOf(meta.flow, context.runtime);
  abi::FlowSlot& keys = context.slots[holder];
  srtp::CryptoContext* const cipher = context.runtime[holder].send_context.get();
  if (cipher == nullptr) return context.Drop(meta, DropReason::kNoSendKey);
  CryptoJob& job = burst.next();
  if (!(meta.component == 0 ? NumberRtp(meta, keys, job, context) : NumberRtcp(meta, keys, job, context)))
    return;
  job.context = cipher;
  job.packet = meta.payload;
  job.length = meta.payload_bytes;
  job.capacity = uint32_t(batch.capacity(i));
  if (context.runtime[holder].has_send_mki) [[unlikely]] {
    job.capacity -= std::min(job.capacity, context.runtime[holder].send_mki->bytes());
    any_mki = true;
  }
  burst.Add(i);
}

/// Legs with an MKI are few; a batch without one does not look for them.
[[gnu::noinline]] void InsertMkis(const PacketBatch& batch, JobBurst& burst, const NodeContext& context) {
  for (size_t j = 0; j < burst.count; ++j) {
    CryptoJob& job = burst.jobs[j];
    const uint32_t holder = SendFlowOf(batch.meta[burst.positions[j]].flow, context.runtime);
    const srtp::MkiCodec* mki = context.runtime[holder].send_mki.get();
    if (mki != nullptr && job.status == JobStatus::kDone) mki->Insert(job.packet, job.length, job.kind);
  }
}

}  // namespace

void SrtpProtect(PacketBatch& batch, NodeContext& context) {
  if (batch.protect.count == 0) return;
  JobBurst& burst = batch.jobs;
  burst.Clear();
  bool any_mki = false;
  for (const uint8_t i : batch.protect) Fill(batch, i, burst, any_mki, context);
  if (burst.count == 0) return;
  // Every index chosen above stands in its slot before the first packet is encrypted.
  abi::StoreBarrier();
  context.transform.Protect(burst.span());
  if (any_mki) [[unlikely]]
    InsertMkis(batch, burst, context);
  for (size_t j = 0; j < burst.count; ++j) {
    PacketMeta& meta = batch.meta[burst.positions[j]];
    if (burst.jobs[j].status != JobStatus::kDone) {  // its index is spent
      const bool refused = burst.jobs[j].status == JobStatus::kRefused;
      context.Drop(meta, refused ? DropReason::kTooManySsrcs : DropReason::kNoRoom);
      continue;
    }
    context.Count(abi::Counter::kProtectedPkts);
    meta.payload_bytes = uint16_t(burst.jobs[j].length);
    meta.ready = true;
    RecordSent(meta, context);
  }
}

}  // namespace linegate::nodes
