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
  bool disturbed = false;  ///< the two cores were not both there for long enough
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
  double flood_pps = 0;            ///< what came through when everything was offered; median of all floods
  double flood_best_pps = 0;       ///< the best of them
  double generator_peak_pps = 0;   ///< what was offered then
  bool generator_limited = false;  ///< the device would take more than the generator can offer
  uint32_t repeated_trials = 0;    ///< because they were disturbed, or the machine was slow
  std::vector<TrialSummary> confirmations;
};

/// Throughput as in RFC 2544 section 26.1: the highest rate whose loss stays within the limit.
///
/// Theory of operation. A flood tells roughly what the device passes; bisection narrows it down to 1 %; the rate found
/// is confirmed by the median of three longer trials, else 2 % less is tried, then 4 % less than that, and so on. Then the rate falls in steps of 3 %
/// until a trial lost nothing. While it searches, a rate may fail once and pass then; when it confirms, it may not. A trial that failed while one of the cores stood still says nothing and is repeated, at
/// most three times. So is one that failed while the machine was slow: cores that are somebody else's second thread lose
/// up to half of their speed for seconds. A short flood after a failure tells: it passes much less than most others did.
/// Knows no clock and no packets: `run(rate, seconds)` does the work, `rest` waits a little.
class RateSearch {
 public:
  using RunTrial = std::function<TrialSummary(double rate_pps, double seconds)>;
  static constexpr double kFlood = 1e9;
  static constexpr uint32_t kRepetitions = 3;

  RateSearch(
      const SearchLimits& limits, RunTrial run, std::function<void()> rest = [] {})
      : limits_(limits), run_(std::move(run)), rest_(std::move(rest)) {}
  SearchResult Run();

 private:
  TrialSummary Flood(double seconds);
  bool MachineIsSlow();
  TrialSummary Try(double rate_pps, double seconds, double loss_limit);
  /// One trial in two is enough to go on with; the confirmation decides.
  bool Passes(double rate_pps);
  double Bisect(double low, double high);
  bool Confirm(double rate_pps);
  void FindZeroLoss();

  const SearchLimits limits_;
  const RunTrial run_;
  const std::function<void()> rest_;
  std::vector<double> floods_;
  SearchResult result_;
};

}  // namespace linegate::load
