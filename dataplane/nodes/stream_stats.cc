#include "dataplane/nodes/stream_stats.h"

#include "dataplane/srtp/packet_index.h"

namespace linegate::nodes {
namespace {

/// `now_ns` in ticks of a media clock, modulo 2^32.
uint32_t Ticks(uint64_t now_ns, uint32_t clock_hz) {
  const uint64_t seconds = now_ns / 1'000'000'000;
  return uint32_t(seconds * clock_hz + now_ns % 1'000'000'000 * clock_hz / 1'000'000'000);
}

}  // namespace

MediaClock MediaClock::At(uint64_t now_ns) { return {Ticks(now_ns, 8000), Ticks(now_ns, 48000)}; }

void StreamStats::Begin(const wire::RtpHeaderView& header) {
  lost_before_ += started_ ? uint32_t(lost()) : 0;
  started_ = true;
  ssrc_ = header.ssrc();
  // One cycle up, so that a packet reordered around the very first one does not count below zero.
  base_ = 0x10000u + header.sequence_number();
  highest_ = base_;
  received_ = 0;
  transit_ = 0;
  clock_payload_ = 0xff;
}

uint64_t StreamStats::lost() const {
  const uint64_t expected = highest_ - base_ + 1;
  return expected > received_ ? expected - received_ : 0;
}

void StreamStats::Record(const wire::RtpHeaderView& header, const MediaClock& clock, abi::FlowStats& stats) {
  if (!started_ || header.ssrc() != ssrc_) Begin(header);
  ++received_;
  if (header.sequence_number() == uint16_t(highest_ + 1)) [[likely]] {
    ++highest_;  // one more expected, one more received: as many lost as before
  } else {
    const uint64_t extended = srtp::EstimatePacketIndex(highest_, header.sequence_number());
    if (extended > highest_) highest_ = extended;
    if (extended < base_) base_ = extended;
    stats.lost_pkts = lost_before_ + lost();
  }

  const uint32_t transit = clock.TicksOf(header.payload_type()) - header.timestamp();
  if (clock_payload_ == header.payload_type()) {
    const auto difference = int32_t(transit - transit_);
    const uint32_t magnitude = difference < 0 ? 0u - uint32_t(difference) : uint32_t(difference);
    jitter_scaled_ += magnitude - ((jitter_scaled_ + 8) >> 4);
  }
  // Telephone events and comfort noise between audio have clocks of their own: a change of type only sets the
  // origin.
  transit_ = transit;
  clock_payload_ = header.payload_type();
  stats.jitter_rtp_ticks = jitter_scaled_ >> 4;
}

}  // namespace linegate::nodes
