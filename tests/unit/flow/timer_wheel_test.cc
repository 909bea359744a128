#include "dataplane/flow/timer_wheel.h"

#include <gtest/gtest.h>

#include <vector>

namespace linegate::flow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Wheel : public testing::Test {
 protected:
  Wheel() { AdvanceTo(start_); }
  std::vector<uint32_t> AdvanceTo(TimePoint now, uint32_t limit = 1000) {
    std::vector<uint32_t> fired;
    wheel_.Advance(now, limit, [&](uint32_t timer) { fired.push_back(timer); });
    return fired;
  }
  const TimePoint start_ = FromNanoseconds(5'000'000'000'000);
  TimerWheel wheel_{8};
};

TEST_F(Wheel, FiresNeverEarlyAndOneTickLateAtMost) {
  wheel_.Arm(3, start_ + milliseconds(55));
  EXPECT_TRUE(AdvanceTo(start_ + milliseconds(54)).empty());
  EXPECT_EQ(AdvanceTo(start_ + milliseconds(70)), std::vector<uint32_t>{3});
  EXPECT_TRUE(AdvanceTo(start_ + seconds(100)).empty());
}

TEST_F(Wheel, ForgetsADisarmedTimerAndMovesARearmedOne) {
  wheel_.Arm(1, start_ + milliseconds(50));
  wheel_.Arm(2, start_ + milliseconds(50));
  wheel_.Arm(4, start_ + milliseconds(50));
  wheel_.Disarm(2);
  wheel_.Disarm(2);
  wheel_.Arm(1, start_ + milliseconds(500));
  EXPECT_EQ(AdvanceTo(start_ + milliseconds(100)), std::vector<uint32_t>{4});
  EXPECT_EQ(AdvanceTo(start_ + milliseconds(520)), std::vector<uint32_t>{1});
}

TEST_F(Wheel, WhoArmsFromItsOwnCallbackWaitsForTheNextTick) {
  uint32_t count = 0;
  wheel_.Arm(0, start_);
  wheel_.Advance(start_ + milliseconds(100), 1000, [&](uint32_t timer) {
    ++count;
    wheel_.Arm(timer, start_);
  });
  EXPECT_LE(count, 10u);
  EXPECT_GE(count, 9u);
}

TEST_F(Wheel, StopsAtTheLimitAndGoesOnNextTime) {
  for (uint32_t timer = 0; timer < 8; ++timer) wheel_.Arm(timer, start_ + milliseconds(20));
  EXPECT_EQ(AdvanceTo(start_ + seconds(1), 3).size(), 3u);
  EXPECT_EQ(AdvanceTo(start_ + seconds(1), 3).size(), 3u);
  EXPECT_EQ(AdvanceTo(start_ + seconds(1), 3).size(), 2u);
}

TEST_F(Wheel, ADeadlineBeyondTheHorizonFiresEarlyOnceAndIsArmedAgain) {
  const TimePoint deadline = start_ + seconds(100);
  wheel_.Arm(5, deadline);
  TimePoint now = start_;
  bool done = false;
  for (int i = 0; i < 20'000 && !done; ++i) {
    now += milliseconds(10);
    wheel_.Advance(now, 10, [&](uint32_t timer) {
      if (now >= deadline) {
        done = true;
      } else {
        wheel_.Arm(timer, deadline);
      }
    });
  }
  EXPECT_TRUE(done);
  EXPECT_LE(now, deadline + milliseconds(20));
}

TEST_F(Wheel, SurvivesALongSleep) {
  wheel_.Arm(6, start_ + milliseconds(30));
  EXPECT_EQ(AdvanceTo(start_ + std::chrono::hours(3)), std::vector<uint32_t>{6});
}

}  // namespace
}  // namespace linegate::flow
