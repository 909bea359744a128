#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "dataplane/base/net_address.h"

namespace linegate::ice {

/// The a=candidate values of an ICE-lite agent (RFC 8839 section 5.1): one UDP host candidate per address,
/// component 1 only (rtcp-mux), each with its own foundation because each has its own base address (RFC 8445
/// section 5.1.1.3). The order given is the preference: the operator lists the better address first.
std::vector<std::string> HostCandidates(const std::vector<IpAddress>& addresses, uint16_t port);

}  // namespace linegate::ice
