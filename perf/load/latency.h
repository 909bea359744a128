#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace linegate::load {

/// Latencies in TSC cycles, counted in buckets that are at most 1.6 % wide. No memory but its own.
class LatencyHistogram {
 public:
  void Add(uint64_t cycles) {
    ++counts_[BucketOf(cycles)];
    ++total_;
    if (cycles > max_) max_ = cycles;
  }
  void Add(const LatencyHistogram& other) {
    for (size_t bucket = 0; bucket < counts_.size(); ++bucket) counts_[bucket] += other.counts_[bucket];
    total_ += other.total_;
    if (other.max_ > max_) max_ = other.max_;
  }
  /// Upper bound of the bucket that holds the `fraction` quantile; 0 when empty.
  uint64_t Quantile(double fraction) const {
    uint64_t left = uint64_t(double(total_) * fraction);
    for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      if (counts_[bucket] > left) return UpperBound(bucket) < max_ ? UpperBound(bucket) : max_;
      left -= counts_[bucket];
    }
    return max_;
  }
  uint64_t max() const { return max_; }
  uint64_t total() const { return total_; }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr uint64_t kSubBuckets = 1u << kSubBits;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) * kSubBuckets;
  /// Exact below 64; above, the six bits behind the leading one choose the bucket.
  static constexpr size_t BucketOf(uint64_t value) {
    if (value < kSubBuckets) return size_t(value);
    const unsigned shift = 63u - unsigned(std::countl_zero(value)) - kSubBits;
    return size_t((shift + 1) * kSubBuckets + (value >> shift) - kSubBuckets);
  }
  static constexpr uint64_t UpperBound(size_t bucket) {
    if (bucket < kSubBuckets) return bucket;
    const uint64_t shift = bucket / kSubBuckets - 1;
    return ((bucket % kSubBuckets + kSubBuckets + 1) << shift) - 1;
  }
  std::array<uint64_t, kBuckets> counts_ = {};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace linegate::load
