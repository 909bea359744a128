#include "perf/load/latency.h"

#include <gtest/gtest.h>

namespace linegate::load {
namespace {

TEST(LatencyHistogram, EmptyHasNoLatency) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0u);
  EXPECT_EQ(histogram.max(), 0u);
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (uint64_t value = 0; value < 64; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Quantile(0), 0u);
  EXPECT_EQ(histogram.Quantile(0.5), 32u);
  EXPECT_EQ(histogram.max(), 63u);
}

TEST(LatencyHistogram, QuantilesAreWithinTheBucketsWidth) {
  LatencyHistogram histogram;
  for (uint64_t value = 1; value <= 100'000; ++value) histogram.Add(value);
  for (double fraction : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = fraction * 100'000;
    EXPECT_GE(double(histogram.Quantile(fraction)), exact - 1) << fraction;
    EXPECT_LE(double(histogram.Quantile(fraction)), exact * 1.016 + 1) << fraction;
  }
  EXPECT_EQ(histogram.Quantile(1), 100'000u);
}

TEST(LatencyHistogram, TakesAnyValue) {
  LatencyHistogram histogram;
  histogram.Add(UINT64_MAX);
  histogram.Add(uint64_t{1} << 63);
  EXPECT_EQ(histogram.max(), UINT64_MAX);
  EXPECT_EQ(histogram.total(), 2u);
  EXPECT_GE(histogram.Quantile(0), uint64_t{1} << 63);
}

}  // namespace
}  // namespace linegate::load
