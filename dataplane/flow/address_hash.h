#pragma once
#include <cstdint>

#include "dataplane/abi/types.h"

/// Cheap keyed mixing of addresses for tables that only vouched-for addresses enter; not for tables a stranger fills.
namespace linegate::flow {

/// Both halves of a 128-bit product.
inline uint64_t FoldProduct(uint64_t a, uint64_t b) {
  __extension__ using Product = unsigned __int128;
  const Product product = Product(a) * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}

/// All 20 bytes of an address into 64 bits.
inline uint64_t MixAddress(const abi::SocketAddress& address, uint64_t seed, uint64_t key) {
  static_assert(sizeof address == 20);
  const auto* bytes = reinterpret_cast<const uint8_t*>(&address);
  const uint64_t first = LoadBe64(bytes);
  const uint64_t second = LoadBe64(bytes + 8);
  return FoldProduct(FoldProduct(first ^ seed, second ^ key), LoadBe32(bytes + 16) ^ key);
}

}  // namespace linegate::flow
