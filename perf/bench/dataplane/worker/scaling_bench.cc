// What a second worker beside it costs a worker: two workers of one process, on two cores, with their own calls, without the
// cipher and without port I/O. Each runs alone and both at once, in turns of some milliseconds; `throughput_ratio` is what
// both pass together, in units of what one passes alone (2: neither notices the other). Needs two cores that do nothing else.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "perf/bench/dataplane/worker/worker_gateway.h"
#include "perf/bench/measured_section.h"

namespace linegate::bench {
namespace {

constexpr uint64_t kTurnsPerSlice = 2000;

double MedianOf(std::vector<double>& samples) {
  if (samples.empty()) return 0;
  const auto middle = samples.begin() + long(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

/// A worker on a core of its own, SRTP to RTP.
class Station {
 public:
  Station(Site& site, uint16_t id, size_t calls)
      : gateway_(site, id, calls), calls_(calls), thread_([this, id] { Serve(id); }) {}
  ~Station() {
    order_ = Order::kLeave;
    order_.notify_one();
    thread_.join();
  }
  void Begin() {
    order_ = Order::kRun;
    order_.notify_one();
  }
  /// Cycles per packet of the slice that Begin started: median over its turns.
  double Finish() {
    order_.wait(Order::kRun);
    return cycles_per_packet_;
  }
  uint64_t lost() const { return packets_ - gateway_.inside.sent(); }

 private:
  enum class Order : uint8_t { kWait, kRun, kLeave };

  void Serve(uint16_t core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    std::vector<double> samples;
    for (;;) {
      order_.wait(Order::kWait);
      if (order_ == Order::kLeave) return;
      samples.clear();
      for (uint64_t turn = 0; turn < kTurnsPerSlice; ++turn, packets_ += io::kMaxBurst) {
        gateway_.outside.Load(gateway_.from_browsers, packets_ % calls_, uint16_t(packets_ / calls_ + 1));
        const uint64_t begin = __rdtsc();
        gateway_.Turn();
        samples.push_back(double(__rdtsc() - begin) / double(io::kMaxBurst));
      }
      cycles_per_packet_ = MedianOf(samples);
      order_ = Order::kWait;
      order_.notify_one();
    }
  }

  Gateway gateway_;
  const size_t calls_;
  uint64_t packets_ = 0;
  double cycles_per_packet_ = 0;
  std::atomic<Order> order_ = Order::kWait;
  std::thread thread_;
};

void BM_WorkersSrtpToRtp(benchmark::State& state) {
  Site site(2);
  const auto calls = size_t(state.range(0));
  Station first(site, 0, calls), second(site, 1, calls);
  std::vector<double> alone, together, ratio;
  for (auto _ : state) {
    first.Begin();
    const double first_alone = first.Finish();
    second.Begin();
    const double second_alone = second.Finish();
    first.Begin(), second.Begin();
    const double first_together = first.Finish(), second_together = second.Finish();
    alone.push_back((first_alone + second_alone) / 2);
    together.push_back((first_together + second_together) / 2);
    ratio.push_back(first_alone / first_together + second_alone / second_together);
  }
  state.counters["alone_cycles_per_packet"] = MedianOf(alone);
  state.counters["together_cycles_per_packet"] = MedianOf(together);
  state.counters["throughput_ratio"] = MedianOf(ratio);
  if (first.lost() + second.lost() != 0) state.SkipWithError("not every packet was forwarded");
}
BENCHMARK(BM_WorkersSrtpToRtp)
    ->Name("BM_WorkersSrtpToRtp/32/160")
    ->Arg(32)
    ->Arg(1024)
    ->Arg(4096)
    ->Iterations(50);

}  // namespace
}  // namespace linegate::bench
