// Makes a worker slower from outside, to show that perf/compare.py notices: loaded before libc (perf/run.sh --handicap), it
// takes LINEGATE_SLOW_CYCLES (TSC) longer for each look at the clock, and a worker looks once in a turn.
#include <dlfcn.h>
#include <immintrin.h>
#include <time.h>

#include <cstdint>
#include <cstdlib>

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

uint64_t CyclesFromEnvironment() {
  const char* text = std::getenv("LINEGATE_SLOW_CYCLES");
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto next = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  static const uint64_t cycles = CyclesFromEnvironment();
  const int result = next(clock, time);
  for (const uint64_t begin = __rdtsc(); __rdtsc() - begin < cycles;) {
  }
  return result;
}
