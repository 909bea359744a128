// Cycles per packet of a whole worker turn without the cipher and without port I/O (goal: at most 150): bursts of 32
// G.711 packets of as many calls as the argument says, in place, from a port that gives the same buffers again and again.
#include <algorithm>
#include <optional>
#include <vector>

#include "perf/bench/dataplane/worker/worker_gateway.h"
#include "perf/bench/measured_section.h"

namespace linegate::bench {
namespace {

void Measure(benchmark::State& state, LoopPort Gateway::*in, LoopPort Gateway::*out,
             std::vector<std::vector<uint8_t>> Gateway::*frames) {
  const auto calls = size_t(state.range(0));
  Site site(1);
  Gateway gateway(site, 0, calls);
  MeasuredSection section;
  const uint64_t before = (gateway.*out).sent();
  uint64_t bursts = 0;
  std::vector<uint64_t> samples;
  samples.reserve(1 << 20);
  for (auto _ : state) {
    const uint64_t packet = bursts++ * io::kMaxBurst;
    (gateway.*in).Load(gateway.*frames, packet % calls, uint16_t(packet / calls + 1));
    section.Run(state, io::kMaxBurst, [&] {
      const uint64_t begin = __rdtsc();
      gateway.Turn();
      if (samples.size() < samples.capacity()) samples.push_back(__rdtsc() - begin);
    });
  }
  // A shared machine interrupts some bursts; the median does not see them.
  std::nth_element(samples.begin(), samples.begin() + long(samples.size() / 2), samples.end());
  state.counters["median_cycles_per_packet"] = double(samples[samples.size() / 2]) / double(io::kMaxBurst);
  section.Report(state);
  if ((gateway.*out).sent() - before != bursts * io::kMaxBurst)
    state.SkipWithError("not every packet was forwarded");
}

void BM_WorkerRtpToSrtp(benchmark::State& state) {
  Measure(state, &Gateway::inside, &Gateway::outside, &Gateway::from_phones);
}
void BM_WorkerSrtpToRtp(benchmark::State& state) {
  Measure(state, &Gateway::outside, &Gateway::inside, &Gateway::from_browsers);
}
BENCHMARK(BM_WorkerRtpToSrtp)
    ->Name("BM_WorkerRtpToSrtp/32/160")
    ->Arg(32)
    ->Arg(1024)
    ->Arg(4096)
    ->UseManualTime();
BENCHMARK(BM_WorkerSrtpToRtp)
    ->Name("BM_WorkerSrtpToRtp/32/160")
    ->Arg(32)
    ->Arg(1024)
    ->Arg(4096)
    ->UseManualTime();

}  // namespace
}  // namespace linegate::bench
