// What handing a packet to another worker costs, both sides together (goal: at most 60 cycles):
// BM_HandoverPushPop/<batch>/<payload bytes>. Needs two cores that do nothing else. The bytes of the packet stay where they
// are; what its owner pays to read them first is not in here.
#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <thread>

#include "dataplane/worker/handover.h"
#include "perf/bench/measured_section.h"

namespace linegate::bench {
namespace {

constexpr size_t kBurst = 32;

void PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/// The other worker: takes bursts, and counts the cycles of those turns that found one.
class Owner {
 public:
  explicit Owner(worker::HandoverMesh::Lane& lane) : lane_(lane), thread_([this] { Run(); }) {}
  ~Owner() {
    stop_ = true;
    thread_.join();
  }
  double cycles_per_packet() const { return packets_ == 0 ? 0 : double(cycles_) / double(packets_); }
  uint64_t packets() const { return packets_; }

 private:
  void Run() {
    PinTo(1);
    while (!stop_.load(std::memory_order_relaxed)) {
      const uint64_t begin = __rdtsc();
      std::array<worker::HandedPacket, kBurst> packets;
      const size_t count = lane_.packets.PopBurst(packets);
      for (size_t i = 0; i < count; ++i) benchmark::DoNotOptimize(packets[i].packet());
      if (count == 0) continue;
      cycles_ += __rdtsc() - begin;
      packets_.fetch_add(count, std::memory_order_release);
    }
  }
  worker::HandoverMesh::Lane& lane_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> packets_ = 0;
  uint64_t cycles_ = 0;
  std::thread thread_;
};

void BM_HandoverPushPop(benchmark::State& state) {
  PinTo(0);
  worker::HandoverMesh mesh(2);
  worker::HandoverMesh::Lane& lane = mesh.lane(0, 1);
  double owner_cycles = 0;
  MeasuredSection section;
  {
    Owner owner(lane);
    uint64_t pushed = 0;
    for (auto _ : state) {
      section.Run(state, kBurst, [&] {
        for (size_t i = 0; i < kBurst; ++i) pushed += lane.packets.TryStage({}) ? 1 : 0;
        lane.packets.Publish();
      });
      while (owner.packets() + 2 * kBurst < pushed) {
      }
    }
    while (owner.packets() < pushed) {
    }
    owner_cycles = owner.cycles_per_packet();
  }
  section.Report(state);
  state.counters["owner_cycles_per_packet"] = owner_cycles;
}
BENCHMARK(BM_HandoverPushPop)->Name("BM_HandoverPushPop/32/0")->UseManualTime();

}  // namespace
}  // namespace linegate::bench
