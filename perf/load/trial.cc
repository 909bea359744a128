#include "perf/load/trial.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>

#include "dataplane/base/time.h"

namespace linegate::load {
namespace {

constexpr double kDrainSeconds = 0.02;
constexpr double kSegmentSeconds = 0.5;
constexpr double kSliceSeconds = 0.004;
constexpr double kShortestSegmentSeconds = 5 * kSliceSeconds;  // the slices at its ends count least often
constexpr double kLongestTurnSeconds = 100e-6;                 // as of the worker: abi::Counter::kLateTurns
constexpr double kLongestTrial = 3;                            // times what was asked for
constexpr long kBreathNs = 4'000'000;
constexpr double kConsentSeconds = 10;
constexpr size_t kChecksInFlight = 256;

double MeasureTscHz() {
  const TimePoint begin = MonotonicNow();
  const uint64_t tsc = __rdtsc();
  while (MonotonicNow() - begin < std::chrono::milliseconds(50)) {
  }
  return double(__rdtsc() - tsc) / std::chrono::duration<double>(MonotonicNow() - begin).count();
}

/// Before all ordinary threads of this core, as long as it lives. Where that is not allowed, nothing changes.
class Foremost {
 public:
  explicit Foremost(bool wanted) : wanted_(wanted) {
    if (wanted_) Become(SCHED_FIFO, 1);
  }
  Foremost(const Foremost&) = delete;
  Foremost& operator=(const Foremost&) = delete;
  ~Foremost() {
    if (wanted_) Become(SCHED_OTHER, 0);
  }

 private:
  static void Become(int policy, int priority) {
    sched_param parameters = {};
    parameters.sched_priority = priority;
    (void)pthread_setschedparam(pthread_self(), policy, &parameters);
  }
  const bool wanted_;
};

}  // namespace

struct TrialRunner::Progress {
  uint64_t offered = 0;
  uint64_t not_taken = 0;
};

TrialRunner::TrialRunner(drivers::DpdkPort& browser_port, drivers::DpdkPort* phone_port, const CallPlan& plan,
                         Traffic& traffic, Checker& checker, DeviceLink* device)
    : browser_port_(browser_port),
      phone_port_(phone_port),
      plan_(plan),
      traffic_(traffic),
      checker_(checker),
      device_(device),
      tsc_hz_(MeasureTscHz()) {}

size_t TrialRunner::Receive(drivers::DpdkPort& port) {
  std::array<io::Packet, io::kMaxBurst> burst;
  size_t total = 0;
  while (const size_t count = port.Receive(burst)) {
    checker_.Look(std::span(burst).first(count), traffic_.round());
    port.Free(std::span(burst).first(count));
    total += count;
    if (count < burst.size() || total >= 2 * burst.size()) break;
  }
  return total;
}

size_t TrialRunner::ReceiveAll() {
  size_t count = Receive(browser_port_);
  if (phone_port_ != nullptr) count += Receive(*phone_port_);
  return count;
}

uint64_t TrialRunner::Drain(uint64_t expected) {
  uint64_t now = __rdtsc(), last = now, longest = 0;
  while (checker_.received() < expected && double(now - last) < kDrainSeconds * tsc_hz_) {
    const bool any = ReceiveAll() != 0;
    const uint64_t turn = __rdtsc();
    longest = std::max(longest, turn - now);
    now = turn;
    if (any) last = now;
  }
  return longest;
}

void TrialRunner::SendBurst(Progress& progress) {
  drivers::DpdkPort& port = PortOf(traffic_.media_port());
  std::array<io::Packet, io::kMaxBurst> burst;
  const size_t count = traffic_.MakeBurst(port, burst);
  const size_t taken = port.Send(std::span(burst).first(count));
  progress.offered += count;
  progress.not_taken += count - taken;
  if (taken != count) traffic_.TakeBack(count - taken);
  io::Packet check;
  const auto browser =
      plan_.IsBrowser(CallPlan::Side::kFirst) ? CallPlan::Side::kFirst : CallPlan::Side::kSecond;
  if (traffic_.CheckIsDue() && traffic_.MakeCheck(browser_port_, traffic_.current_call(), browser, check)) {
    ++progress.offered;
    progress.not_taken += 1 - browser_port_.Send({&check, 1});
  }
}

void TrialRunner::RunSegment(double rate_pps, double seconds, SliceLedger& ledger, TrialResult& result) {
  const Foremost foremost(device_ != nullptr && realtime_);
  checker_.Reset();
  Progress progress, counted;
  const auto dropped = [this] { return device_ == nullptr ? 0 : device_->Losses(); };
  const auto worker = [this] { return device_ == nullptr ? DeviceLink::Turns() : device_->WorkerTurns(); };
  const uint64_t dropped_before = dropped();
  uint64_t dropped_counted = dropped_before, late_counted = worker().late_turns;
  const double burst_cycles = double(io::kMaxBurst) / rate_pps * tsc_hz_;
  const auto longest_turn = uint64_t(kLongestTurnSeconds * tsc_hz_);
  const auto slice_cycles = device_ == nullptr ? UINT64_MAX / 2 : uint64_t(kSliceSeconds * tsc_hz_);
  const uint64_t begin = __rdtsc();
  const uint64_t end = begin + uint64_t(seconds * tsc_hz_);
  double next = double(begin);
  uint64_t now = begin, slice_begin = begin, longest = 0, heard = begin, silence = 0;
  const auto cores_were_away = [&] {
    const uint64_t late = worker().late_turns;
    const bool away =
        device_ != nullptr && (longest > longest_turn || (worker_may_not_be_late_ && late != late_counted));
    result.stalls += uint32_t(late - late_counted) + (longest > longest_turn ? 1 : 0);
    result.own_gap_us = std::max(result.own_gap_us, double(longest) / tsc_hz_ * 1e6);
    late_counted = late;
    longest = 0;
    return away;
  };
  const auto end_slice = [&] {
    Slice slice;
    slice.cycles = now - slice_begin;
    slice.offered = progress.offered - counted.offered;
    const uint64_t drops = dropped();
    slice.lost = progress.not_taken - counted.not_taken + drops - dropped_counted;
    checker_.TakeLatency(slice.latency);
    slice.disturbed = cores_were_away();
    ledger.Add(slice);
    counted = progress;
    dropped_counted = drops;
    slice_begin = now = __rdtsc();
  };
  while (now < end) {
    if (double(now) >= next) {
      SendBurst(progress);
      // A flood has no schedule; a rate that cannot be kept shows in what was offered.
      next = std::max(next + burst_cycles, double(now) - 64 * burst_cycles);
    }
    const bool any = ReceiveAll() != 0;
    const uint64_t turn = __rdtsc();
    longest = std::max(longest, turn - now);
    silence = std::max(silence, turn - heard);
    if (any) heard = turn;
    if (!any) _mm_pause();  // the other core may be a sibling
    now = turn;
    if (now - slice_begin >= slice_cycles) end_slice();
  }
  end_slice();
  result.device_gap_us = std::max(result.device_gap_us, double(silence) / tsc_hz_ * 1e6);
  result.not_taken += progress.not_taken;
  longest = Drain(progress.offered - progress.not_taken);
  // What came back is counted exactly; whatever no counter accounts for was lost on the way.
  Slice rest;
  rest.disturbed = false;
  const uint64_t known = checker_.received() + progress.not_taken + dropped() - dropped_before;
  rest.lost = progress.offered > known ? progress.offered - known : 0;
  checker_.TakeLatency(rest.latency);
  ledger.Add(rest);
  ledger.Close(cores_were_away());
  result.checked += checker_.checked();
  result.bad += checker_.bad();
}

TrialResult TrialRunner::Run(double rate_pps, double seconds) {
  TrialResult result;
  checker_.Reset();
  Drain(UINT64_MAX);
  SliceLedger ledger;
  const auto counted_seconds = [&] { return double(ledger.total().cycles) / tsc_hz_; };
  const double longest = device_ == nullptr ? seconds : kSegmentSeconds;
  const DeviceLink::Turns before = device_ == nullptr ? DeviceLink::Turns() : device_->WorkerTurns();
  const uint64_t begin = __rdtsc();
  while (counted_seconds() < 0.999 * seconds &&
         double(__rdtsc() - begin) < kLongestTrial * seconds * tsc_hz_) {
    RunSegment(rate_pps, std::min(longest, std::max(seconds - counted_seconds(), kShortestSegmentSeconds)),
               ledger, result);
    const timespec breath = {0, kBreathNs};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &breath, nullptr);
  }
  const Slice& total = ledger.total();
  result.offered = total.offered;
  result.lost = total.lost;
  result.seconds = counted_seconds();
  result.wall_seconds = double(__rdtsc() - begin) / tsc_hz_;
  result.latency = total.latency;
  if (device_ != nullptr) {
    const DeviceLink::Turns after = device_->WorkerTurns();
    result.worker = {after.received - before.received, after.busy - before.busy, after.idle - before.idle,
                     after.late_turns - before.late_turns};
  }
  TrialSummary& summary = result.summary;
  summary.disturbed = result.seconds < 0.99 * seconds;
  if (result.offered == 0) {
    summary = {.offered_pps = rate_pps, .received_pps = 0, .loss = 1, .disturbed = true};
    return result;
  }
  summary.offered_pps = double(result.offered) / result.seconds;
  summary.received_pps = double(result.offered - std::min(result.lost, result.offered)) / result.seconds;
  summary.loss = double(result.lost) / double(result.offered);
  return result;
}

bool TrialRunner::RefreshConsent() {
  if (!plan_.needs_consent()) return true;
  checker_.Reset();
  Drain(UINT64_MAX);
  checker_.Reset();
  uint64_t wanted = 0;
  const TimePoint limit =
      MonotonicNow() + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kConsentSeconds));
  for (CallPlan::Side side : {CallPlan::Side::kFirst, CallPlan::Side::kSecond}) {
    if (!plan_.IsBrowser(side)) continue;
    for (uint32_t call = 0; call < plan_.calls(); ++call) {
      io::Packet check;
      if (!traffic_.MakeCheck(browser_port_, call, side, check)) return false;
      wanted += browser_port_.Send({&check, 1});
      while (wanted - checker_.received() >= kChecksInFlight) {
        ReceiveAll();
        if (MonotonicNow() > limit) return false;
      }
    }
  }
  Drain(wanted);
  return checker_.received() == wanted && checker_.bad() == 0;
}

}  // namespace linegate::load
