#pragma once
#include <chrono>
#include <cstdint>

namespace linegate {

/// Monotonic time of this boot, in nanoseconds. Protocol code takes it as a parameter and never reads a clock.
struct MonotonicClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;
using Duration = MonotonicClock::duration;

/// CLOCK_MONOTONIC; shared by both processes, so timestamps in shared memory compare.
inline TimePoint MonotonicNow() {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}
constexpr uint64_t ToNanoseconds(TimePoint t) { return uint64_t(t.time_since_epoch().count()); }
constexpr TimePoint FromNanoseconds(uint64_t ns) { return TimePoint(Duration(int64_t(ns))); }

}  // namespace linegate
