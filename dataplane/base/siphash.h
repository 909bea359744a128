#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/base/byte_view.h"

namespace linegate {

using SipKey = std::span<const uint8_t, 16>;

/// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed pseudorandom function with a 64-bit result, for hash
/// tables that a stranger fills, for the ufrag permutation and for transaction identifiers. Not a MAC for
/// long-lived secrets.
inline uint64_t SipHash24(SipKey key, ByteView message) {
  const auto load = [](const uint8_t* p) {  // little endian, as the algorithm has it
    return __builtin_bswap64(LoadBe64(p));
  };
  const uint64_t k0 = load(key.data());
  const uint64_t k1 = load(key.data() + 8);
  uint64_t v0 = k0 ^ 0x736f6d6570736575u;
  uint64_t v1 = k1 ^ 0x646f72616e646f6du;
  uint64_t v2 = k0 ^ 0x6c7967656e657261u;
  uint64_t v3 = k1 ^ 0x7465646279746573u;
  const auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
    v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
    v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
  };
  const auto absorb = [&](uint64_t word) {
    v3 ^= word;
    round(), round();
    v0 ^= word;
  };
  size_t offset = 0;
  for (; offset + 8 <= message.size(); offset += 8) absorb(load(message.data() + offset));
  uint64_t last = uint64_t(message.size()) << 56;
  for (size_t i = 0; offset + i < message.size(); ++i) last |= uint64_t(message[offset + i]) << (8 * i);
  absorb(last);
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace linegate
