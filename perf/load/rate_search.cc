#include "perf/load/rate_search.h"

#include <algorithm>

namespace linegate::load {
namespace {

constexpr double kResolution = 0.01;
constexpr double kLeastShare = 0.05;     // of what a flood passed
constexpr double kConfirmStep = 0.02;    // and more each time
constexpr double kConfirmMargin = 0.97;  // of what a failed confirmation passed
constexpr double kZeroLossStep = 0.97;
constexpr int kMostConfirmations = 8;
constexpr int kMostZeroLossSteps = 5;
constexpr double kProbeSeconds = 0.1;
constexpr double kSlow = 0.85;     // of the median flood
constexpr double kReached = 0.99;  ///< of the asked rate: the generator kept up

}  // namespace

TrialSummary RateSearch::Flood(double seconds) {
  TrialSummary flood = run_(kFlood, seconds);
  // Without one moment in which both cores were there it says nothing.
  for (uint32_t n = 0; n < kRepetitions && flood.disturbed && flood.received_pps == 0; ++n) {
    rest_();
    ++result_.repeated_trials;
    flood = run_(kFlood, seconds);
  }
  floods_.insert(std::ranges::upper_bound(floods_, flood.received_pps), flood.received_pps);
  result_.flood_pps = floods_[floods_.size() / 2];
  result_.flood_best_pps = floods_.back();
  result_.generator_peak_pps = std::max(result_.generator_peak_pps, flood.offered_pps);
  return flood;
}

bool RateSearch::MachineIsSlow() { return Flood(kProbeSeconds).received_pps < kSlow * result_.flood_pps; }

TrialSummary RateSearch::Try(double rate_pps, double seconds, double loss_limit) {
  TrialSummary summary = run_(rate_pps, seconds);
  for (uint32_t n = 0; n < kRepetitions && summary.loss > loss_limit; ++n) {
    if (!summary.disturbed && !MachineIsSlow()) break;
    rest_();
    ++result_.repeated_trials;
    summary = run_(rate_pps, seconds);
  }
  return summary;
}

bool RateSearch::Passes(double rate_pps) {
  for (int n = 0; n < 2; ++n) {
    if (Try(rate_pps, limits_.trial_seconds, limits_.loss).loss <= limits_.loss) return true;
  }
  return false;
}

double RateSearch::Bisect(double low, double high) {
  // `low` may be too high already: down until it is not, or until there is no point in it.
  const double floor = kLeastShare * low;
  while (low > floor && !Passes(low)) {
    high = low;
    low *= 0.7;
  }
  if (low <= floor) return 0;
  while (high - low > kResolution * high) {
    const double middle = (low + high) / 2;
    (Passes(middle) ? low : high) = middle;
  }
  return low;
}

bool RateSearch::Confirm(double rate_pps) {
  result_.confirmations.clear();
  std::vector<double> losses;
  for (int n = 0; n < 3; ++n) {
    result_.confirmations.push_back(Try(rate_pps, limits_.confirm_seconds, limits_.loss));
    losses.push_back(result_.confirmations.back().loss);
    // Two of three decide.
    if (std::ranges::count_if(losses, [this](double loss) { return loss > limits_.loss; }) == 2) break;
  }
  std::sort(losses.begin(), losses.end());
  result_.loss = losses[1];
  return result_.loss <= limits_.loss;
}

void RateSearch::FindZeroLoss() {
  double rate = result_.rate_pps;
  for (int n = 0; n < kMostZeroLossSteps; ++n, rate *= kZeroLossStep) {
    if (Try(rate, limits_.trial_seconds, 0).loss > 0) continue;
    result_.zero_loss_pps = rate;
    return;
  }
}

SearchResult RateSearch::Run() {
  result_ = {};
  floods_.clear();
  const TrialSummary flood = Flood(limits_.trial_seconds);
  const double ceiling = flood.offered_pps * kReached;
  double rate = std::min(flood.received_pps, ceiling);
  if (rate <= 0) return result_;
  // A flooded device may pass more (full bursts) or less (work for packets it then drops) than a steady one.
  rate = Bisect(0.8 * rate, std::min(1.2 * rate, ceiling));
  for (int n = 0; n < kMostConfirmations && rate > 0; ++n) {
    if (!Confirm(rate)) {
      rate = std::min((1 - kConfirmStep * (n + 1)) * rate,
                      kConfirmMargin * result_.confirmations.back().received_pps);
      continue;
    }
    result_.rate_pps = rate;
    result_.generator_limited = rate > 0.97 * ceiling;
    FindZeroLoss();
    break;
  }
  return result_;
}

}  // namespace linegate::load
