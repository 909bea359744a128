#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace linegate {

/// Source of randomness, passed in so that tests can count. Production: SecureRng.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual void Fill(std::span<uint8_t> out) = 0;

  uint32_t U32();
  uint64_t U64();
  /// `length` characters of A-Z a-z 0-9 + / (6 bits each): the ice-char alphabet of RFC 8839 section 5.4.
  std::string IceChars(size_t length);
  /// `bytes` random bytes as lower-case hex.
  std::string Hex(size_t bytes);
};

/// The kernel's CSPRNG (getrandom(2)).
class SecureRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override;
};

}  // namespace linegate
