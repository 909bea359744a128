#include "controlplane/session/media_port_pool.h"

#include "dataplane/base/check.h"

namespace linegate::session {

MediaPortPool::MediaPortPool(settings::PortRange range, uint16_t workers) : free_(workers) {
  if (range.empty() || workers == 0) return;
  const uint32_t first = (uint32_t(range.first) + 1) & ~1u;
  const uint32_t pairs = range.last > first ? (range.last - first + 1) / 2 : 0;
  const uint32_t pairs_per_worker = pairs / workers;
  for (uint32_t worker = 0; worker < workers; ++worker) {
    for (uint32_t i = 0; i < pairs_per_worker; ++i) {
      free_[worker].push_back({uint16_t(first + 2 * (worker * pairs_per_worker + i)), TimePoint::min()});
    }
  }
}

std::optional<uint16_t> MediaPortPool::Acquire(uint16_t worker, TimePoint now) {
  if (worker >= free_.size() || free_[worker].empty()) return std::nullopt;
  const FreePair pair = free_[worker].front();
  if (pair.usable_at > now) return std::nullopt;
  free_[worker].pop_front();
  ++in_use_;
  return pair.rtp_port;
}

void MediaPortPool::Release(uint16_t worker, uint16_t rtp_port, TimePoint now) {
  LG_ASSERT(worker < free_.size() && in_use_ > 0);
  free_[worker].push_back({rtp_port, now + kQuarantine});
  --in_use_;
}

}  // namespace linegate::session
