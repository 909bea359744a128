#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "drivers/net/xdp/udp_port_claim.h"

namespace linegate::drivers {

/// How a card can be told which queue a UDP port belongs to (rte_flow).
enum class NicFamily : uint8_t {
  kI40e,  ///< X710, XL710: exact ports only, in a table that all its ports share
  kIce,   ///< E810: the same with a larger table
  kMlx5,  ///< ConnectX: ports under a mask; in isolated mode it takes what a rule names and leaves the rest to the kernel
};
std::string_view NicFamilyName(NicFamily family);

/// Ports of one address and where their packets are to go.
struct SteeredPorts {
  UdpPortClaim ports;
  std::optional<uint16_t> queue;  ///< empty: a listener, spread over all queues
};

/// One rule: UDP to `destination` at the ports that agree with `port` in the bits of `mask`.
struct SteeringRule {
  IpAddress destination;
  uint16_t port = 0;
  uint16_t mask = 0xffff;
  std::vector<uint16_t> queues;  ///< one: to it; several: spread by hash
  friend bool operator==(const SteeringRule&, const SteeringRule&) = default;

  /// What testpmd takes: "flow create 0 ingress pattern eth / ipv4 dst is ... / end actions queue index 1 / end".
  std::string ToString(uint16_t ethdev) const;
};

/// The rules that bring every port of `ports` to its queue, in the order given; none of them overlap, since ports do not.
///
/// i40e and ice: a rule for each owned port; listeners need none, since what no rule matches is spread by the card's RSS.
/// mlx5: ranges are cut into blocks of a power of two, a rule each; listeners are spread by a rule of their own over all
/// `queue_count` queues, because an isolated port delivers nothing without one.
///
/// Errors: more rules than the family's table holds (says how many and what to do); a queue beyond `queue_count`.
Result<std::vector<SteeringRule>> MakeSteeringRules(NicFamily family, std::span<const SteeredPorts> ports,
                                                    uint16_t queue_count);

}  // namespace linegate::drivers
