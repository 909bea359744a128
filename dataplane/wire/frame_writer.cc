#include "dataplane/wire/frame_writer.h"

#include "dataplane/wire/checksum.h"

namespace linegate::wire {
namespace {

void CopyBytes(uint8_t* out, ByteView bytes) { std::memcpy(out, bytes.data(), bytes.size()); }

void WriteIpv4(uint8_t* ip, size_t udp_bytes, const FrameHeader& header) {
  ip[0] = 0x45;
  ip[1] = uint8_t(header.dscp << 2);
  StoreBe16(ip + 2, uint16_t(kIpv4MinHeaderBytes + udp_bytes));
  StoreBe16(ip + 4, 0);       // RFC 6864 section 4.1: an atomic datagram needs no identification
  StoreBe16(ip + 6, 0x4000);  // DF
  ip[8] = header.hop_limit;
  ip[9] = kIpProtocolUdp;
  StoreBe16(ip + 10, 0);
  CopyBytes(ip + 12, header.source.address.bytes());
  CopyBytes(ip + 16, header.destination.address.bytes());
  StoreBe16(ip + 10, Ipv4HeaderChecksum({ip, kIpv4MinHeaderBytes}));
}

void WriteIpv6(uint8_t* ip, size_t udp_bytes, const FrameHeader& header) {
  StoreBe32(ip, 0x60000000u | uint32_t(header.dscp) << 22);
  StoreBe16(ip + 4, uint16_t(udp_bytes));
  ip[6] = kIpProtocolUdp;
  ip[7] = header.hop_limit;
  CopyBytes(ip + 8, header.source.address.bytes());
  CopyBytes(ip + 24, header.destination.address.bytes());
}

}  // namespace

uint8_t* WriteFrameHeader(uint8_t* payload, size_t payload_bytes, const FrameHeader& header) {
  LG_ASSERT(header.source.address.family() == header.destination.address.family());
  LG_ASSERT(header.source.address.family() != IpFamily::kNone);
  LG_ASSERT(payload_bytes <= 65535 - kIpv4MinHeaderBytes - kUdpHeaderBytes);
  const bool v4 = header.source.address.is_v4();
  const size_t udp_bytes = kUdpHeaderBytes + payload_bytes;
  uint8_t* udp = payload - kUdpHeaderBytes;
  uint8_t* ip = udp - (v4 ? kIpv4MinHeaderBytes : kIpv6HeaderBytes);
  uint8_t* frame = ip - kEthernetHeaderBytes - (header.tagged ? kVlanTagBytes : 0);

  CopyBytes(frame, header.destination_mac.bytes);
  CopyBytes(frame + 6, header.source_mac.bytes);
  if (header.tagged) {
    StoreBe16(frame + 12, kEtherTypeVlan);
    StoreBe16(frame + 14, header.vlan_tci);
  }
  StoreBe16(ip - 2, v4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  v4 ? WriteIpv4(ip, udp_bytes, header) : WriteIpv6(ip, udp_bytes, header);
  StoreBe16(udp, header.source.port);
  StoreBe16(udp + 2, header.destination.port);
  StoreBe16(udp + 4, uint16_t(udp_bytes));
  StoreBe16(udp + 6, 0);
  StoreBe16(udp + 6, UdpChecksum(header.source.address, header.destination.address, {udp, udp_bytes}));
  return frame;
}

}  // namespace linegate::wire
