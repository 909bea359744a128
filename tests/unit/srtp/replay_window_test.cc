#include "dataplane/srtp/replay_window.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace linegate::srtp {
namespace {

template <typename T>
class ReplayWindowTest : public testing::Test {};
using Sizes =
    testing::Types<ReplayWindow<64>, ReplayWindow<kAudioReplayBits>, ReplayWindow<kVideoReplayBits>>;
TYPED_TEST_SUITE(ReplayWindowTest, Sizes);

template <size_t kBits>
constexpr uint64_t BitsOf(const ReplayWindow<kBits>&) {
  return kBits;
}

TYPED_TEST(ReplayWindowTest, AcceptsEachIndexOnce) {
  TypeParam window;
  for (uint64_t index : {0, 1, 5, 3, 4, 2}) {
    EXPECT_EQ(window.Check(index), ReplayVerdict::kFresh) << index;
    window.Record(index);
    EXPECT_EQ(window.Check(index), ReplayVerdict::kDuplicate) << index;
  }
}

TYPED_TEST(ReplayWindowTest, ZeroIsAnIndexToo) {
  TypeParam window;
  EXPECT_EQ(window.Check(0), ReplayVerdict::kFresh);
  window.Record(0);
  EXPECT_EQ(window.Check(0), ReplayVerdict::kDuplicate);
  EXPECT_EQ(window.Check(1), ReplayVerdict::kFresh);
}

TYPED_TEST(ReplayWindowTest, ForgetsExactlyAtItsEnd) {
  TypeParam window;
  const uint64_t bits = BitsOf(window);
  const uint64_t highest = 100000;
  window.Record(highest);
  EXPECT_EQ(window.Check(highest - bits + 1), ReplayVerdict::kFresh);
  EXPECT_EQ(window.Check(highest - bits), ReplayVerdict::kTooOld);
  EXPECT_EQ(window.Check(0), ReplayVerdict::kTooOld);
  window.Record(highest - bits + 1);
  EXPECT_EQ(window.Check(highest - bits + 1), ReplayVerdict::kDuplicate);
  EXPECT_EQ(window.highest, highest);
}

TYPED_TEST(ReplayWindowTest, CheckingChangesNothing) {
  TypeParam window;
  window.Record(10);
  EXPECT_EQ(window.Check(uint64_t{1} << 40), ReplayVerdict::kFresh);
  EXPECT_EQ(window.Check(11), ReplayVerdict::kFresh);
  EXPECT_EQ(window.highest, 10u);
  EXPECT_EQ(window.Check(9), ReplayVerdict::kFresh);
}

TYPED_TEST(ReplayWindowTest, JumpsOfAnySizeClearWhatTheySkip) {
  for (uint64_t jump : {1, 2, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 70000}) {
    TypeParam window;
    for (uint64_t i = 0; i < BitsOf(window); ++i) window.Record(i);
    const uint64_t old = window.highest;
    window.Record(old + jump);
    for (uint64_t i = old + 1; i < old + jump && i + BitsOf(window) > old + jump; ++i) {
      ASSERT_NE(window.Check(i), ReplayVerdict::kDuplicate) << jump << " " << i;
    }
  }
}

TYPED_TEST(ReplayWindowTest, AgreesWithASetOverRandomTraffic) {
  std::mt19937_64 random(7);
  TypeParam window;
  std::set<uint64_t> recorded;
  uint64_t highest = 5000;
  window.Record(highest);
  recorded.insert(highest);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = BitsOf(window);
    const uint64_t index =
        highest + (random() % 20 == 0 ? random() % (3 * bits) : random() % 4) - random() % (bits + 10);
    const ReplayVerdict expected = index + bits <= highest    ? ReplayVerdict::kTooOld
                                   : recorded.contains(index) ? ReplayVerdict::kDuplicate
                                                              : ReplayVerdict::kFresh;
    ASSERT_EQ(window.Check(index), expected) << index << " at " << highest;
    if (expected != ReplayVerdict::kFresh) continue;
    window.Record(index);
    recorded.insert(index);
    highest = std::max(highest, index);
    ASSERT_EQ(window.highest, highest);
  }
}

TYPED_TEST(ReplayWindowTest, RestoredWindowCountsEverythingAsSeen) {
  TypeParam window;
  window.Record(2000);
  window.RecordAllUpTo(window.highest);
  for (uint64_t i = 0; i <= 2000; ++i) EXPECT_NE(window.Check(i), ReplayVerdict::kFresh) << i;
  EXPECT_EQ(window.Check(2001), ReplayVerdict::kFresh);
  window.Record(2003);
  EXPECT_EQ(window.Check(2001), ReplayVerdict::kFresh);
  EXPECT_EQ(window.Check(2000), ReplayVerdict::kDuplicate);
}

TEST(ReplayWindow, AnyBitPatternIsSafe) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    ReplayWindow<kAudioReplayBits> window;
    window.highest = random() >> (random() % 64);
    window.started = random() % 2;
    for (uint64_t& word : window.seen) word = random();
    const uint64_t index = EstimateReceivedIndex(window, uint16_t(random()));
    if (window.Check(index) == ReplayVerdict::kFresh) window.Record(index);
  }
}

TEST(ReplayWindow, FirstPacketHasRolloverCounterZero) {
  EXPECT_EQ(EstimateReceivedIndex(ReplayWindow<kAudioReplayBits>{}, 0xffff), 0xffffu);
}

}  // namespace
}  // namespace linegate::srtp
