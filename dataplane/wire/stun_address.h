#pragma once
#include <array>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::wire {

/// The key stream of the XOR addresses: magic cookie, then transaction ID (RFC 8489 section 14.2) = header
/// bytes 4..19.
template <size_t kBytes>
std::array<uint8_t, kBytes> XorWithHeader(const uint8_t* address, const uint8_t* header) {
  std::array<uint8_t, kBytes> plain;
  for (size_t i = 0; i < kBytes; ++i) plain[i] = uint8_t(address[i] ^ header[4 + i]);
  return plain;
}
/// Pre: `address` has 4 or 16 bytes.
inline IpAddress XorAddress(ByteView address, const uint8_t* header) {
  return address.size() == 4 ? IpAddress::V4(XorWithHeader<4>(address.data(), header))
                             : IpAddress::V6(XorWithHeader<16>(address.data(), header));
}

}  // namespace linegate::wire
