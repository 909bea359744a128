#pragma once
#include <string>
#include <vector>

#include "perf/load/rate_search.h"
#include "perf/load/suite.h"
#include "perf/load/trial.h"

namespace linegate::load {

/// Latency at one share of the rate found.
struct CurvePoint {
  double offered_pps = 0;
  double p50_us = 0;
  double p99_us = 0;
};

/// One measurement, whole.
struct Report {
  std::string name;
  SearchResult search;
  TrialResult loaded;  ///< at 80 % of the rate found, or the single trial
  std::vector<CurvePoint> curve;
  double tsc_hz = 0;
  uint32_t core_distance = 0;  ///< cycles from core to core and back, before it began; 0: not measured
  double wall_seconds = 0;     ///< of all trials
  double seconds = 0;          ///< of all trials, without the stalls
  uint64_t stalls = 0;         ///< times that a core was away for 100 us or longer
  uint64_t bad = 0;
  uint64_t checked = 0;
};

/// One line of JSON; names and units as in docs/performance.md.
std::string ToJson(const Report& report);
/// One line about one trial.
std::string ToText(const TrialResult& trial, double rate_pps);
/// A few lines for people.
std::string ToText(const Report& report);

}  // namespace linegate::load
