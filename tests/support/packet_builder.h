#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"

namespace linegate::test {

/// Builds Ethernet frames for tests, byte by byte and apart from dataplane/wire, so that each checks the
/// other:
///
///   auto frame = PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(5000,
///   6000).Payload(rtp).Build();
///
/// All lengths and checksums are right unless a later call overrides one of them to make a broken frame.
class PacketBuilder {
 public:
  /// Default addresses 02:00:00:00:00:01 -> 02:00:00:00:00:02.
  PacketBuilder& Ethernet();
  PacketBuilder& Ethernet(const MacAddress& source, const MacAddress& destination);
  PacketBuilder& Vlan(uint16_t tci);
  PacketBuilder& Ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& Ipv6(std::string_view source, std::string_view destination);
  PacketBuilder& Udp(uint16_t source_port, uint16_t destination_port);
  /// Ipv4 or Ipv6, and Udp, in one.
  PacketBuilder& From(const Endpoint& source);
  PacketBuilder& To(const Endpoint& destination);
  PacketBuilder& Payload(ByteView payload);
  PacketBuilder& Payload(std::string_view text) { return Payload(AsBytes(text)); }

  PacketBuilder& EtherType(uint16_t type);
  PacketBuilder& Ttl(uint8_t hop_limit);
  PacketBuilder& TrafficClass(uint8_t value);
  PacketBuilder& Protocol(uint8_t protocol);
  /// IPv4 options, padded to 4 bytes with zeros.
  PacketBuilder& Ipv4Options(ByteView options);
  /// The IPv4 flags and offset word (0x2000: more fragments).
  PacketBuilder& FragmentWord(uint16_t word);
  /// Appends an IPv6 extension header of `type` with `bytes` (multiple of 8, at least 8) in front of UDP.
  PacketBuilder& Ipv6Extension(uint8_t type, size_t bytes = 8);
  PacketBuilder& UdpChecksum(uint16_t checksum);
  PacketBuilder& UdpLength(uint16_t length);
  PacketBuilder& IpLength(uint16_t length);  ///< IPv4 total length or IPv6 payload length
  PacketBuilder& Ipv4Checksum(uint16_t checksum);
  /// Zero bytes behind the IP packet, as Ethernet pads to 60.
  PacketBuilder& TrailingBytes(size_t count);

  std::vector<uint8_t> Build() const;

 private:
  std::vector<uint8_t> BuildUdp() const;
  void AppendIpv4(std::vector<uint8_t>& frame, size_t udp_bytes) const;
  void AppendIpv6(std::vector<uint8_t>& frame, size_t udp_bytes) const;

  MacAddress source_mac_{{2, 0, 0, 0, 0, 1}};
  MacAddress destination_mac_{{2, 0, 0, 0, 0, 2}};
  Endpoint source_;
  Endpoint destination_;
  std::vector<uint8_t> payload_;
  std::vector<uint8_t> ipv4_options_;
  struct Extension {
    uint8_t type;
    size_t bytes;
  };
  std::vector<Extension> extensions_;
  uint8_t hop_limit_ = 64;
  uint8_t traffic_class_ = 0;
  uint8_t protocol_ = 17;
  uint16_t fragment_word_ = 0x4000;
  size_t trailing_bytes_ = 0;
  std::optional<uint16_t> vlan_tci_;
  std::optional<uint16_t> ether_type_;
  std::optional<uint16_t> udp_checksum_;
  std::optional<uint16_t> udp_length_;
  std::optional<uint16_t> ip_length_;
  std::optional<uint16_t> ipv4_checksum_;
};

/// RFC 1071 done the slow way, 16 bits at a time: the reference for dataplane/wire/checksum.h.
uint16_t NaiveChecksum(ByteView bytes);

/// Bytes from hexadecimal digits; blanks, line ends and `#` comments to the end of the line are skipped.
/// Aborts on anything else.
std::vector<uint8_t> FromHex(std::string_view text);

}  // namespace linegate::test
