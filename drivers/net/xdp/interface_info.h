#pragma once
#include <cstdint>
#include <string>

#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::drivers {

/// What the kernel says of one network interface.
struct InterfaceInfo {
  int index = 0;
  MacAddress mac;
  uint32_t mtu = 0;
  uint32_t receive_queues = 1;
  std::string driver;  ///< "veth", "ixgbe"; empty if the driver does not say
  bool up = false;
};

/// Errors: no such interface (in this network namespace); the kernel refuses to describe it.
Result<InterfaceInfo> InspectInterface(const std::string& name);

}  // namespace linegate::drivers
