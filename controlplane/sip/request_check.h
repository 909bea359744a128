#pragma once
#include <optional>
#include <string_view>

#include "controlplane/sip/b2bua_config.h"
#include "controlplane/sip/b2bua_counters.h"
#include "controlplane/sip/message.h"

namespace linegate::sip {

/// Why a request cannot be looked at any further.
struct Defect {
  int status;
  std::string_view reason;
  uint64_t B2buaCounters::*counter;
};

/// RFC 3261 section 8.1.1: the mandatory headers; then our own limits. nullopt: nothing is wrong.
std::optional<Defect> FindDefect(const Message& request, const B2buaLimits& limits);

}  // namespace linegate::sip
