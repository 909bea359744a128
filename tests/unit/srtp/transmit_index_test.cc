#include "dataplane/srtp/transmit_index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>
#include <vector>

namespace linegate::srtp {
namespace {

constexpr int64_t kRefused = -1;

/// The index chosen for each received sequence number, or kRefused.
std::vector<int64_t> Choose(TransmitIndex& state, const std::vector<uint16_t>& numbers) {
  std::vector<int64_t> chosen;
  for (uint16_t number : numbers) {
    const TransmitDecision decision = state.Choose(number);
    chosen.push_back(decision.verdict == TransmitVerdict::kSend ? int64_t(decision.index) : kRefused);
  }
  return chosen;
}
using Indices = std::vector<int64_t>;

TEST(TransmitIndex, KeepsNaturalNumbering) {
  TransmitIndex state;
  EXPECT_EQ(Choose(state, {100, 101, 102, 104}), (Indices{100, 101, 102, 104}));
  EXPECT_EQ(state.offset, 0);
}

TEST(TransmitIndex, RollsOver) {
  TransmitIndex state;
  EXPECT_EQ(Choose(state, {65534, 65535, 0, 1}), (Indices{65534, 65535, 65536, 65537}));
  EXPECT_EQ(state.Choose(2).sequence_number(), 2);
}

TEST(TransmitIndex, SendsReorderedPacketsOnce) {
  TransmitIndex state;
  EXPECT_EQ(Choose(state, {10, 13, 11, 12, 12, 14}), (Indices{10, 13, 11, 12, kRefused, 14}));
}

TEST(TransmitIndex, RefusesEveryCopyOfADoubledStream) {
  TransmitIndex state;
  for (uint16_t number = 1; number < 1000; ++number) {
    EXPECT_EQ(state.Choose(number).verdict, TransmitVerdict::kSend);
    EXPECT_EQ(state.Choose(number).verdict, TransmitVerdict::kDuplicate);
  }
  EXPECT_EQ(state.offset, 0);
}

TEST(TransmitIndex, RefusesCopiesThatLagBehind) {
  TransmitIndex state;
  for (uint16_t number = 1; number < 1000; ++number) {
    EXPECT_EQ(state.Choose(number).verdict, TransmitVerdict::kSend);
    if (number > 6) {
      EXPECT_EQ(state.Choose(uint16_t(number - 5)).verdict, TransmitVerdict::kDuplicate);
    }
  }
  EXPECT_EQ(state.offset, 0);
}

TEST(TransmitIndex, RenumbersARewoundSourceForward) {
  TransmitIndex state;
  Choose(state, {5000, 5001, 5002});
  // Starts again at 100: one packet to see it, the second goes on behind 5002.
  EXPECT_EQ(Choose(state, {100, 101, 102, 103}), (Indices{kRefused, 5003, 5004, 5005}));
  EXPECT_EQ(state.offset, uint16_t(5003 - 101));
  EXPECT_EQ(state.ToReceived(5005), 103);
  EXPECT_EQ(Choose(state, {105, 104, 104, 106}), (Indices{5007, 5006, kRefused, 5008}));
}

TEST(TransmitIndex, RenumbersASourceThatRestartsWithinTheWindow) {
  TransmitIndex state;
  for (uint16_t number = 0; number < 50; ++number) state.Choose(number);
  EXPECT_EQ(Choose(state, {0, 1, 2, 3}), (Indices{kRefused, 50, 51, 52}));
}

TEST(TransmitIndex, TakesAForwardJumpAsAGap) {
  TransmitIndex state;
  EXPECT_EQ(Choose(state, {1000, 20000, 20001}), (Indices{1000, 20000, 20001}));
}

TEST(TransmitIndex, TwoSourcesWithOneSsrcNeverShareAnIndex) {
  TransmitIndex state;
  std::set<uint64_t> used;
  for (uint16_t i = 0; i < 5000; ++i) {
    for (uint16_t number : {uint16_t(100 + i), uint16_t(40000 + i), uint16_t(100 + 3 * i)}) {
      const TransmitDecision decision = state.Choose(number);
      if (decision.verdict == TransmitVerdict::kSend) {
        EXPECT_TRUE(used.insert(decision.index).second) << number;
      }
    }
  }
}

TEST(TransmitIndex, NeverRepeatsAnIndexOverHostileNumbers) {
  std::mt19937 random(11);
  for (int run = 0; run < 20; ++run) {
    TransmitIndex state;
    std::set<uint64_t> used;
    uint16_t number = uint16_t(random());
    for (int i = 0; i < 20000; ++i) {
      switch (random() % 8) {
        case 0:
          number = uint16_t(random());
          break;  // anything
        case 1:
          number = uint16_t(number - random() % 300);
          break;  // back, in and out of the window
        case 2:
          break;  // again
        default:
          ++number;
      }
      if (random() % 500 == 0) state.RestoreAtMark();
      const TransmitDecision decision = state.Choose(number);
      if (decision.verdict != TransmitVerdict::kSend) continue;
      ASSERT_TRUE(used.insert(decision.index).second) << decision.index;
      ASSERT_EQ(state.ToReceived(decision.sequence_number()), number);
    }
  }
}

TEST(TransmitIndex, GoesOnAtMarkPlusOneAfterARestart) {
  TransmitIndex state;
  Choose(state, {200, 201, 203});  // 202 was late, nobody knows whether 203 left
  TransmitIndex restored;
  std::memcpy(static_cast<void*>(&restored), &state, sizeof state);  // what the slot kept
  restored.RestoreAtMark();
  EXPECT_EQ(Choose(restored, {202, 204, 203, 205}), (Indices{kRefused, 204, kRefused, 205}));
  EXPECT_EQ(restored.offset, 0);
}

TEST(TransmitIndex, KeepsItsOffsetOverARestart) {
  TransmitIndex state;
  Choose(state, {5000, 5001, 100, 101, 102});
  state.RestoreAtMark();
  EXPECT_EQ(Choose(state, {103, 104}), (Indices{5004, 5005}));
}

TEST(TransmitIndex, ReplayedStreamAfterARestartIsRenumbered) {
  TransmitIndex state;
  Choose(state, {10, 11, 12, 13});
  state.RestoreAtMark();
  EXPECT_EQ(Choose(state, {10, 11, 12, 13, 14}), (Indices{kRefused, 14, 15, 16, 17}));
}

TEST(TransmitIndex, RestoringAnUnusedStateKeepsItUnused) {
  TransmitIndex state;
  state.RestoreAtMark();
  EXPECT_EQ(Choose(state, {0, 1}), (Indices{0, 1}));
}

TEST(TransmitIndex, StopsWhenTheKeyIsUsedUp) {
  TransmitIndex state;
  state.used.RecordAllUpTo(kMaxPacketIndex - 1);
  EXPECT_EQ(state.Choose(0xffff).index, kMaxPacketIndex);
  EXPECT_EQ(state.Choose(0).verdict, TransmitVerdict::kDuplicate);
  EXPECT_EQ(state.Choose(1).verdict, TransmitVerdict::kExhausted);
  for (uint16_t number = 2; number < 1000; ++number) {
    EXPECT_NE(state.Choose(number).verdict, TransmitVerdict::kSend);
  }
}

TEST(SrtcpTransmitIndex, CountsFromOneAndStopsAt31Bits) {
  SrtcpTransmitIndex state;
  EXPECT_EQ(state.Next(), 1u);
  EXPECT_EQ(state.Next(), 2u);
  state.last = kMaxSrtcpIndex - 1;
  EXPECT_EQ(state.Next(), kMaxSrtcpIndex);
  EXPECT_EQ(state.Next(), std::nullopt);
}

}  // namespace
}  // namespace linegate::srtp
