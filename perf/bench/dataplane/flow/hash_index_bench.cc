// Cycles per lookup of a 20-byte endpoint, in random order: BM_<Table>Find/<batch>/<key bytes>/<entries>. The index of the flow
// table beside DPDK's rte_hash (its bulk lookup, too) and std::unordered_map.
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <random>
#include <unordered_map>
#include <vector>

#include "dataplane/abi/types.h"
#include "dataplane/app/eal_setup.h"
#include "dataplane/flow/hash_index.h"
#include "perf/bench/measured_section.h"

namespace linegate::bench {
namespace {

constexpr size_t kBurst = 32;
using Key = abi::SocketAddress;

Key KeyOf(uint32_t n) {
  return Key::From(
      {IpAddress::V4(10, uint8_t(n >> 16), uint8_t(n >> 8), uint8_t(n)), uint16_t(5000 + n % 7)});
}

uint64_t HashOf(const Key& key) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&key);
  uint64_t hash = LoadBe64(bytes) * 0x9e3779b97f4a7c15;
  hash = (hash ^ LoadBe64(bytes + 8)) * 0xbf58476d1ce4e5b9;
  return (hash ^ LoadBe32(bytes + 16) ^ hash >> 29) * 0x94d049bb133111eb;
}
struct Hasher {
  size_t operator()(const Key& key) const { return HashOf(key) >> 16; }
};

/// The keys, and the order in which they are asked for.
struct Keys {
  explicit Keys(uint32_t count) : order(count) {
    for (uint32_t n = 0; n < count; ++n) keys.push_back(KeyOf(n));
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
  }
  uint32_t Next() {
    if (++at == order.size()) at = 0;
    return order[at];
  }
  std::vector<Key> keys;
  std::vector<uint32_t> order;
  size_t at = 0;
};

/// `find(keys, numbers)` looks a burst up and returns how many were found where they belong.
template <typename Find>
void Measure(benchmark::State& state, Keys& keys, Find&& find) {
  MeasuredSection section;
  for (auto _ : state) {
    std::array<Key, kBurst> asked;
    std::array<uint32_t, kBurst> numbers;
    for (size_t i = 0; i < kBurst; ++i) numbers[i] = keys.Next(), asked[i] = keys.keys[numbers[i]];
    size_t found = 0;
    section.Run(state, kBurst, [&] { found = find(asked, numbers); });
    if (found != kBurst) return state.SkipWithError("a key was not found");
  }
  section.Report(state);
}

void BM_HashIndexFind(benchmark::State& state) {
  Keys keys(uint32_t(state.range(0)));
  flow::HashIndex index(uint32_t(keys.keys.size()));
  for (uint32_t n = 0; n < keys.keys.size(); ++n) index.Insert(uint32_t(HashOf(keys.keys[n]) >> 32), n);
  Measure(state, keys, [&](const auto& asked, const auto& numbers) {
    size_t found = 0;
    for (size_t i = 0; i < kBurst; ++i) {
      const uint32_t value =
          index.Find(uint32_t(HashOf(asked[i]) >> 32), [&](uint32_t v) { return keys.keys[v] == asked[i]; });
      found += value == numbers[i];
    }
    return found;
  });
}

void BM_UnorderedMapFind(benchmark::State& state) {
  Keys keys(uint32_t(state.range(0)));
  std::unordered_map<Key, uint32_t, Hasher> map;
  for (uint32_t n = 0; n < keys.keys.size(); ++n) map.emplace(keys.keys[n], n);
  Measure(state, keys, [&](const auto& asked, const auto& numbers) {
    size_t found = 0;
    for (size_t i = 0; i < kBurst; ++i) {
      const auto at = map.find(asked[i]);
      found += at != map.end() && at->second == numbers[i];
    }
    return found;
  });
}

rte_hash* MakeRteHash(const Keys& keys) {
  rte_hash_parameters parameters = {};
  parameters.name = "bench";
  parameters.entries = uint32_t(2 * keys.keys.size());
  parameters.key_len = sizeof(Key);
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = SOCKET_ID_ANY;
  rte_hash* hash = rte_hash_create(&parameters);
  for (uint32_t n = 0; hash != nullptr && n < keys.keys.size(); ++n) {
    if (rte_hash_add_key_data(hash, &keys.keys[n], reinterpret_cast<void*>(uintptr_t{n})) != 0) break;
  }
  return hash;
}

void BM_RteHashFind(benchmark::State& state) {
  Keys keys(uint32_t(state.range(0)));
  rte_hash* hash = MakeRteHash(keys);
  if (hash == nullptr) return state.SkipWithError("no memory for rte_hash");
  Measure(state, keys, [&](const auto& asked, const auto& numbers) {
    size_t found = 0;
    for (size_t i = 0; i < kBurst; ++i) {
      void* data = nullptr;
      found += rte_hash_lookup_data(hash, &asked[i], &data) >= 0 && uintptr_t(data) == numbers[i];
    }
    return found;
  });
  rte_hash_free(hash);
}

void BM_RteHashFindBulk(benchmark::State& state) {
  Keys keys(uint32_t(state.range(0)));
  rte_hash* hash = MakeRteHash(keys);
  if (hash == nullptr) return state.SkipWithError("no memory for rte_hash");
  Measure(state, keys, [&](const auto& asked, const auto& numbers) {
    std::array<const void*, kBurst> pointers;
    std::array<void*, kBurst> data = {};
    for (size_t i = 0; i < kBurst; ++i) pointers[i] = &asked[i];
    uint64_t hits = 0;
    rte_hash_lookup_bulk_data(hash, pointers.data(), kBurst, &hits, data.data());
    size_t found = 0;
    for (size_t i = 0; i < kBurst; ++i) found += (hits >> i & 1) != 0 && uintptr_t(data[i]) == numbers[i];
    return found;
  });
  rte_hash_free(hash);
}

BENCHMARK(BM_HashIndexFind)
    ->Name("BM_HashIndexFind/32/20")
    ->Arg(1024)
    ->Arg(8192)
    ->Arg(131072)
    ->UseManualTime();
BENCHMARK(BM_UnorderedMapFind)
    ->Name("BM_UnorderedMapFind/32/20")
    ->Arg(1024)
    ->Arg(8192)
    ->Arg(131072)
    ->UseManualTime();
BENCHMARK(BM_RteHashFind)->Name("BM_RteHashFind/32/20")->Arg(1024)->Arg(8192)->Arg(131072)->UseManualTime();
BENCHMARK(BM_RteHashFindBulk)
    ->Name("BM_RteHashFindBulk/32/20")
    ->Arg(1024)
    ->Arg(8192)
    ->Arg(131072)
    ->UseManualTime();

}  // namespace
}  // namespace linegate::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  constexpr size_t kMegabytes = 128;
  if (auto eal = linegate::app::StartEal(linegate::settings::HugepageMode::kOff, kMegabytes); !eal) {
    std::fprintf(stderr, "hash_index_bench: %s\n", eal.error().message().c_str());
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  linegate::app::StopEal();
  return 0;
}
