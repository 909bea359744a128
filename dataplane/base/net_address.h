#pragma once
#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/byte_view.h"

namespace linegate {

enum class IpFamily : uint8_t { kNone = 0, kIpv4 = 4, kIpv6 = 6 };

/// An IPv4 or IPv6 address in network byte order. IPv4 uses the first 4 bytes, the rest is zero, so equality and
/// hashing work on the whole value. `kNone` is "no address".
class IpAddress {
 public:
  constexpr IpAddress() = default;
  static IpAddress V4(std::span<const uint8_t, 4> bytes) {
    IpAddress address;
    address.AssignV4(bytes);
    return address;
  }
  static IpAddress V6(std::span<const uint8_t, 16> bytes) {
    IpAddress address;
    address.family_ = IpFamily::kIpv6;
    std::memcpy(address.bytes_.data(), bytes.data(), bytes.size());
    return address;
  }
  static constexpr IpAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    IpAddress address;
    address.family_ = IpFamily::kIpv4;
    address.bytes_[0] = a, address.bytes_[1] = b, address.bytes_[2] = c, address.bytes_[3] = d;
    return address;
  }
  /// Whole words, because the next thing that happens to an address of a packet is a comparison by words.
  void AssignV4(std::span<const uint8_t, 4> bytes) {
    uint32_t first;
    std::memcpy(&first, bytes.data(), sizeof first);
    const std::array<uint64_t, 2> words = {FirstBytes(first), 0};
    std::memcpy(bytes_.data(), &words[0], sizeof words[0]);
    std::memcpy(bytes_.data() + 8, &words[1], sizeof words[1]);
    family_ = IpFamily::kIpv4;
  }
  /// Textual forms of RFC 791 dotted quad and RFC 4291 section 2.2 (no brackets, no zone). nullopt if malformed.
  static std::optional<IpAddress> Parse(std::string_view text);

  constexpr IpFamily family() const { return family_; }
  constexpr bool is_v4() const { return family_ == IpFamily::kIpv4; }
  constexpr bool is_v6() const { return family_ == IpFamily::kIpv6; }
  /// All zero bits, or no address at all (SDP's `c=0.0.0.0`).
  bool is_unspecified() const;
  /// 4 or 16 bytes (0 for kNone).
  ByteView bytes() const { return {bytes_.data(), is_v4() ? 4u : is_v6() ? 16u : 0u}; }
  /// All 16 bytes, those behind an IPv4 address zero.
  std::span<const uint8_t, 16> padded() const { return bytes_; }
  std::string ToString() const;
  /// IPv4 before IPv6.
  friend constexpr auto operator<=>(const IpAddress& a, const IpAddress& b) {
    const auto families = a.family_ <=> b.family_;
    return families != 0 ? families : a.bytes_ <=> b.bytes_;
  }
  /// Compared several times per packet: three words, where the default calls memcmp.
  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    return a.family_ == b.family_ && LoadBe64(a.bytes_.data()) == LoadBe64(b.bytes_.data()) &&
           LoadBe64(a.bytes_.data() + 8) == LoadBe64(b.bytes_.data() + 8);
  }

 private:
  /// A word whose first four bytes in memory are those of `first`.
  static constexpr uint64_t FirstBytes(uint32_t first) {
    return std::endian::native == std::endian::little ? first : uint64_t{first} << 32;
  }
  std::array<uint8_t, 16> bytes_ = {};
  IpFamily family_ = IpFamily::kNone;
};

/// A UDP or TCP transport address.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  /// "10.0.0.1:5060" or "[fd90::1]:5060". nullopt if malformed.
  static std::optional<Endpoint> Parse(std::string_view text);
  std::string ToString() const;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
  friend bool operator==(const Endpoint& a, const Endpoint& b) {
    return a.port == b.port && a.address == b.address;
  }
};

struct MacAddress {
  std::array<uint8_t, 6> bytes = {};
  std::string ToString() const;
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

}  // namespace linegate

template <>
struct std::hash<linegate::IpAddress> {
  size_t operator()(const linegate::IpAddress& a) const noexcept {
    return std::hash<std::string_view>{}(linegate::AsText(a.bytes()));
  }
};
template <>
struct std::hash<linegate::Endpoint> {
  size_t operator()(const linegate::Endpoint& e) const noexcept {
    return std::hash<linegate::IpAddress>{}(e.address) * 31 + e.port;
  }
};
