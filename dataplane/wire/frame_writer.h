#pragma once
#include <cstddef>
#include <cstdint>

#include "dataplane/base/net_address.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip_header.h"

namespace linegate::wire {

/// What stands in front of the UDP payload of a frame that we send.
struct FrameHeader {
  MacAddress source_mac;
  MacAddress destination_mac;
  Endpoint source;  ///< both endpoints of one family, IPv4 or IPv6
  Endpoint destination;
  uint16_t vlan_tci = 0;  ///< used if `tagged`
  bool tagged = false;
  uint8_t dscp = 0;  ///< 0 to 63
  uint8_t ecn = 0;   ///< 0 to 3; 0: Not-ECT
  uint8_t hop_limit = kDefaultHopLimit;
  bool dont_fragment = true;    ///< IPv4: the DF bit
  uint16_t identification = 0;  ///< IPv4: an atomic datagram (DF set) needs none (RFC 6864 section 4.1)
};

/// Ethernet with tag, IPv6, UDP: the room needed in front of a payload in the worst case.
inline constexpr size_t kMaxFrameHeaderBytes =
    kEthernetHeaderBytes + kVlanTagBytes + kIpv6HeaderBytes + kUdpHeaderBytes;

constexpr size_t FrameHeaderBytes(const FrameHeader& header) {
  return kEthernetHeaderBytes + (header.tagged ? kVlanTagBytes : 0) +
         (header.source.address.is_v4() ? kIpv4MinHeaderBytes : kIpv6HeaderBytes) + kUdpHeaderBytes;
}

/// What a relay copies from one packet to the next.
struct IpFields {
  uint8_t traffic_class = 0;  ///< DSCP and ECN
  uint8_t hop_limit = kDefaultHopLimit;
  bool dont_fragment = true;    ///< IPv4
  uint16_t identification = 0;  ///< IPv4
};

/// A FrameHeader in wire form, with the sums of everything that no packet changes: to be made once for each
/// destination. Writing it costs a copy, two lengths and the sum of the payload.
class FrameTemplate {
 public:
  FrameTemplate() = default;
  /// Pre: both endpoints of one family.
  explicit FrameTemplate(const FrameHeader& header);
  /// One whose IpFields come with each packet.
  static FrameTemplate Open(FrameHeader header);

  /// Bytes in front of the payload; 0: made from nothing, must not be written.
  size_t header_bytes() const { return header_bytes_; }
  /// Where the header's bytes begin, for those who arrange cache lines.
  static constexpr size_t kBytesOffset = 8;

  /// Writes Ethernet, IP and UDP headers so that they end at `payload`, with complete IP and UDP checksums (D2:
  /// what came over veth may carry an unfinished checksum, so nothing is updated incrementally). Returns the
  /// first byte of the frame, `header_bytes()` below `payload`. Pre: that many bytes are writable below
  /// `payload`; `payload_bytes <= 65507`.
  uint8_t* Write(uint8_t* payload, size_t payload_bytes) const;
  /// The same with the packet's own fields. Pre: made by Open.
  uint8_t* Write(uint8_t* payload, size_t payload_bytes, const IpFields& fields) const;

 private:
  template <bool kOpen>
  uint8_t* WriteWith(uint8_t* payload, size_t payload_bytes, const IpFields& fields) const;
  uint8_t header_bytes_ = 0;
  bool v4_ = false;
  uint16_t ip_sum_ = 0;   ///< IPv4 header without length and checksum, folded, native order
  uint32_t udp_sum_ = 0;  ///< pseudo header and ports, without the lengths
  uint8_t bytes_[kMaxFrameHeaderBytes + 6] = {};  ///< headers, lengths and checksums zero
};
static_assert(sizeof(FrameTemplate) == 80);

/// FrameTemplate::Write for a header that is used once.
inline uint8_t* WriteFrameHeader(uint8_t* payload, size_t payload_bytes, const FrameHeader& header) {
  return FrameTemplate(header).Write(payload, payload_bytes);
}

}  // namespace linegate::wire
