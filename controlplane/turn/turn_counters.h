#pragma once
#include <cstdint>
#include <string_view>

namespace linegate::turn {

/// What happened, by reason; one list for the fields, the names and the documentation.
struct TurnCounters {
#define LG_TURN_COUNTER(symbol, text) uint64_t symbol = 0;
#include "controlplane/turn/turn_counters.def"
#undef LG_TURN_COUNTER

  /// Calls `visit(name, text, value)` for each, in the order of the table.
  template <typename Visitor>
  void ForEach(Visitor&& visit) const {
#define LG_TURN_COUNTER(symbol, text) visit(std::string_view(#symbol), std::string_view(text), symbol);
#include "controlplane/turn/turn_counters.def"
#undef LG_TURN_COUNTER
  }
};

}  // namespace linegate::turn
