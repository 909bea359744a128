#include "controlplane/session/flow_slot_pool.h"

#include <gtest/gtest.h>

namespace linegate::session {
namespace {

TEST(FlowSlotPool, GenerationsDifferAndReleasedSlotsAreUsedLast) {
  FlowSlotPool pool(1, 2, 7);
  const abi::FlowRef first = *pool.Acquire(0);
  EXPECT_EQ(first.index, 0u);
  EXPECT_EQ(first.generation, 7u);
  pool.Release(first);
  const abi::FlowRef second = *pool.Acquire(0), third = *pool.Acquire(0);
  EXPECT_EQ(second.index, 1u);
  EXPECT_EQ(third.index, 0u);
  EXPECT_NE(third.generation, first.generation);
  EXPECT_FALSE(pool.Acquire(0));
  EXPECT_EQ(pool.in_use(), 2u);
}

TEST(FlowSlotPool, GenerationIsNeverZeroInItsLowBits) {
  FlowSlotPool pool(1, 4, 0xffffffff);
  for (int i = 0; i < 4; ++i) EXPECT_NE(pool.Acquire(0)->generation & 0xfffff, 0u);
}

TEST(FlowSlotPool, FindsTheWorkerWithTheFewestFlows) {
  FlowSlotPool pool(3, 4, 1);
  (void)pool.Acquire(0);
  (void)pool.Acquire(1);
  EXPECT_EQ(pool.LeastLoaded(), 2);
  EXPECT_EQ(pool.Acquire(2)->worker, 2);
}

}  // namespace
}  // namespace linegate::session
