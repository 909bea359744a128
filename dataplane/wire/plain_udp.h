#pragma once
#include <cstdint>
#include <cstring>

#include "dataplane/base/byte_view.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip_header.h"

namespace linegate::wire {

/// IPv4 addresses and UDP ports of a frame as its bytes stand there: to be compared and hashed, nothing else.
struct UdpTuple {
  uint64_t addresses = 0;  ///< source, destination
  uint32_t ports = 0;      ///< source, destination
  friend bool operator==(const UdpTuple&, const UdpTuple&) = default;
};

/// The frame that nearly all media comes in: untagged Ethernet, IPv4 without options, not a fragment, UDP with an
/// IP length that fits it.
struct PlainUdp {
  static constexpr size_t kIpOffset = kEthernetHeaderBytes;
  static constexpr size_t kUdpOffset = kIpOffset + kIpv4MinHeaderBytes;
  static constexpr size_t kPayloadOffset = kUdpOffset + kUdpHeaderBytes;

  UdpTuple tuple;
  uint16_t udp_bytes = 0;  ///< UDP header and payload

  /// False: of another kind, or wrong in some way; ParseFrame knows. True: ParseFrame would accept it, its source address
  /// apart, and find the same.
  static bool Parse(ByteView frame, PlainUdp& out) {
    if (frame.size() < kPayloadOffset) return false;
    const uint8_t* const p = frame.data();
    const uint8_t* const ip = p + kIpOffset;
    constexpr uint32_t kTypeAndVersion = uint32_t{kEtherTypeIpv4} << 8 | 0x45;
    const uint32_t fragment_ttl_protocol = LoadBe32(ip + 6) & 0x3fffffff;  // Don't Fragment may be set
    const uint32_t total_bytes = LoadBe16(ip + 2);
    const uint32_t udp_bytes = LoadBe16(p + kUdpOffset + 4);
    const bool plain = (LoadBe32(p + 12) >> 8) == kTypeAndVersion && fragment_ttl_protocol >= 0x100 &&
                       fragment_ttl_protocol <= 0xffff && (fragment_ttl_protocol & 0xff) == kIpProtocolUdp &&
                       udp_bytes >= kUdpHeaderBytes && total_bytes == udp_bytes + kIpv4MinHeaderBytes &&
                       total_bytes + kIpOffset <= frame.size();
    if (!plain || !Ipv4HeaderIsIntact(ip)) return false;
    std::memcpy(&out.tuple.addresses, ip + 12, 8);
    std::memcpy(&out.tuple.ports, p + kUdpOffset, 4);
    out.udp_bytes = uint16_t(udp_bytes);
    return true;
  }

  /// UDP checksum (RFC 768) of a frame that Parse accepted. A field of zero is not looked for: false, most likely.
  static bool ChecksumMatches(ByteView frame, const PlainUdp& plain) {
    uint64_t sum = SumWords(frame.data() + kUdpOffset, plain.udp_bytes);
    sum = AddWords(sum, plain.tuple.addresses);
    sum = AddWords(sum, uint64_t{__builtin_bswap16(plain.udp_bytes)} + __builtin_bswap16(kIpProtocolUdp));
    return IsAllOnes(sum);
  }

 private:
  /// One's complement sum over an intact range: all ones (RFC 1071 section 1 (4)).
  static bool IsAllOnes(uint64_t sum) { return FoldSum(sum) == 0xffff; }
  static bool Ipv4HeaderIsIntact(const uint8_t* ip) {
    uint64_t words[2];
    uint32_t last;
    std::memcpy(words, ip, sizeof words);
    std::memcpy(&last, ip + 16, sizeof last);
    return IsAllOnes(AddWords(AddWords(words[0], words[1]), last));
  }
};

}  // namespace linegate::wire
