#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/settings/settings.h"

namespace linegate::session {

/// RTP/RTCP port pairs of one realm: even RTP, the next port RTCP (RFC 3550 section 11). Theory of operation:
/// the realm's range is split between workers (RtpShareOf), because a port belongs to one worker (design D4).
/// A released pair rests for kQuarantine, so that late packets of the last call do not enter the next one;
/// pairs are used in the order in which they came free. Exhaustion is an answer (nullopt), never a wait.
class MediaPortPool {
 public:
  static constexpr Duration kQuarantine = std::chrono::seconds(5);

  MediaPortPool() = default;
  MediaPortPool(settings::PortRange range, uint16_t workers);

  /// The even port of a free pair of `worker`, or nullopt.
  std::optional<uint16_t> Acquire(uint16_t worker, TimePoint now);
  /// Pre: `rtp_port` came from Acquire(worker).
  void Release(uint16_t worker, uint16_t rtp_port, TimePoint now);
  /// For a pair that no packet was ever let in on: it needs no rest, or who fails to call often enough
  /// would have every pair resting.
  void ReleaseUnused(uint16_t worker, uint16_t rtp_port);
  size_t in_use() const { return in_use_; }

 private:
  struct FreePair {
    uint16_t rtp_port;
    TimePoint usable_at;
  };
  std::vector<std::deque<FreePair>> free_;  ///< by worker, oldest first
  size_t in_use_ = 0;
};

}  // namespace linegate::session
