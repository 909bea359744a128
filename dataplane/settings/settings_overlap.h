#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/net_address.h"

namespace linegate::settings {

/// One use of UDP ports on one address, and where the file says so.
struct PortUse {
  IpAddress address;
  uint32_t first = 0;  ///< inclusive
  uint32_t last = 0;   ///< inclusive
  std::string where;   ///< "[[realm]] 'public' webrtc_port"
  uint32_t line = 0;
};

struct PortOverlap {
  const PortUse* earlier = nullptr;
  const PortUse* later = nullptr;
};

/// The first pair of uses that share a port on one address; `later` stands later in `uses`.
std::optional<PortOverlap> FindOverlap(const std::vector<PortUse>& uses);

}  // namespace linegate::settings
