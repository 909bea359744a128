#include "perf/load/slice_ledger.h"

#include <gtest/gtest.h>

#include <string_view>

namespace linegate::load {
namespace {

/// Slices by letters: '.' undisturbed, 'x' disturbed. The n-th offers 10^n and loses nothing. Returns what was counted.
uint64_t Counted(std::string_view slices, bool disturbed_at_the_end = false) {
  SliceLedger ledger;
  uint64_t offered = 1;
  for (char letter : slices) {
    Slice slice;
    slice.offered = offered;
    slice.disturbed = letter == 'x';
    ledger.Add(slice);
    offered *= 10;
  }
  ledger.Close(disturbed_at_the_end);
  return ledger.total().offered;
}

TEST(SliceLedger, CountsEverythingWhenNobodyWasAway) { EXPECT_EQ(Counted("...."), 1111u); }

TEST(SliceLedger, LeavesOutADisturbedSliceAndItsNeighbours) {
  EXPECT_EQ(Counted("...x..."), 1'100'011u);
  EXPECT_EQ(Counted("x..."), 1100u);
  EXPECT_EQ(Counted("...x"), 11u);
  EXPECT_EQ(Counted("..xx.."), 100'001u);
  EXPECT_EQ(Counted(".x.x."), 0u);
  EXPECT_EQ(Counted("...", true), 11u) << "what comes behind the last one counts as its neighbour";
}

TEST(SliceLedger, LossDoesNotDecide) {
  SliceLedger ledger;
  for (uint64_t n = 0; n < 5; ++n) {
    Slice slice;
    slice.offered = 100;
    slice.lost = 50;
    slice.cycles = 7;
    slice.latency.Add(n);
    ledger.Add(slice);
  }
  ledger.Close(false);
  EXPECT_EQ(ledger.total().offered, 500u);
  EXPECT_EQ(ledger.total().lost, 250u);
  EXPECT_EQ(ledger.total().cycles, 35u);
  EXPECT_EQ(ledger.total().latency.total(), 5u);
}

TEST(SliceLedger, ClosedSegmentsAreNoNeighbours) {
  SliceLedger ledger;
  Slice slice;
  slice.offered = 1;
  slice.disturbed = true;
  ledger.Add(slice);
  ledger.Close(true);
  slice.disturbed = false;
  ledger.Add(slice);
  ledger.Close(false);
  EXPECT_EQ(ledger.total().offered, 1u);
}

}  // namespace
}  // namespace linegate::load
