#include "controlplane/session/media_port_pool.h"

#include "dataplane/base/check.h"

namespace linegate::session {

MediaPortPool::MediaPortPool(settings::PortRange range, uint16_t workers) : free_(workers) {
  for (uint16_t worker = 0; worker < workers; ++worker) {
    const settings::PortRange share = settings::RtpShareOf(range, worker, workers);
    if (share.empty()) continue;
    for (uint32_t port = share.first; port < share.last; port += 2) {
      free_[worker].push_back({uint16_t(port), TimePoint::min()});
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

void MediaPortPool::ReleaseUnused(uint16_t worker, uint16_t rtp_port) {
  LG_ASSERT(worker < free_.size() && in_use_ > 0);
  free_[worker].push_front({rtp_port, TimePoint::min()});
  --in_use_;
}

}  // namespace linegate::session
