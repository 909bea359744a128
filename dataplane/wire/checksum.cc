#include "dataplane/wire/checksum.h"

#include "dataplane/wire/ip_header.h"

namespace linegate::wire {

void ChecksumAccumulator::Add(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const size_t words = bytes.size() / 4;
  uint64_t sum = 0;
  for (size_t i = 0; i < words; ++i) {  // no carries to follow: the compiler makes vectors of it
    uint32_t word;
    std::memcpy(&word, p + 4 * i, 4);
    sum += word;
  }
  if (const size_t left = bytes.size() % 4; left > 0) {
    uint32_t word = 0;  // the missing bytes count as zero (RFC 1071 section 1)
    std::memcpy(&word, p + 4 * words, left);
    sum += word;
  }
  sum_ += sum;
}

uint16_t ChecksumAccumulator::Finish() const {
  uint64_t sum = (sum_ & 0xffffffff) + (sum_ >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return uint16_t(~__builtin_bswap16(uint16_t(sum)));
}

uint16_t InternetChecksum(ByteView bytes) {
  ChecksumAccumulator sum;
  sum.Add(bytes);
  return sum.Finish();
}

namespace {
uint16_t UdpSum(const IpAddress& source, const IpAddress& destination, ByteView datagram) {
  ChecksumAccumulator sum;
  sum.Add(source.bytes());
  sum.Add(destination.bytes());
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
