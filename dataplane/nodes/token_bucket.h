#pragma once
#include <algorithm>
#include <cstdint>

namespace linegate::nodes {

/// At most `burst` at once and `per_second` in the long run.
class TokenBucket {
 public:
  constexpr TokenBucket(uint32_t per_second, uint32_t burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}
  bool Take(uint64_t now_ns) {
    if (now_ns > filled_ns_) {
      const double gained = double(now_ns - filled_ns_) * 1e-9 * per_second_;
      tokens_ = std::min(double(burst_), tokens_ + gained);
      filled_ns_ = now_ns;
    }
    if (tokens_ < 1.0) return false;
    tokens_ -= 1.0;
    return true;
  }

 private:
  uint32_t per_second_;
  uint32_t burst_;
  double tokens_;
  uint64_t filled_ns_ = 0;
};

}  // namespace linegate::nodes
