#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "dataplane/base/check.h"

namespace linegate {

using ByteView = std::span<const uint8_t>;
using MutableByteView = std::span<uint8_t>;

inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A network-order integer as it stands on the wire. Conversion is explicit both ways; equality is allowed,
/// arithmetic is not.
template <typename T>
class BigEndian {
 public:
  BigEndian() = default;
  static constexpr BigEndian FromHost(T value) {
    BigEndian result;
    for (size_t i = 0; i < sizeof(T); ++i) result.bytes_[i] = uint8_t(value >> (8 * (sizeof(T) - 1 - i)));
    return result;
  }
  constexpr T host() const {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value = T((uint64_t(value) << 8) | bytes_[i]);
    return value;
  }
  friend constexpr bool operator==(const BigEndian&, const BigEndian&) = default;

 private:
  uint8_t bytes_[sizeof(T)] = {};
};
using Be16 = BigEndian<uint16_t>;
using Be32 = BigEndian<uint32_t>;
using Be64 = BigEndian<uint64_t>;

inline uint16_t LoadBe16(const uint8_t* p) {
  uint16_t v;
  std::memcpy(&v, p, 2);
  return __builtin_bswap16(v);
}
inline uint32_t LoadBe32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
inline uint64_t LoadBe64(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}
inline void StoreBe16(uint8_t* p, uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, 2);
}
inline void StoreBe32(uint8_t* p, uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, 4);
}
inline void StoreBe64(uint8_t* p, uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, 8);
}

/// A view whose size is known to be at least `kSize`: the one run-time check happens in `Bounded::Of`, then every
/// access with a constant offset is checked at compile time.
template <size_t kSize>
class Bounded {
 public:
  /// Pre: `bytes.size() >= kSize` (the caller's single bounds check).
  static Bounded Of(ByteView bytes) {
    LG_ASSERT(bytes.size() >= kSize);
    return Bounded(bytes.data());
  }
  template <size_t kOffset>
  uint8_t U8() const {
    static_assert(kOffset + 1 <= kSize);
    return data_[kOffset];
  }
  template <size_t kOffset>
  uint16_t U16() const {
    static_assert(kOffset + 2 <= kSize);
    return LoadBe16(data_ + kOffset);
  }
  template <size_t kOffset>
  uint32_t U32() const {
    static_assert(kOffset + 4 <= kSize);
    return LoadBe32(data_ + kOffset);
  }
  template <size_t kOffset>
  uint64_t U64() const {
    static_assert(kOffset + 8 <= kSize);
    return LoadBe64(data_ + kOffset);
  }
  template <size_t kOffset, size_t kLength>
  std::span<const uint8_t, kLength> Bytes() const {
    static_assert(kOffset + kLength <= kSize);
    return std::span<const uint8_t, kLength>(data_ + kOffset, kLength);
  }

 private:
  explicit Bounded(const uint8_t* data) : data_(data) {}
  const uint8_t* data_;
};

}  // namespace linegate
