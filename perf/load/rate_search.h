#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace linegate::load {

/// What one trial showed.
struct TrialSummary {
  double offered_pps = 0;  ///< what the generator really offered
  double received_pps = 0;
  double loss = 0;         ///< fraction of what was offered
  bool disturbed = false;  ///< one of the two cores stood still for longer than a ring lasts
};

struct SearchLimits {
  double loss = 1e-4;  ///< RFC 2544 says 0; a virtual machine is interrupted
  double trial_seconds = 1;
  double confirm_seconds = 5;
};

struct SearchResult {
  double rate_pps = 0;  ///< highest confirmed rate
  double loss = 0;      ///< median of its three confirming trials
  double zero_loss_pps = 0;
  double generator_peak_pps = 0;
  bool generator_limited = false;  ///< the device would take more than the generator can offer
  uint32_t repeated_trials = 0;    ///< because they were disturbed
  std::vector<TrialSummary> confirmations;
};

/// Throughput as in RFC 2544 section 26.1: the highest rate whose loss stays within the limit.
///
/// Theory of operation. A flood tells roughly what the device passes; bisection narrows it down to 1 %; the rate found
/// is confirmed by the median of three longer trials, else 2 % less is tried. Then the rate falls in steps of 3 %
/// until a trial lost nothing. A trial that failed while one of the cores stood still says nothing and is repeated, at
/// most three times. Knows no clock and no packets: `run(rate, seconds)` does the work.
class RateSearch {
 public:
  using RunTrial = std::function<TrialSummary(double rate_pps, double seconds)>;
  static constexpr double kFlood = 1e9;
  static constexpr uint32_t kRepetitions = 3;

  RateSearch(const SearchLimits& limits, RunTrial run) : limits_(limits), run_(std::move(run)) {}
  SearchResult Run();

 private:
  TrialSummary Try(double rate_pps, double seconds, double loss_limit);
  double Bisect(double low, double high);
  bool Confirm(double rate_pps);
  void FindZeroLoss();

  const SearchLimits limits_;
  const RunTrial run_;
  SearchResult result_;
};

}  // namespace linegate::load
