#include "controlplane/session/media_port_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace linegate::session {
namespace {

using std::chrono::seconds;
const TimePoint kNow(seconds(100));

std::set<uint16_t> TakeAll(MediaPortPool& pool, uint16_t worker) {
  std::set<uint16_t> ports;
  while (const auto port = pool.Acquire(worker, kNow)) ports.insert(*port);
  return ports;
}

TEST(MediaPortPool, SplitsEvenPortsBetweenWorkers) {
  MediaPortPool pool({40000, 40007}, 2);
  EXPECT_EQ(TakeAll(pool, 0), (std::set<uint16_t>{40000, 40002}));
  EXPECT_EQ(TakeAll(pool, 1), (std::set<uint16_t>{40004, 40006}));
  EXPECT_EQ(pool.in_use(), 4u);
  EXPECT_FALSE(pool.Acquire(2, kNow));
}

TEST(MediaPortPool, KeepsTheRtcpPortInsideTheRange) {
  MediaPortPool odd_ends({40001, 40004}, 1);
  EXPECT_EQ(TakeAll(odd_ends, 0), (std::set<uint16_t>{40002}));
  MediaPortPool top({65534, 65535}, 1);
  EXPECT_EQ(TakeAll(top, 0), (std::set<uint16_t>{65534}));
  MediaPortPool none({0, 0}, 1);
  EXPECT_TRUE(TakeAll(none, 0).empty());
}

TEST(MediaPortPool, ReleasedPairRestsAndIsUsedLast) {
  MediaPortPool pool({40000, 40003}, 1);
  EXPECT_EQ(pool.Acquire(0, kNow), 40000);
  pool.Release(0, 40000, kNow);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(pool.Acquire(0, kNow), 40002);
  EXPECT_FALSE(pool.Acquire(0, kNow + MediaPortPool::kQuarantine - Duration(1)));
  EXPECT_EQ(pool.Acquire(0, kNow + MediaPortPool::kQuarantine), 40000);
}

TEST(MediaPortPool, UnusedPairNeedsNoRest) {
  MediaPortPool pool({40000, 40003}, 1);
  EXPECT_EQ(pool.Acquire(0, kNow), 40000);
  EXPECT_EQ(pool.Acquire(0, kNow), 40002);
  pool.ReleaseUnused(0, 40002);
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_EQ(pool.Acquire(0, kNow), 40002);
}

}  // namespace
}  // namespace linegate::session
