#pragma once
#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::wire {

/// The key stream of the XOR addresses: magic cookie, then transaction ID (RFC 8489 section 14.2) = header
/// bytes 4..19.
inline IpAddress XorAddress(ByteView address, const uint8_t* header) {
  uint8_t plain[16];
  for (size_t i = 0; i < address.size(); ++i) plain[i] = uint8_t(address[i] ^ header[4 + i]);
  return address.size() == 4 ? IpAddress::V4(std::span<const uint8_t, 4>(plain, 4))
                             : IpAddress::V6(std::span<const uint8_t, 16>(plain, 16));
}

}  // namespace linegate::wire
