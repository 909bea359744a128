#pragma once
#include <algorithm>
#include <cstdint>

namespace linegate::nodes {

/// A rate and how much at once, as the generic cell rate algorithm has it: the state of one gate is the time at which
/// everything that passed would be paid for. A token bucket without a division or a floating-point number.
struct RateLimit {
  uint64_t interval_ns = 0;  ///< price of one; 0: no limit
  uint64_t credit_ns = 0;    ///< how far ahead of now a gate may be

  /// Pre: burst > 0 unless per_second is 0.
  static constexpr RateLimit PerSecond(uint32_t per_second, uint32_t burst) {
    if (per_second == 0) return {};
    const uint64_t interval = 1'000'000'000 / per_second;
    return {interval, interval * (burst - 1)};
  }
  bool Take(uint64_t& paid_until_ns, uint64_t now_ns) const {
    if (interval_ns == 0) return true;
    const uint64_t from = std::max(paid_until_ns, now_ns);
    if (from - now_ns > credit_ns) return false;
    paid_until_ns = from + interval_ns;
    return true;
  }
};

/// The same for bytes; a packet of any size passes while less than `kCredit` is owed.
class ByteRate {
 public:
  ByteRate() = default;
  /// 0: no limit.
  explicit ByteRate(uint32_t bytes_per_second)
      : price_(bytes_per_second == 0 ? 0 : (uint64_t{1'000'000'000} << kShift) / bytes_per_second) {}
  bool Take(uint64_t bytes, uint64_t now_ns) {
    if (price_ == 0) return true;
    const uint64_t from = std::max(paid_until_ns_, now_ns);
    if (from - now_ns > kCreditNs) return false;
    paid_until_ns_ = from + ((bytes * price_) >> kShift);
    return true;
  }

 private:
  static constexpr uint64_t kCreditNs = 250'000'000;  // a quarter of a second at once
  static constexpr int kShift = 16;                   // 65,507 bytes at 1 byte/s still fit 64 bits
  uint64_t price_ = 0;                                ///< nanoseconds per byte, 16 bits of fraction
  uint64_t paid_until_ns_ = 0;
};

}  // namespace linegate::nodes
