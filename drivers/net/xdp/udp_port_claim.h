#pragma once
#include <cstdint>

#include "dataplane/base/net_address.h"

namespace linegate::drivers {

/// UDP ports of one local address that belong to the dataplane and not to the kernel. Both ends inclusive.
struct UdpPortClaim {
  IpAddress address;
  uint16_t first = 0;
  uint16_t last = 0;
};

}  // namespace linegate::drivers
