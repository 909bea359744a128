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
constexpr double kCheckpointSeconds = 0.01;
constexpr double kLongestTrial = 3;  // times what was asked for
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

struct TrialRunner::Segment {
  uint64_t offered = 0;  ///< these four up to the last checkpoint
  uint64_t lost = 0;
  double seconds = 0;
  LatencyHistogram latency;
  uint64_t not_taken = 0;
  bool stalled = false;
  double own_gap_us = 0;
  double device_gap_us = 0;
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
  io::Packet check;
  const auto browser =
      plan_.IsBrowser(CallPlan::Side::kFirst) ? CallPlan::Side::kFirst : CallPlan::Side::kSecond;
  if (traffic_.CheckIsDue() && traffic_.MakeCheck(browser_port_, traffic_.current_call(), browser, check)) {
    ++progress.offered;
    progress.not_taken += 1 - browser_port_.Send({&check, 1});
  }
}

TrialRunner::Segment TrialRunner::RunSegment(double rate_pps, double seconds) {
  const Foremost foremost(device_ != nullptr && realtime_);
  checker_.Reset();
  Segment segment;
  Progress progress;
  const uint64_t device_lost_before = device_ == nullptr ? 0 : device_->Losses();
  const double burst_cycles = double(io::kMaxBurst) / rate_pps * tsc_hz_;
  const bool flood = rate_pps >= RateSearch::kFlood;
  const uint64_t longest_allowed =
      flood || device_ == nullptr ? UINT64_MAX : uint64_t(double(ring_slots_) / rate_pps * tsc_hz_);
  const auto checkpoint_cycles = uint64_t(kCheckpointSeconds * tsc_hz_);
  const uint64_t begin = __rdtsc();
  const uint64_t end = begin + uint64_t(seconds * tsc_hz_);
  double next = double(begin);
  uint64_t now = begin, longest = 0, heard = begin, silence = 0, checkpoint = begin + checkpoint_cycles;
  const auto commit = [&](uint64_t lost) {
    segment.offered = progress.offered;
    segment.lost = lost;
    segment.seconds = double(now - begin) / tsc_hz_;
    checker_.TakeLatency(segment.latency);
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
    if (std::max(longest, silence) > longest_allowed) {
      segment.stalled = true;
      break;
    }
    if (now >= checkpoint && device_ != nullptr && !flood) {
      commit(progress.not_taken + device_->Losses() - device_lost_before);
      now = __rdtsc();
      checkpoint = now + checkpoint_cycles;
    }
  }
  segment.own_gap_us = double(longest) / tsc_hz_ * 1e6;
  segment.device_gap_us = double(silence) / tsc_hz_ * 1e6;
  segment.not_taken = progress.not_taken;
  if (Drain(progress.offered - progress.not_taken) > longest_allowed) {
    // Nothing is lost by a stall now, but what waited meanwhile says nothing about the device.
    LatencyHistogram waited;
    checker_.TakeLatency(waited);
  }
  if (!segment.stalled)
    commit(progress.offered > checker_.received() ? progress.offered - checker_.received() : 0);
  return segment;
}

TrialResult TrialRunner::Run(double rate_pps, double seconds) {
  TrialResult result;
  checker_.Reset();
  Drain(UINT64_MAX);
  const double longest = device_ == nullptr ? seconds : kSegmentSeconds;
  const DeviceLink::Turns before = device_ == nullptr ? DeviceLink::Turns() : device_->WorkerTurns();
  const uint64_t begin = __rdtsc();
  while (result.seconds < 0.999 * seconds && double(__rdtsc() - begin) < kLongestTrial * seconds * tsc_hz_) {
    const Segment segment = RunSegment(rate_pps, std::min(longest, seconds - result.seconds));
    result.offered += segment.offered;
    result.lost += segment.lost;
    result.not_taken += segment.not_taken;
    result.seconds += segment.seconds;
    result.latency.Add(segment.latency);
    result.stalls += segment.stalled ? 1 : 0;
    result.checked += checker_.checked();
    result.bad += checker_.bad();
    result.own_gap_us = std::max(result.own_gap_us, segment.own_gap_us);
    result.device_gap_us = std::max(result.device_gap_us, segment.device_gap_us);
    const timespec breath = {0, kBreathNs};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &breath, nullptr);
  }
  if (device_ != nullptr) {
    const DeviceLink::Turns after = device_->WorkerTurns();
    result.worker = {after.received - before.received, after.busy - before.busy, after.idle - before.idle};
  }
  TrialSummary& summary = result.summary;
  summary.disturbed = result.seconds < 0.99 * seconds;
  if (result.offered == 0) {
    summary = {.offered_pps = rate_pps, .received_pps = 0, .loss = 1, .disturbed = true};
    return result;
  }
  summary.offered_pps = double(result.offered) / result.seconds;
  summary.received_pps = double(result.offered - result.lost) / result.seconds;
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
