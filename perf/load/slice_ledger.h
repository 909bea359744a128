#pragma once
#include <cstdint>

#include "perf/load/latency.h"

namespace linegate::load {

/// What was sent and lost between two looks at the counters, some milliseconds.
struct Slice {
  uint64_t offered = 0;
  uint64_t lost = 0;
  uint64_t cycles = 0;     ///< how long it was
  bool disturbed = false;  ///< one of the two cores was away meanwhile
  LatencyHistogram latency;
};

/// Adds up the slices of a trial that say something about the device: those in which both cores were there all the time, and
/// in the ones before and after. (The slice before: an absence shows only when it is over. The one after: what had queued up.)
/// What a slice lost does not matter for that.
class SliceLedger {
 public:
  void Add(const Slice& slice) {
    if (held_ && !before_disturbed_ && !last_.disturbed && !slice.disturbed) Count(last_);
    before_disturbed_ = held_ && last_.disturbed;
    last_ = slice;
    held_ = true;
  }
  /// The last slice is over; `disturbed`: one of the cores was away since.
  void Close(bool disturbed) {
    Slice end;
    end.disturbed = disturbed;
    Add(end);
    held_ = before_disturbed_ = false;
  }
  /// Of the slices that count.
  const Slice& total() const { return total_; }

 private:
  void Count(const Slice& slice) {
    total_.offered += slice.offered;
    total_.lost += slice.lost;
    total_.cycles += slice.cycles;
    total_.latency.Add(slice.latency);
  }
  Slice total_;
  Slice last_;
  bool held_ = false;  ///< `last_` was not judged yet
  bool before_disturbed_ = false;
};

}  // namespace linegate::load
