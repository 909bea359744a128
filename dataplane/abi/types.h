#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/base/net_address.h"

/// Values that stand in memory shared by the two processes. Fixed width, explicit padding, no pointers, no bool, no
/// enum without width. Everything read from shared memory is copied first, then validated. LAYOUT.md draws it.
namespace linegate::abi {

/// An IP address and UDP port. family 0 = absent. IPv4 uses the first 4 address bytes, the rest is zero.
struct SocketAddress {
  uint8_t family = 0;  ///< 0, 4 or 6
  uint8_t reserved = 0;
  uint8_t port[2] = {};  ///< network order
  uint8_t address[16] = {};

  static SocketAddress From(const Endpoint& endpoint) {
    SocketAddress result;
    const uint8_t* const address = endpoint.address.padded().data();
    // The words that hashing and comparing read, so that neither waits for bytes to come together.
    auto* const bytes = reinterpret_cast<uint8_t*>(&result);
    const uint64_t first = LoadBe64(address);
    const uint64_t second = LoadBe64(address + 8);
    StoreBe64(bytes, uint64_t(endpoint.address.family()) << 56 | uint64_t{endpoint.port} << 32 | first >> 32);
    StoreBe64(bytes + 8, first << 32 | second >> 32);
    StoreBe32(bytes + 16, uint32_t(second));
    return result;
  }
  /// No address for a family that is not 4 or 6.
  Endpoint ToEndpoint() const {
    if (family == 4) return {IpAddress::V4(std::span<const uint8_t, 4>(address, 4)), LoadBe16(port)};
    if (family == 6) return {IpAddress::V6(std::span<const uint8_t, 16>(address, 16)), LoadBe16(port)};
    return {};
  }
  friend bool operator==(const SocketAddress& a, const Endpoint& b) {
    const uint8_t* const other = b.address.padded().data();
    return LoadBe64(a.address) == LoadBe64(other) && LoadBe64(a.address + 8) == LoadBe64(other + 8) &&
           LoadBe16(a.port) == b.port && a.family == uint8_t(b.address.family());
  }
  friend bool operator==(const SocketAddress& a, const SocketAddress& b) {
    const auto* x = reinterpret_cast<const uint8_t*>(&a);
    const auto* y = reinterpret_cast<const uint8_t*>(&b);
    return LoadBe64(x) == LoadBe64(y) && LoadBe64(x + 8) == LoadBe64(y + 8) &&
           LoadBe32(x + 16) == LoadBe32(y + 16);
  }
};
static_assert(sizeof(SocketAddress) == 20 && alignof(SocketAddress) == 1);

/// Names one direction of a flow. `generation` differs each time the slot is used again; 0 names no flow.
struct FlowRef {
  uint32_t index = 0;  ///< slot within the worker
  uint32_t generation = 0;
  uint16_t worker = 0;
  uint16_t reserved = 0;
  explicit operator bool() const { return generation != 0; }
  friend bool operator==(const FlowRef&, const FlowRef&) = default;
};
static_assert(sizeof(FlowRef) == 12);

/// How a frame leaves towards an address: which port, which MAC.
struct NextHop {
  uint16_t port_id = 0;
  uint16_t vlan = 0;  ///< 0: untagged
  uint8_t mac[6] = {};
  uint8_t known = 0;  ///< 0: not resolved yet, drop with reason no_next_hop
  uint8_t reserved = 0;
};
static_assert(sizeof(NextHop) == 12);

}  // namespace linegate::abi
