#pragma once
#include <cstdint>

#include "dataplane/settings/settings.h"

namespace linegate::settings {

/// DataplaneSettings::hash: over every other field, in order.
uint64_t HashOf(const DataplaneSettings& settings);

}  // namespace linegate::settings
