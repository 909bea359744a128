#include "perf/load/trial.h"

#include <x86intrin.h>

#include <algorithm>
#include <array>

#include "dataplane/base/time.h"

namespace linegate::load {
namespace {

constexpr double kDrainSeconds = 0.02;
constexpr double kConsentSeconds = 10;
constexpr size_t kChecksInFlight = 256;

double MeasureTscHz() {
  const TimePoint begin = MonotonicNow();
  const uint64_t tsc = __rdtsc();
  while (MonotonicNow() - begin < std::chrono::milliseconds(50)) {
  }
  return double(__rdtsc() - tsc) / std::chrono::duration<double>(MonotonicNow() - begin).count();
}

}  // namespace

TrialRunner::TrialRunner(drivers::DpdkPort& browser_port, drivers::DpdkPort* phone_port, const CallPlan& plan,
                         Traffic& traffic, Checker& checker)
    : browser_port_(browser_port),
      phone_port_(phone_port),
      plan_(plan),
      traffic_(traffic),
      checker_(checker),
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

void TrialRunner::Drain() {
  uint64_t last = __rdtsc();
  while (double(__rdtsc() - last) < kDrainSeconds * tsc_hz_) {
    if (ReceiveAll() != 0) last = __rdtsc();
  }
}

void TrialRunner::SendBurst(TrialResult& result) {
  drivers::DpdkPort& port = PortOf(traffic_.media_port());
  std::array<io::Packet, io::kMaxBurst> burst;
  const size_t count = traffic_.MakeBurst(port, burst);
  const size_t taken = port.Send(std::span(burst).first(count));
  result.offered += count;
  result.not_taken += count - taken;
  io::Packet check;
  const auto browser =
      plan_.IsBrowser(CallPlan::Side::kFirst) ? CallPlan::Side::kFirst : CallPlan::Side::kSecond;
  if (traffic_.CheckIsDue() && traffic_.MakeCheck(browser_port_, traffic_.current_call(), browser, check)) {
    ++result.offered;
    result.not_taken += 1 - browser_port_.Send({&check, 1});
  }
}

TrialResult TrialRunner::Run(double rate_pps, double seconds) {
  TrialResult result;
  Drain();
  checker_.Reset();
  const double burst_cycles = double(io::kMaxBurst) / rate_pps * tsc_hz_;
  const uint64_t begin = __rdtsc();
  const uint64_t end = begin + uint64_t(seconds * tsc_hz_);
  double next = double(begin);
  uint64_t now = begin, longest = 0, heard = begin, silence = 0;
  while (now < end) {
    if (double(now) >= next) {
      SendBurst(result);
      // A flood has no schedule; a rate that cannot be kept shows in what was offered.
      next = std::max(next + burst_cycles, double(now) - 64 * burst_cycles);
    }
    const bool any = ReceiveAll() != 0;
    const uint64_t turn = __rdtsc();
    longest = std::max(longest, turn - now);
    if (any) {
      silence = std::max(silence, turn - heard);
      heard = turn;
    }
    now = turn;
  }
  const double elapsed = double(now - begin) / tsc_hz_;
  Drain();
  result.received = checker_.received();
  result.checked = checker_.checked();
  result.bad = checker_.bad();
  result.latency = checker_.latency();
  result.own_gap_us = double(longest) / tsc_hz_ * 1e6;
  result.device_gap_us = double(silence) / tsc_hz_ * 1e6;
  TrialSummary& summary = result.summary;
  summary.offered_pps = double(result.offered) / elapsed;
  summary.received_pps = double(result.received) / elapsed;
  summary.loss = result.offered == 0 ? 0 : 1 - double(result.received) / double(result.offered);
  const double ring_us = double(kRingSlots) / std::max(summary.offered_pps, 1.0) * 1e6;
  summary.disturbed = std::max(result.own_gap_us, result.device_gap_us) > ring_us;
  return result;
}

bool TrialRunner::RefreshConsent() {
  if (plan_.is_turn()) return true;
  Drain();
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
  Drain();
  return checker_.received() == wanted && checker_.bad() == 0;
}

}  // namespace linegate::load
