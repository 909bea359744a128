#pragma once
#include <cstddef>
#include <cstdint>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::wire {

/// Why a frame is not a UDP datagram for us. One drop reason each.
enum class FrameError : uint8_t {
  kNone,
  kTruncated,          ///< shorter than the headers it announces
  kNotIp,              ///< ARP, LLDP, double VLAN tags, ... : belongs to the kernel
  kBadIpHeader,        ///< wrong version, IHL < 5
  kBadIpChecksum,      ///< IPv4 header checksum wrong (RFC 1122 section 3.2.1.2: silently discard)
  kBadAddress,         ///< source that no host may use: unspecified, loopback, multicast, broadcast (RFC
                       ///< 1122 3.2.1.3)
  kTtlZero,            ///< TTL or hop limit of 0 on the wire
  kFragment,           ///< any fragment, first ones included: media never needs them
  kNotUdp,             ///< ICMP, TCP, ...
  kBadLength,          ///< IP total length or UDP length contradicts the frame
  kTooManyExtensions,  ///< more than kMaxIpv6Extensions
};

/// Where everything is in a received UDP frame. Offsets count from the first byte of the Ethernet header.
struct FrameView {
  MacAddress source_mac;
  MacAddress destination_mac;
  Endpoint source;
  Endpoint destination;
  uint16_t vlan_tci = 0;        ///< meaningful if `tagged`
  uint16_t l2_bytes = 0;        ///< Ethernet header and tag = offset of the IP header
  uint16_t l3_bytes = 0;        ///< IP header with options or extensions
  uint16_t udp_offset = 0;      ///< = l2_bytes + l3_bytes
  uint16_t udp_bytes = 0;       ///< UDP header and payload, as the UDP length says
  uint16_t payload_offset = 0;  ///< = udp_offset + 8
  uint16_t payload_bytes = 0;
  uint8_t traffic_class = 0;  ///< DSCP and ECN
  uint8_t hop_limit = 0;
  bool tagged = false;         ///< an 802.1Q tag stands in front of the EtherType
  bool dont_fragment = false;  ///< IPv4: the DF bit
  bool udp_checksum_absent =
      false;  ///< the field is zero: legal over IPv4 only (RFC 768; RFC 8200 section 8.1)

  IpFamily family() const { return source.address.family(); }
  ByteView payload(ByteView frame) const { return frame.subspan(payload_offset, payload_bytes); }
};

/// Parses Ethernet, at most one 802.1Q tag, IPv4 or IPv6 and UDP, checking every bound once. Trailing
/// Ethernet padding is accepted and left out of the payload. The IPv4 header checksum is verified, the UDP
/// checksum is not (UdpChecksumValid). Returns kNone and a complete `view`, or why not; what `view` holds then
/// means nothing. Pre: `frame.size() <= 65535`.
[[nodiscard]] FrameError ParseFrame(ByteView frame, FrameView& view);

/// Verifies the UDP checksum of a frame that ParseFrame accepted. A zero checksum is valid over IPv4 and not
/// over IPv6.
[[nodiscard]] bool UdpChecksumValid(ByteView frame, const FrameView& view);

}  // namespace linegate::wire
