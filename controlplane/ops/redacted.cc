#include "controlplane/ops/redacted.h"

#include <array>
#include <cstdio>

namespace linegate::ops {

std::string Masked(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  std::array<char, 16> text;
  if (address.is_v4()) {
    std::snprintf(text.data(), text.size(), "%u.%u.*.*", unsigned(bytes[0]), unsigned(bytes[1]));
  } else if (address.is_v6()) {
    std::snprintf(text.data(), text.size(), "%x:%x:*", unsigned(bytes[0] << 8 | bytes[1]),
                  unsigned(bytes[2] << 8 | bytes[3]));
  } else {
    return "none";
  }
  return text.data();
}

std::string Masked(const Endpoint& endpoint) {
  const std::string host = Masked(endpoint.address);
  return (endpoint.address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port);
}

std::string Masked(std::string_view text) {
  return std::string(text.substr(0, text.size() > 4 ? 2 : 0)) + "***";
}

}  // namespace linegate::ops
