#include "controlplane/ice/candidate.h"

namespace linegate::ice {
namespace {

/// RFC 8445 section 5.1.2.1: type preference 126 for host candidates, component 1.
uint32_t HostPriority(size_t rank) { return (126u << 24) | (uint32_t(65535 - rank) << 8) | (256 - 1); }

}  // namespace

std::vector<std::string> HostCandidates(const std::vector<IpAddress>& addresses, uint16_t port) {
  std::vector<std::string> lines;
  for (size_t rank = 0; rank < addresses.size(); ++rank) {
    lines.push_back(std::to_string(rank + 1) + " 1 udp " + std::to_string(HostPriority(rank)) + " " +
                    addresses[rank].ToString() + " " + std::to_string(port) + " typ host");
  }
  return lines;
}

}  // namespace linegate::ice
