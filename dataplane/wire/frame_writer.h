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
  uint8_t dscp = 0;  ///< 0 to 63; ECN is always Not-ECT
  uint8_t hop_limit = kDefaultHopLimit;
};

/// Ethernet with tag, IPv6, UDP: the room needed in front of a payload in the worst case.
inline constexpr size_t kMaxFrameHeaderBytes =
    kEthernetHeaderBytes + kVlanTagBytes + kIpv6HeaderBytes + kUdpHeaderBytes;

constexpr size_t FrameHeaderBytes(const FrameHeader& header) {
  return kEthernetHeaderBytes + (header.tagged ? kVlanTagBytes : 0) +
         (header.source.address.is_v4() ? kIpv4MinHeaderBytes : kIpv6HeaderBytes) + kUdpHeaderBytes;
}

/// Writes Ethernet, IP and UDP headers so that they end at `payload`, with complete IP and UDP checksums (D2:
/// what came over veth may carry an unfinished checksum, so nothing is updated incrementally). Returns the
/// first byte of the frame, FrameHeaderBytes(header) below `payload`. Pre: that many bytes are writable below
/// `payload`; `payload_bytes <= 65507`; both endpoints of one family.
uint8_t* WriteFrameHeader(uint8_t* payload, size_t payload_bytes, const FrameHeader& header);

}  // namespace linegate::wire
