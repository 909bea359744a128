#pragma once
#include <cstdint>

#include "dataplane/abi/counters.h"
#include "dataplane/wire/rtp_header.h"

namespace linegate::nodes {

/// Now, in ticks of the two clocks of audio, modulo 2^32: taken once per turn.
struct MediaClock {
  uint32_t ticks_8k = 0;
  uint32_t ticks_48k = 0;
  static MediaClock At(uint64_t now_ns);
  /// RFC 3551 table 4: static payload types of audio run at 8 kHz; a dynamic one is taken for Opus.
  uint32_t TicksOf(uint8_t payload_type) const { return payload_type < 96 ? ticks_8k : ticks_48k; }
};

/// Loss and jitter of an incoming stream (RFC 3550 appendices A.1, A.3 and A.8), for FlowStats. A change of
/// SSRC begins a new stream whose losses are added to those before. Private to the worker: a restart begins a
/// new stream, too.
class StreamStats {
 public:
  void Record(const wire::RtpHeaderView& header, const MediaClock& clock, abi::FlowStats& stats);

 private:
  void Begin(const wire::RtpHeaderView& header);
  uint64_t lost() const;

  bool started_ = false;
  uint8_t clock_payload_ = 0;  ///< payload type that `transit_` belongs to
  uint32_t ssrc_ = 0;
  uint64_t base_ = 0;     ///< extended sequence number of the first packet
  uint64_t highest_ = 0;  ///< extended
  uint64_t received_ = 0;
  uint32_t lost_before_ = 0;
  uint32_t transit_ = 0;
  uint32_t jitter_scaled_ = 0;  ///< 16 times the jitter
};
static_assert(sizeof(StreamStats) == 48);

}  // namespace linegate::nodes
