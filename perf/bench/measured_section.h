#pragma once
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <cstdint>
#include <cstdlib>

/// What Google Benchmark does not report: TSC cycles and heap allocations per packet of the measured section
/// alone, with the preparation of each batch left out. One translation unit per benchmark binary includes
/// this header, because it replaces malloc with one that counts.
namespace linegate::bench {

inline uint64_t allocation_count = 0;

class MeasuredSection {
 public:
  template <typename Action>
  void Run(benchmark::State& state, uint64_t packets, Action&& action) {
    const uint64_t allocations = allocation_count;
    unsigned processor;
    const uint64_t begin = __rdtscp(&processor);
    action();
    const uint64_t cycles = __rdtscp(&processor) - begin;
    allocations_ += allocation_count - allocations;
    cycles_ += cycles;
    packets_ += packets;
    state.SetIterationTime(double(cycles) * 1e-9);  // cycles, read as if one were a nanosecond
  }
  void Report(benchmark::State& state) const {
    state.counters["cycles_per_packet"] = double(cycles_) / double(packets_);
    state.counters["allocations_per_packet"] = double(allocations_) / double(packets_);
  }

 private:
  uint64_t cycles_ = 0;
  uint64_t packets_ = 0;
  uint64_t allocations_ = 0;
};

}  // namespace linegate::bench

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
inline __attribute__((used)) void* malloc(size_t bytes) {
  ++linegate::bench::allocation_count;
  return __libc_malloc(bytes);
}
inline __attribute__((used)) void* calloc(size_t count, size_t bytes) {
  ++linegate::bench::allocation_count;
  return __libc_calloc(count, bytes);
}
}
