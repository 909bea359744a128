#include "dataplane/base/ice_ufrag.h"

#include "dataplane/base/check.h"

namespace linegate {
namespace {

constexpr uint8_t kRounds = 8;
constexpr uint32_t kHalfMask = 0xffffff;
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint32_t RoundFunction(SipKey key, uint8_t round, uint32_t half) {
  const uint8_t block[4] = {round, uint8_t(half >> 16), uint8_t(half >> 8), uint8_t(half)};
  return uint32_t(SipHash24(key, block)) & kHalfMask;
}

uint64_t Encipher(SipKey key, uint64_t value) {
  uint32_t left = uint32_t(value >> 24) & kHalfMask;
  uint32_t right = uint32_t(value) & kHalfMask;
  for (uint8_t round = 0; round < kRounds; ++round) {
    const uint32_t next = left ^ RoundFunction(key, round, right);
    left = right;
    right = next;
  }
  return uint64_t(left) << 24 | right;
}

uint64_t Decipher(SipKey key, uint64_t value) {
  uint32_t left = uint32_t(value >> 24) & kHalfMask;
  uint32_t right = uint32_t(value) & kHalfMask;
  for (uint8_t round = kRounds; round-- > 0;) {
    const uint32_t previous = right ^ RoundFunction(key, round, left);
    right = left;
    left = previous;
  }
  return uint64_t(left) << 24 | right;
}

/// The 6 bits of an ice-char, or -1.
int BitsOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::string MakeIceUfrag(SipKey key, const IceUfragTarget& target, Rng& rng) {
  LG_ASSERT(target.worker <= kIceUfragMaxWorker && target.index <= kIceUfragMaxIndex);
  const uint64_t plain = uint64_t(target.worker) << 40 | uint64_t(target.index) << 20 |
                         (target.generation & kIceUfragGenerationMask);
  const uint64_t enciphered = Encipher(key, plain);
  std::string ufrag;
  ufrag.reserve(kIceUfragChars);
  for (int shift = 42; shift >= 0; shift -= 6) ufrag += kAlphabet[(enciphered >> shift) & 63];
  return ufrag + rng.IceChars(kIceUfragChars - kIceUfragPrefixChars);
}

std::optional<IceUfragTarget> DecodeIceUfrag(SipKey key, std::string_view ufrag) {
  if (ufrag.size() != kIceUfragChars) return std::nullopt;
  uint64_t enciphered = 0;
  for (size_t i = 0; i < kIceUfragChars; ++i) {
    const int bits = BitsOf(ufrag[i]);
    if (bits < 0) return std::nullopt;
    if (i < kIceUfragPrefixChars) enciphered = enciphered << 6 | uint64_t(bits);
  }
  const uint64_t plain = Decipher(key, enciphered);
  return IceUfragTarget{uint16_t(plain >> 40), uint32_t(plain >> 20) & kIceUfragMaxIndex,
                        uint32_t(plain) & kIceUfragGenerationMask};
}

}  // namespace linegate
