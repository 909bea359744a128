#include "drivers/crypto/context_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "dataplane/base/huge_pages.h"

namespace linegate::crypto {
namespace {

uintptr_t SlabOf(const void* object) { return reinterpret_cast<uintptr_t>(object) / kHugePageBytes; }

TEST(ContextPool, AlignedAndApart) {
  ContextPool pool;
  std::set<uintptr_t> seen;
  for (int i = 0; i < 5000; ++i) {
    void* const object = pool.Allocate(500);
    const auto address = reinterpret_cast<uintptr_t>(object);
    ASSERT_EQ(address % ContextPool::kAlignment, 0u);
    const auto next = seen.lower_bound(address);
    ASSERT_TRUE(next == seen.end() || *next - address >= 512);
    ASSERT_TRUE(next == seen.begin() || address - *std::prev(next) >= 512);
    seen.insert(next, address);
    std::memset(object, 0xff, 500);
  }
  EXPECT_LE(seen.size() * 512 / kHugePageBytes, 2u);
  for (const uintptr_t address : seen) ContextPool::Free(reinterpret_cast<void*>(address));
}

TEST(ContextPool, WhatIsFreedIsUsedAgain) {
  ContextPool pool;
  void* const first = pool.Allocate(512);
  void* const second = pool.Allocate(512);
  ContextPool::Free(first);
  EXPECT_EQ(pool.Allocate(512), first);
  ContextPool::Free(first);
  ContextPool::Free(second);
}

TEST(ContextPool, SizesDoNotShareASlab) {
  ContextPool pool;
  void* const small = pool.Allocate(512);
  void* const large = pool.Allocate(2112);
  EXPECT_NE(SlabOf(small), SlabOf(large));
  EXPECT_EQ(SlabOf(pool.Allocate(449)), SlabOf(small)) << "rounded up to 512";
  ContextPool::Free(small);
  ContextPool::Free(large);
}

TEST(ContextPool, ObjectsOutliveThePool) {
  auto pool = std::make_unique<ContextPool>();
  auto* const first = static_cast<uint8_t*>(pool->Allocate(512));
  auto* const second = static_cast<uint8_t*>(pool->Allocate(512));
  pool.reset();
  first[511] = second[511] = 1;
  ContextPool::Free(first);
  second[0] = 1;  // its slab is still there
  ContextPool::Free(second);
}

TEST(ContextPool, RandomUseKeepsEveryObjectsBytes) {
  std::mt19937 random(7);
  ContextPool pool;
  std::map<uint8_t*, std::pair<size_t, uint8_t>> live;
  for (int step = 0; step < 20000; ++step) {
    if (live.size() < 3000 && random() % 2 == 0) {
      const size_t bytes = random() % 2 == 0 ? 512 : 2112;
      auto* const object = static_cast<uint8_t*>(pool.Allocate(bytes));
      const auto pattern = uint8_t(random());
      std::memset(object, pattern, bytes);
      ASSERT_TRUE(live.emplace(object, std::pair(bytes, pattern)).second);
    } else if (!live.empty()) {
      const auto it = std::next(live.begin(), long(random() % std::min<size_t>(live.size(), 50)));
      const auto& [bytes, pattern] = it->second;
      ASSERT_EQ(it->first[0], pattern);
      ASSERT_EQ(it->first[bytes - 1], pattern);
      ContextPool::Free(it->first);
      live.erase(it);
    }
  }
  for (const auto& [object, what] : live) ContextPool::Free(object);
}

}  // namespace
}  // namespace linegate::crypto
