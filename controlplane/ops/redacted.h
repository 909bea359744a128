#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/base/net_address.h"
#include "dataplane/base/secret.h"

namespace linegate::ops {

/// What a log may show of a value by default: "10.90.*.*", "fd90:1:*", "10.90.*.*:5060", "al***". Enough to
/// tell two networks apart, not to find a person.
std::string Masked(const IpAddress& address);
std::string Masked(const Endpoint& endpoint);
std::string Masked(std::string_view text);

/// A value on its way to the log: shown masked, unless the operator asked for debug.
struct Redacted {
  std::string masked;
  std::string plain;
  template <typename T>
  requires requires(const T& value) { value.ToString(); }
  explicit Redacted(const T& value) : masked(Masked(value)), plain(value.ToString()) {}
  explicit Redacted(std::string_view text) : masked(Masked(text)), plain(text) {}
};

}  // namespace linegate::ops
