#include "drivers/net/unfinished_checksum.h"

namespace linegate::drivers {
namespace {

constexpr size_t kEthernetBytes = 14;
constexpr size_t kIpv4MinimumBytes = 20;
constexpr size_t kIpv6Bytes = 40;
constexpr size_t kUdpBytes = 8;
constexpr uint8_t kProtocolUdp = 17;

io::RxChecksum Compare(ByteView addresses, ByteView udp) {
  // RFC 768 and RFC 8200 section 8.1: addresses, protocol, UDP length (equal to the length field here).
  uint32_t sum = kProtocolUdp + LoadBe16(udp.data() + 4);
  for (size_t i = 0; i < addresses.size(); i += 2) sum += LoadBe16(addresses.data() + i);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == LoadBe16(udp.data() + 6) ? io::RxChecksum::kUnfinished : io::RxChecksum::kUnknown;
}

}  // namespace

io::RxChecksum ProbeUnfinishedChecksum(ByteView frame) {
  if (frame.size() < kEthernetBytes + kIpv4MinimumBytes + kUdpBytes) return io::RxChecksum::kUnknown;
  const uint16_t ether_type = LoadBe16(frame.data() + 12);
  const ByteView ip = frame.subspan(kEthernetBytes);
  if (ether_type == 0x0800) {
    const size_t header_bytes = size_t(ip[0] & 0x0f) * 4;
    if (header_bytes < kIpv4MinimumBytes || ip.size() < header_bytes + kUdpBytes || ip[9] != kProtocolUdp) {
      return io::RxChecksum::kUnknown;
    }
    return Compare(ip.subspan(12, 8), ip.subspan(header_bytes));
  }
  if (ether_type == 0x86dd) {
    if (ip.size() < kIpv6Bytes + kUdpBytes || ip[6] != kProtocolUdp) return io::RxChecksum::kUnknown;
    return Compare(ip.subspan(8, 32), ip.subspan(kIpv6Bytes));
  }
  return io::RxChecksum::kUnknown;
}

}  // namespace linegate::drivers
