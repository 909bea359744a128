#include "dataplane/wire/checksum.h"

#include "dataplane/wire/ip_header.h"

namespace linegate::wire {

uint16_t InternetChecksum(ByteView bytes) {
  ChecksumAccumulator sum;
  sum.Add(bytes);
  return sum.Finish();
}

namespace {
uint16_t UdpSum(const IpAddress& source, const IpAddress& destination, ByteView datagram) {
  ChecksumAccumulator sum;
  // What an IPv4 address does not use is zero and adds nothing.
  sum.Add(source.padded());
  sum.Add(destination.padded());
  sum.AddU16(kIpProtocolUdp);
  sum.AddU16(uint16_t(datagram.size()));  // both pseudo headers reduce to this: a UDP length fits 16 bits
  sum.Add(datagram);
  return sum.Finish();
}
}  // namespace

uint16_t UdpChecksum(const IpAddress& source, const IpAddress& destination, ByteView datagram) {
  const uint16_t checksum = UdpSum(source, destination, datagram);
  return checksum == 0 ? 0xffff : checksum;
}

bool UdpChecksumMatches(const IpAddress& source, const IpAddress& destination, ByteView datagram) {
  return UdpSum(source, destination, datagram) == 0;
}

}  // namespace linegate::wire
