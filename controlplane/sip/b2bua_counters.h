#pragma once
#include <cstdint>
#include <string_view>
#include <utility>

namespace linegate::sip {

/// What happened, by reason; one list for the fields, the names and the documentation.
struct B2buaCounters {
#define LG_B2BUA_COUNTER(symbol, text) uint64_t symbol = 0;
#include "controlplane/sip/b2bua_counters.def"
#undef LG_B2BUA_COUNTER

  /// Calls `visit(name, text, value)` for each, in the order of the table.
  template <typename Visitor>
  void ForEach(Visitor&& visit) const {
#define LG_B2BUA_COUNTER(symbol, text) visit(std::string_view(#symbol), std::string_view(text), symbol);
#include "controlplane/sip/b2bua_counters.def"
#undef LG_B2BUA_COUNTER
  }
};

}  // namespace linegate::sip
