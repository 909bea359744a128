#pragma once
#include <cstdint>

#include "drivers/net/dpdk_port.h"
#include "perf/load/checker.h"
#include "perf/load/device_link.h"
#include "perf/load/latency.h"
#include "perf/load/rate_search.h"
#include "perf/load/slice_ledger.h"
#include "perf/load/traffic.h"

namespace linegate::load {

struct TrialResult {
  TrialSummary summary;
  uint64_t offered = 0;  ///< frames given to the port, taken or not
  uint64_t lost = 0;
  double seconds = 0;
  double wall_seconds = 0;  ///< with what does not count
  // These of the whole trial, also of what does not count.
  uint64_t not_taken = 0;  ///< the ring towards the device was full
  uint64_t checked = 0;
  uint64_t bad = 0;
  uint32_t stalls = 0;       ///< times that one of the two cores was away for 100 us or longer
  double own_gap_us = 0;     ///< longest turn of the generator's loop
  double device_gap_us = 0;  ///< longest silence of the device while it was being sent to
  LatencyHistogram latency;
  DeviceLink::Turns worker;  ///< what it did meanwhile, pauses with it
};

/// Sends at one rate for some time on one core and listens on it, too.
///
/// Theory of operation. Bursts leave by the TSC; one that is late is sent at once, and the schedule is not stretched, so
/// that the offered rate is kept. What the ring does not take is lost, as a NIC would lose it.
///
/// A virtual machine stalls: several times a second a core is somebody else's for a while. What is lost then says nothing
/// about the device. A trial is therefore made of slices of 4 ms. Each has its loss (what our port did not take, and what the
/// device's counters say it dropped or could not send) and the knowledge of both cores whether they were there: we time
/// our turns, the worker counts its late ones (abi::Counter::kLateTurns). SliceLedger counts those that were not disturbed,
/// whatever they lost; a trial goes on until they make up its full time, within three times that, otherwise it is `disturbed`.
///
/// Within a segment the thread runs before everything else (SCHED_FIFO, where it may); between two it sleeps, so that
/// nothing starves: the kernel takes a starving task's time by force after a second, 50 ms at once.
///
/// Behind a kernel link a trial is one segment of an ordinary thread: the kernel's own threads deliver frames there, its
/// buffers outlast a stall, and other gateways have no counters for us.
class TrialRunner {
 public:
  /// `device`: nullptr behind a kernel link.
  TrialRunner(drivers::DpdkPort& browser_port, drivers::DpdkPort* phone_port, const CallPlan& plan,
              Traffic& traffic, Checker& checker, DeviceLink* device);
  void set_realtime(bool realtime) { realtime_ = realtime; }
  /// An engine whose turns take 100 us by their own work: its late turns say nothing, and every slice counts that we were there for.
  void set_slow_engine(bool slow) { worker_may_not_be_late_ = !slow; }
  TrialResult Run(double rate_pps, double seconds);
  /// Nominates the path of every browser (again): a leg without a check for 30 s is dead. False: answers are missing.
  bool RefreshConsent();
  double tsc_hz() const { return tsc_hz_; }

 private:
  struct Progress;
  void RunSegment(double rate_pps, double seconds, SliceLedger& ledger, TrialResult& result);
  size_t Receive(drivers::DpdkPort& port);
  size_t ReceiveAll();
  /// Until `expected` frames have come since the checker's Reset, or nothing has come for a while.
  /// Returns the longest turn, in cycles.
  uint64_t Drain(uint64_t expected);
  drivers::DpdkPort& PortOf(uint16_t port_id) {
    return port_id == 0 || phone_port_ == nullptr ? browser_port_ : *phone_port_;
  }
  void SendBurst(Progress& progress);

  drivers::DpdkPort& browser_port_;
  drivers::DpdkPort* const phone_port_;
  const CallPlan& plan_;
  Traffic& traffic_;
  Checker& checker_;
  DeviceLink* const device_;
  double tsc_hz_;
  bool realtime_ = true;
  bool worker_may_not_be_late_ = true;
};

}  // namespace linegate::load
