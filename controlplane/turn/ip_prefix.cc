#include "controlplane/turn/ip_prefix.h"

#include <charconv>

namespace linegate::turn {
namespace {

bool BitSet(ByteView bytes, size_t bit) { return ((bytes[bit / 8] >> (7 - bit % 8)) & 1) != 0; }

}  // namespace

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto network = IpAddress::Parse(text.substr(0, slash));
  if (!network) return std::nullopt;
  const auto width = uint8_t(network->bytes().size() * 8);
  IpPrefix prefix{*network, width};
  if (slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, prefix.bits);
    if (digits.empty() || error != std::errc{} || stop != end || prefix.bits > width) return std::nullopt;
  }
  for (size_t bit = prefix.bits; bit < width; ++bit) {
    if (BitSet(network->bytes(), bit)) return std::nullopt;
  }
  return prefix;
}

bool IpPrefix::Contains(const IpAddress& address) const {
  if (address.family() != network.family()) return false;
  const ByteView a = address.bytes(), n = network.bytes();
  const size_t whole = bits / 8;
  for (size_t i = 0; i < whole; ++i) {
    if (a[i] != n[i]) return false;
  }
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[whole] ^ n[whole]) >> (8 - rest)) == 0;
}

}  // namespace linegate::turn
