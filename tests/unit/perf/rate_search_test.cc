#include "perf/load/rate_search.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace linegate::load {
namespace {

/// A device that passes `capacity` and loses the rest, before a generator that offers `peak` at most.
struct Device {
  double capacity = 5e6;
  double peak = 20e6;
  double background_loss = 0;  ///< at any rate above `clean_below`
  double clean_below = 0;
  uint32_t trials = 0;
  double confirm_seconds = 0;

  TrialSummary Run(double rate, double seconds) {
    ++trials;
    confirm_seconds = std::max(confirm_seconds, seconds);
    TrialSummary summary;
    summary.offered_pps = std::min(rate, peak);
    summary.received_pps = std::min(summary.offered_pps, capacity);
    if (summary.offered_pps > clean_below) summary.received_pps *= 1 - background_loss;
    summary.loss = 1 - summary.received_pps / summary.offered_pps;
    return summary;
  }
};

SearchResult Search(Device& device, const SearchLimits& limits = {}) {
  return RateSearch(limits, [&](double rate, double seconds) { return device.Run(rate, seconds); }).Run();
}

TEST(RateSearch, FindsTheCapacityWithinOnePercent) {
  for (double capacity : {0.2e6, 1e6, 5e6, 8.3e6, 19e6}) {
    Device device{.capacity = capacity};
    const SearchResult result = Search(device);
    EXPECT_LE(result.rate_pps, capacity * 1.0001);
    EXPECT_GE(result.rate_pps, capacity * 0.98) << capacity;
    EXPECT_LE(result.loss, 1e-4);
    EXPECT_EQ(result.confirmations.size(), 3u);
    EXPECT_FALSE(result.generator_limited && capacity < 18e6);
    EXPECT_LT(device.trials, 40u);
  }
}

TEST(RateSearch, ConfirmingTrialsAreTheLongOnes) {
  Device device;
  Search(device, {.trial_seconds = 1, .confirm_seconds = 5});
  EXPECT_EQ(device.confirm_seconds, 5);
}

TEST(RateSearch, SaysWhenTheGeneratorIsTheLimit) {
  Device device{.capacity = 50e6, .peak = 10e6};
  const SearchResult result = Search(device);
  EXPECT_TRUE(result.generator_limited);
  EXPECT_DOUBLE_EQ(result.generator_peak_pps, 10e6);
  EXPECT_GE(result.rate_pps, 9.5e6);
}

TEST(RateSearch, LossWithinTheLimitCountsAndZeroLossIsFoundBelow) {
  Device device{.capacity = 5e6, .background_loss = 5e-5, .clean_below = 4.5e6};
  const SearchResult result = Search(device);
  EXPECT_GE(result.rate_pps, 4.9e6);
  EXPECT_GT(result.zero_loss_pps, 4.2e6);
  EXPECT_LE(result.zero_loss_pps, 4.5e6);
}

TEST(RateSearch, ADeviceThatAlwaysLosesHasNoRate) {
  Device device{.background_loss = 0.01};
  const SearchResult result = Search(device);
  EXPECT_EQ(result.rate_pps, 0);
  EXPECT_EQ(result.zero_loss_pps, 0);
}

TEST(RateSearch, ADeadDeviceEndsTheSearch) {
  Device device{.capacity = 0};
  EXPECT_EQ(Search(device).rate_pps, 0);
  EXPECT_EQ(device.trials, 1u);
}

TEST(RateSearch, DisturbedTrialsAreRepeatedThreeTimesAtMost) {
  Device device;
  uint32_t stalls = 2;
  const SearchResult result = RateSearch({}, [&](double rate, double seconds) {
                                TrialSummary summary = device.Run(rate, seconds);
                                if (rate < 4.5e6 && stalls > 0) {
                                  --stalls;
                                  summary.loss = 0.02;
                                  summary.disturbed = true;
                                }
                                return summary;
                              }).Run();
  EXPECT_EQ(result.repeated_trials, 2u);
  EXPECT_GE(result.rate_pps, 4.9e6);

  uint32_t trials = 0;
  const SearchResult hopeless = RateSearch({}, [&](double rate, double) {
                                  ++trials;
                                  return TrialSummary{rate, rate / 2, 0.5, true};
                                }).Run();
  EXPECT_EQ(hopeless.rate_pps, 0);
  EXPECT_EQ(trials % (RateSearch::kRepetitions + 1), 1u) << "the flood, then four trials for each rate";
}

TEST(RateSearch, AFloodThatSawNothingIsRepeated) {
  Device device;
  uint32_t trials = 0;
  const SearchResult result = RateSearch({}, [&](double rate, double seconds) {
                                if (++trials <= 2) return TrialSummary{rate, 0, 1, true};
                                return device.Run(rate, seconds);
                              }).Run();
  EXPECT_EQ(result.repeated_trials, 2u);
  EXPECT_DOUBLE_EQ(result.flood_pps, 5e6);
  EXPECT_DOUBLE_EQ(result.generator_peak_pps, 20e6);
  EXPECT_GE(result.rate_pps, 4.9e6);
}

TEST(RateSearch, ATrialOnASlowMachineIsRepeated) {
  Device device;
  uint32_t trials = 0, rests = 0;
  const SearchResult result = RateSearch(
                                  {},
                                  [&](double rate, double seconds) {
                                    // For five trials in the middle of the search somebody else has half of the core.
                                    device.capacity = ++trials >= 5 && trials < 10 ? 2.5e6 : 5e6;
                                    return device.Run(rate, seconds);
                                  },
                                  [&] { ++rests; })
                                  .Run();
  EXPECT_GE(result.rate_pps, 4.9e6);
  EXPECT_GT(result.repeated_trials, 0u);
  EXPECT_EQ(rests, result.repeated_trials);
  EXPECT_DOUBLE_EQ(result.flood_pps, 5e6);
}

TEST(RateSearch, TheMedianOfThreeDecides) {
  Device device;
  uint32_t confirmations = 0;
  const SearchResult result = RateSearch({}, [&](double rate, double seconds) {
                                TrialSummary summary = device.Run(rate, seconds);
                                // One confirmation of three is bad.
                                if (seconds > 1 && ++confirmations == 2) summary.loss = 0.3;
                                return summary;
                              }).Run();
  EXPECT_GE(result.rate_pps, 4.9e6);
  EXPECT_EQ(confirmations, 3u);
}

}  // namespace
}  // namespace linegate::load
