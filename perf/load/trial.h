#pragma once
#include <cstdint>

#include "drivers/net/dpdk_port.h"
#include "perf/load/checker.h"
#include "perf/load/latency.h"
#include "perf/load/rate_search.h"
#include "perf/load/traffic.h"

namespace linegate::load {

struct TrialResult {
  TrialSummary summary;
  uint64_t offered = 0;    ///< frames given to the port, taken or not
  uint64_t not_taken = 0;  ///< the ring was full: lost
  uint64_t received = 0;
  uint64_t checked = 0;
  uint64_t bad = 0;
  double own_gap_us = 0;     ///< longest turn of the generator's loop
  double device_gap_us = 0;  ///< longest silence of the device while it was being sent to
  LatencyHistogram latency;
};

/// Sends at one rate for some time on one core and listens on it, too.
///
/// Theory of operation. Bursts leave by the TSC; one that is late is sent at once, and the schedule is not stretched, so
/// that the offered rate is kept over the trial. What the ring does not take is lost, as a NIC would lose it. After the
/// last burst the ports are drained until nothing has come for a while: loss is exact. A stall of the generator shows as
/// a long turn of its loop, one of the device as silence on the way back.
class TrialRunner {
 public:
  static constexpr uint32_t kRingSlots = 1024;

  TrialRunner(drivers::DpdkPort& browser_port, drivers::DpdkPort* phone_port, const CallPlan& plan,
              Traffic& traffic, Checker& checker);
  TrialResult Run(double rate_pps, double seconds);
  /// Nominates the path of every browser (again): a leg without a check for 30 s is dead. False: answers are missing.
  bool RefreshConsent();
  double tsc_hz() const { return tsc_hz_; }

 private:
  size_t Receive(drivers::DpdkPort& port);
  size_t ReceiveAll();
  void Drain();
  drivers::DpdkPort& PortOf(uint16_t port_id) {
    return port_id == 0 || phone_port_ == nullptr ? browser_port_ : *phone_port_;
  }
  void SendBurst(TrialResult& result);

  drivers::DpdkPort& browser_port_;
  drivers::DpdkPort* const phone_port_;
  const CallPlan& plan_;
  Traffic& traffic_;
  Checker& checker_;
  double tsc_hz_;
};

}  // namespace linegate::load
