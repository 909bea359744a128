#include "dataplane/wire/frame_view.h"

#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip_header.h"

namespace linegate::wire {
namespace {

/// RFC 1122 section 3.2.1.3: 0.0.0.0/8, loopback, multicast, class E and broadcast are no sources of a
/// datagram.
bool IsImpossibleSourceV4(const uint8_t* address) {
  return address[0] == 0 || address[0] == 127 || address[0] >= 224;
}

/// RFC 4291 sections 2.5.2, 2.5.3, 2.7; an IPv4-mapped source never belongs on a wire (RFC 4942 section 2.2).
bool IsImpossibleSourceV6(const uint8_t* address) {
  if (address[0] == 0xff) return true;
  if (LoadBe64(address) != 0) return false;
  const uint64_t low = LoadBe64(address + 8);
  return low <= 1 || (low >> 32) == 0x0000ffff;
}

/// Ports, lengths and the rest of `view` from the UDP header at `offset`; `end` is the end of the IP packet.
[[gnu::always_inline]] inline FrameError ParseUdp(ByteView frame, size_t offset, size_t end,
                                                  FrameView& view) {
  if (end - offset < kUdpHeaderBytes) return FrameError::kBadLength;
  const auto udp = Bounded<kUdpHeaderBytes>::Of(frame.subspan(offset));
  const size_t udp_bytes = udp.U16<4>();
  if (udp_bytes < kUdpHeaderBytes || udp_bytes > end - offset) return FrameError::kBadLength;
  view.source.port = udp.U16<0>();
  view.destination.port = udp.U16<2>();
  view.udp_checksum_absent = udp.U16<6>() == 0;
  view.udp_offset = uint16_t(offset);
  view.udp_bytes = uint16_t(udp_bytes);
  view.payload_offset = uint16_t(offset + kUdpHeaderBytes);
  view.payload_bytes = uint16_t(udp_bytes - kUdpHeaderBytes);
  return FrameError::kNone;
}

// RFC 791 section 3.1
/// Pre: `packet.size() >= header_bytes >= kIpv4MinHeaderBytes`. Inline, because nearly all headers have one place and
/// one length.
[[gnu::always_inline]] inline FrameError ParseIpv4Header(ByteView frame, size_t l2_bytes, size_t header_bytes,
                                                         FrameView& view) {
  const ByteView packet = frame.subspan(l2_bytes);
  const auto ip = Bounded<kIpv4MinHeaderBytes>::Of(packet);
  const size_t total_bytes = ip.U16<2>();
  if (total_bytes < header_bytes) return FrameError::kBadLength;
  if (total_bytes > packet.size()) return FrameError::kTruncated;
  if (Ipv4HeaderChecksum(packet.first(header_bytes)) != 0) return FrameError::kBadIpChecksum;
  view.l3_bytes = uint16_t(header_bytes);
  view.traffic_class = ip.U8<1>();
  view.hop_limit = ip.U8<8>();
  view.dont_fragment = (ip.U16<6>() & 0x4000) != 0;
  view.source.address.AssignV4(ip.Bytes<12, 4>());
  view.destination.address.AssignV4(ip.Bytes<16, 4>());
  if (IsImpossibleSourceV4(packet.data() + 12)) return FrameError::kBadAddress;
  if (view.hop_limit == 0) return FrameError::kTtlZero;
  if ((ip.U16<6>() & 0x3fff) != 0)
    return FrameError::kFragment;  // MF or an offset; DF and the reserved bit are not
  if (ip.U8<9>() != kIpProtocolUdp) return FrameError::kNotUdp;
  return ParseUdp(frame, l2_bytes + header_bytes, l2_bytes + total_bytes, view);
}

FrameError ParseIpv4(ByteView frame, FrameView& view) {
  const ByteView packet = frame.subspan(view.l2_bytes);
  if (packet.size() < kIpv4MinHeaderBytes) return FrameError::kTruncated;
  const size_t header_bytes = size_t{packet[0] & 0x0fu} * 4;
  if ((packet[0] >> 4) != 4 || header_bytes < kIpv4MinHeaderBytes) return FrameError::kBadIpHeader;
  if (header_bytes > packet.size()) return FrameError::kTruncated;
  return ParseIpv4Header(frame, view.l2_bytes, header_bytes, view);
}

// RFC 8200 sections 3 and 4
FrameError ParseIpv6(ByteView frame, FrameView& view) {
  const ByteView packet = frame.subspan(view.l2_bytes);
  if (packet.size() < kIpv6HeaderBytes) return FrameError::kTruncated;
  const auto ip = Bounded<kIpv6HeaderBytes>::Of(packet);
  if ((ip.U8<0>() >> 4) != 6) return FrameError::kBadIpHeader;
  const size_t end = kIpv6HeaderBytes + ip.U16<4>();
  if (end > packet.size()) return FrameError::kTruncated;
  view.traffic_class = uint8_t(ip.U16<0>() >> 4);
  view.hop_limit = ip.U8<7>();
  view.source.address = IpAddress::V6(ip.Bytes<8, 16>());
  view.destination.address = IpAddress::V6(ip.Bytes<24, 16>());
  if (IsImpossibleSourceV6(packet.data() + 8)) return FrameError::kBadAddress;
  if (view.hop_limit == 0) return FrameError::kTtlZero;
  uint8_t next = ip.U8<6>();
  size_t offset = kIpv6HeaderBytes;
  for (size_t extensions = 0; next != kIpProtocolUdp; ++extensions) {
    if (next == kIpv6Fragment) return FrameError::kFragment;
    if (next != kIpv6HopByHop && next != kIpv6Routing && next != kIpv6DestinationOptions)
      return FrameError::kNotUdp;
    if (extensions == kMaxIpv6Extensions) return FrameError::kTooManyExtensions;
    if (end - offset < 8) return FrameError::kBadLength;
    next = packet[offset];
    const size_t extension_bytes = (size_t{packet[offset + 1]} + 1) * 8;
    if (extension_bytes > end - offset) return FrameError::kBadLength;
    offset += extension_bytes;
  }
  view.l3_bytes = uint16_t(offset);
  return ParseUdp(frame, view.l2_bytes + offset, view.l2_bytes + end, view);
}

}  // namespace

FrameError ParseFrame(ByteView frame, FrameView& view) {
  LG_ASSERT(frame.size() <= 0xffff);
  view.tagged = false;
  view.vlan_tci = 0;
  view.dont_fragment = false;
  if (frame.size() < kEthernetHeaderBytes) return FrameError::kTruncated;
  const auto ethernet = Bounded<kEthernetHeaderBytes>::Of(frame);
  std::memcpy(view.destination_mac.bytes.data(), ethernet.Bytes<0, 6>().data(), 6);
  std::memcpy(view.source_mac.bytes.data(), ethernet.Bytes<6, 6>().data(), 6);
  uint16_t ether_type = ethernet.U16<12>();
  view.l2_bytes = kEthernetHeaderBytes;
  constexpr size_t kPlainBytes = kEthernetHeaderBytes + kIpv4MinHeaderBytes;
  constexpr uint8_t kPlainVersionAndLength = 0x45;
  if (ether_type == kEtherTypeIpv4 && frame.size() >= kPlainBytes &&
      frame[kEthernetHeaderBytes] == kPlainVersionAndLength) [[likely]] {
    return ParseIpv4Header(frame, kEthernetHeaderBytes, kIpv4MinHeaderBytes, view);
  }
  if (ether_type == kEtherTypeVlan) {
    if (frame.size() < kEthernetHeaderBytes + kVlanTagBytes) return FrameError::kTruncated;
    const auto tagged = Bounded<kEthernetHeaderBytes + kVlanTagBytes>::Of(frame);
    view.tagged = true;
    view.vlan_tci = tagged.U16<14>();
    ether_type = tagged.U16<16>();
    view.l2_bytes += kVlanTagBytes;
  }
  if (ether_type == kEtherTypeIpv4) return ParseIpv4(frame, view);
  if (ether_type == kEtherTypeIpv6) return ParseIpv6(frame, view);
  return FrameError::kNotIp;
}

bool UdpChecksumValid(ByteView frame, const FrameView& view) {
  // RFC 768: zero means that the sender generated none. RFC 8200 section 8.1: over IPv6 such packets are
  // discarded.
  if (view.udp_checksum_absent) return view.source.address.is_v4();
  return UdpChecksumMatches(view.source.address, view.destination.address,
                            frame.subspan(view.udp_offset, view.udp_bytes));
}

}  // namespace linegate::wire
