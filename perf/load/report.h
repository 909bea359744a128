#pragma once
#include <string>

#include "perf/load/rate_search.h"
#include "perf/load/suite.h"
#include "perf/load/trial.h"

namespace linegate::load {

/// One measurement, whole.
struct Report {
  std::string name;
  SearchResult search;
  TrialResult loaded;  ///< at 80 % of the rate found, or the single trial
  double tsc_hz = 0;
  uint64_t bad = 0;
  uint64_t checked = 0;
};

/// One line of JSON; names and units as in docs/performance.md.
std::string ToJson(const Report& report);
/// A few lines for people.
std::string ToText(const Report& report);

}  // namespace linegate::load
