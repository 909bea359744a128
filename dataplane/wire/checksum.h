#pragma once
#include <cstdint>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::wire {

/// Internet checksum (RFC 1071) over several ranges. Sums native 32-bit words into 64 bits, folds and swaps
/// once at the end, as RFC 1071 section 2 (B) allows; cannot overflow below 16 GiB. Every range but the last
/// must have an even length.
class ChecksumAccumulator {
 public:
  void Add(ByteView bytes);
  void AddU16(uint16_t host_order) { sum_ += __builtin_bswap16(host_order); }
  /// The one's complement of the sum in host order, ready for StoreBe16. Over a range that contains a correct
  /// checksum it is 0.
  uint16_t Finish() const;

 private:
  uint64_t sum_ = 0;
};

uint16_t InternetChecksum(ByteView bytes);

/// For an IPv4 header (20 to 60 bytes) whose checksum field is zero; over a received header: 0 if it is
/// correct.
inline uint16_t Ipv4HeaderChecksum(ByteView header) { return InternetChecksum(header); }

/// Checksum to store in a UDP header, over pseudo header (RFC 768; RFC 8200 section 8.1) and `datagram` (UDP
/// header, its checksum field zero, and payload). Never 0: a computed 0 is sent as 0xffff.
uint16_t UdpChecksum(const IpAddress& source, const IpAddress& destination, ByteView datagram);

/// True if the checksum in `datagram` is right. Does not treat an absent (zero) checksum specially.
[[nodiscard]] bool UdpChecksumMatches(const IpAddress& source, const IpAddress& destination,
                                      ByteView datagram);

}  // namespace linegate::wire
