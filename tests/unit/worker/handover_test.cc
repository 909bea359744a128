#include "dataplane/worker/handover.h"

#include <gtest/gtest.h>

#include <thread>

namespace linegate::worker {
namespace {

TEST(SpscQueue, RefusesWhatDoesNotFitAndKeepsOrder) {
  auto queue = std::make_unique<SpscQueue<uint32_t, 8>>();
  for (uint32_t i = 0; i < 8; ++i) EXPECT_TRUE(queue->TryPush(i));
  EXPECT_FALSE(queue->TryPush(8));
  uint32_t value = 0;
  for (uint32_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(queue->TryPop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(queue->TryPop(value));
}

TEST(SpscQueue, WhatIsStagedIsSeenWhenItIsPublished) {
  auto queue = std::make_unique<SpscQueue<uint32_t, 8>>();
  uint32_t value = 0;
  for (uint32_t round = 0; round < 10; ++round) {
    for (uint32_t i = 0; i < 8; ++i) EXPECT_TRUE(queue->TryStage(10 * round + i));
    EXPECT_FALSE(queue->TryStage(8)) << "what is staged takes room";
    EXPECT_FALSE(queue->TryPop(value));
    queue->Publish();
    for (uint32_t i = 0; i < 8; ++i) {
      ASSERT_TRUE(queue->TryPop(value));
      EXPECT_EQ(value, 10 * round + i);
    }
  }
}

TEST(SpscQueue, CarriesEverythingBetweenTwoThreads) {
  auto queue = std::make_unique<SpscQueue<uint32_t, 64>>();
  constexpr uint32_t kCount = 200'000;
  std::thread producer([&] {
    for (uint32_t i = 0; i < kCount;) i += queue->TryPush(i) ? 1 : (std::this_thread::yield(), 0);
  });
  uint32_t expected = 0;
  while (expected < kCount) {
    uint32_t value = 0;
    if (!queue->TryPop(value)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(value, expected);
    ++expected;
  }
  producer.join();
}

}  // namespace
}  // namespace linegate::worker
