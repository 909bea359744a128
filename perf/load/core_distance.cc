// linegate-core-distance A B: cycles (TSC) that a word takes from core A to core B and back, the median of many.
//
// A virtual machine's cores move about on the host: side by side in one cache at one time, on two dies or sockets at
// another, and everything that two cores exchange costs several times as much then (perf/README.md). Nothing else may run
// on the two cores meanwhile.
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace linegate::load {
namespace {

constexpr uint32_t kRounds = 100'000;

bool PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

struct Words {
  alignas(128) std::atomic<uint32_t> there{0};
  alignas(128) std::atomic<uint32_t> back{0};
};

int Main(int argc, char** argv) {
  int cores[2] = {-1, -1};
  for (int i = 1; i < argc && i < 3; ++i)
    std::from_chars(argv[i], argv[i] + std::strlen(argv[i]), cores[i - 1]);
  if (cores[0] < 0 || cores[1] < 0 || cores[0] == cores[1])
    return std::fprintf(stderr, "linegate-core-distance CORE CORE\n"), 2;
  if (!PinTo(cores[1]) || !PinTo(cores[0]))
    return std::fprintf(stderr, "linegate-core-distance: no such core\n"), 1;
  Words words;
  std::thread mirror([&words, core = cores[1]] {
    (void)PinTo(core);
    for (uint32_t round = 1; round <= kRounds; ++round) {
      while (words.there.load(std::memory_order_acquire) != round) {
      }
      words.back.store(round, std::memory_order_release);
    }
  });
  std::vector<uint64_t> cycles;
  cycles.reserve(kRounds);
  for (uint32_t round = 1; round <= kRounds; ++round) {
    const uint64_t begin = __rdtsc();
    words.there.store(round, std::memory_order_release);
    while (words.back.load(std::memory_order_acquire) != round) {
    }
    cycles.push_back(__rdtsc() - begin);
  }
  mirror.join();
  std::ranges::nth_element(cycles, cycles.begin() + kRounds / 2);
  std::printf("%llu\n", static_cast<unsigned long long>(cycles[kRounds / 2]));
  return 0;
}

}  // namespace
}  // namespace linegate::load

int main(int argc, char** argv) { return linegate::load::Main(argc, argv); }
