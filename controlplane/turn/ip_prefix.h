#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/net_address.h"

namespace linegate::turn {

/// A network: "10.90.2.0/24", "fd90:2::/64"; an address alone means itself.
struct IpPrefix {
  IpAddress network;
  uint8_t bits = 0;

  /// nullopt: malformed, or bits set behind the prefix ("10.0.0.1/8" is more often a slip than a wish).
  static std::optional<IpPrefix> Parse(std::string_view text);
  bool Contains(const IpAddress& address) const;
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

}  // namespace linegate::turn
