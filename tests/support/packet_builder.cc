#include "tests/support/packet_builder.h"

#include "dataplane/base/check.h"

namespace linegate::test {
namespace {

using Bytes = std::vector<uint8_t>;

void Put8(Bytes& out, unsigned value) { out.push_back(uint8_t(value)); }
void Put16(Bytes& out, unsigned value) { Put8(out, value >> 8), Put8(out, value & 0xff); }
void Set16(Bytes& out, size_t offset, unsigned value) {
  out[offset] = uint8_t(value >> 8);
  out[offset + 1] = uint8_t(value & 0xff);
}
void PutBytes(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

IpAddress MustParse(std::string_view text) {
  const auto address = IpAddress::Parse(text);
  LG_FATAL(address.has_value());
  return *address;
}

}  // namespace

PacketBuilder& PacketBuilder::Ethernet() { return *this; }
PacketBuilder& PacketBuilder::Ethernet(const MacAddress& source, const MacAddress& destination) {
  source_mac_ = source;
  destination_mac_ = destination;
  return *this;
}
PacketBuilder& PacketBuilder::Vlan(uint16_t tci) {
  vlan_tci_ = tci;
  return *this;
}
PacketBuilder& PacketBuilder::Ipv4(std::string_view source, std::string_view destination) {
  source_.address = MustParse(source);
  destination_.address = MustParse(destination);
  LG_FATAL(source_.address.is_v4() && destination_.address.is_v4());
  return *this;
}
PacketBuilder& PacketBuilder::Ipv6(std::string_view source, std::string_view destination) {
  source_.address = MustParse(source);
  destination_.address = MustParse(destination);
  LG_FATAL(source_.address.is_v6() && destination_.address.is_v6());
  return *this;
}
PacketBuilder& PacketBuilder::Udp(uint16_t source_port, uint16_t destination_port) {
  source_.port = source_port;
  destination_.port = destination_port;
  return *this;
}
PacketBuilder& PacketBuilder::From(const Endpoint& source) {
  source_ = source;
  return *this;
}
PacketBuilder& PacketBuilder::To(const Endpoint& destination) {
  destination_ = destination;
  return *this;
}
PacketBuilder& PacketBuilder::Payload(ByteView payload) {
  payload_.assign(payload.begin(), payload.end());
  return *this;
}
PacketBuilder& PacketBuilder::EtherType(uint16_t type) {
  ether_type_ = type;
  return *this;
}
PacketBuilder& PacketBuilder::Ttl(uint8_t hop_limit) {
  hop_limit_ = hop_limit;
  return *this;
}
PacketBuilder& PacketBuilder::TrafficClass(uint8_t value) {
  traffic_class_ = value;
  return *this;
}
PacketBuilder& PacketBuilder::Protocol(uint8_t protocol) {
  protocol_ = protocol;
  return *this;
}
PacketBuilder& PacketBuilder::Ipv4Options(ByteView options) {
  ipv4_options_.assign(options.begin(), options.end());
  ipv4_options_.resize((ipv4_options_.size() + 3) / 4 * 4);
  return *this;
}
PacketBuilder& PacketBuilder::FragmentWord(uint16_t word) {
  fragment_word_ = word;
  return *this;
}
PacketBuilder& PacketBuilder::Ipv6Extension(uint8_t type, size_t bytes) {
  LG_FATAL(bytes >= 8 && bytes % 8 == 0);
  extensions_.push_back({type, bytes});
  return *this;
}
PacketBuilder& PacketBuilder::UdpChecksum(uint16_t checksum) {
  udp_checksum_ = checksum;
  return *this;
}
PacketBuilder& PacketBuilder::UdpLength(uint16_t length) {
  udp_length_ = length;
  return *this;
}
PacketBuilder& PacketBuilder::IpLength(uint16_t length) {
  ip_length_ = length;
  return *this;
}
PacketBuilder& PacketBuilder::Ipv4Checksum(uint16_t checksum) {
  ipv4_checksum_ = checksum;
  return *this;
}
PacketBuilder& PacketBuilder::TrailingBytes(size_t count) {
  trailing_bytes_ = count;
  return *this;
}

std::vector<uint8_t> PacketBuilder::BuildUdp() const {
  Bytes udp;
  Put16(udp, source_.port);
  Put16(udp, destination_.port);
  Put16(udp, udp_length_.value_or(uint16_t(8 + payload_.size())));
  Put16(udp, 0);
  PutBytes(udp, payload_);

  Bytes summed;  // RFC 768 pseudo header; that of RFC 8200 section 8.1 differs only in zeros
  PutBytes(summed, source_.address.bytes());
  PutBytes(summed, destination_.address.bytes());
  Put16(summed, 17);
  Put16(summed, unsigned(8 + payload_.size()));
  PutBytes(summed, udp);
  const uint16_t checksum = NaiveChecksum(summed);
  Set16(udp, 6, udp_checksum_.value_or(checksum == 0 ? 0xffff : checksum));
  return udp;
}

void PacketBuilder::AppendIpv4(std::vector<uint8_t>& frame, size_t udp_bytes) const {
  Bytes ip;
  const size_t header_bytes = 20 + ipv4_options_.size();
  Put8(ip, unsigned(0x40 | header_bytes / 4));
  Put8(ip, traffic_class_);
  Put16(ip, ip_length_.value_or(uint16_t(header_bytes + udp_bytes)));
  Put16(ip, 0x1234);
  Put16(ip, fragment_word_);
  Put8(ip, hop_limit_);
  Put8(ip, protocol_);
  Put16(ip, 0);
  PutBytes(ip, source_.address.bytes());
  PutBytes(ip, destination_.address.bytes());
  PutBytes(ip, ipv4_options_);
  Set16(ip, 10, ipv4_checksum_.value_or(NaiveChecksum(ip)));
  PutBytes(frame, ip);
}

void PacketBuilder::AppendIpv6(std::vector<uint8_t>& frame, size_t udp_bytes) const {
  size_t extension_bytes = 0;
  for (const Extension& extension : extensions_) extension_bytes += extension.bytes;
  Put16(frame, 0x6000u | unsigned(traffic_class_) << 4);
  Put16(frame, 0);
  Put16(frame, ip_length_.value_or(uint16_t(extension_bytes + udp_bytes)));
  Put8(frame, extensions_.empty() ? protocol_ : extensions_[0].type);
  Put8(frame, hop_limit_);
  PutBytes(frame, source_.address.bytes());
  PutBytes(frame, destination_.address.bytes());
  for (size_t i = 0; i < extensions_.size(); ++i) {
    Put8(frame, i + 1 < extensions_.size() ? extensions_[i + 1].type : protocol_);
    Put8(frame, unsigned(extensions_[i].bytes / 8 - 1));
    Put8(frame, 1);  // PadN over the rest
    Put8(frame, unsigned(extensions_[i].bytes - 4));
    frame.resize(frame.size() + extensions_[i].bytes - 4);
  }
}

std::vector<uint8_t> PacketBuilder::Build() const {
  LG_FATAL(source_.address.family() == destination_.address.family());
  Bytes frame;
  PutBytes(frame, destination_mac_.bytes);
  PutBytes(frame, source_mac_.bytes);
  if (vlan_tci_) Put16(frame, 0x8100), Put16(frame, *vlan_tci_);
  const bool v6 = source_.address.is_v6();
  Put16(frame, ether_type_.value_or(v6 ? 0x86dd : 0x0800));
  const Bytes udp = BuildUdp();
  v6 ? AppendIpv6(frame, udp.size()) : AppendIpv4(frame, udp.size());
  PutBytes(frame, udp);
  frame.resize(frame.size() + trailing_bytes_);
  return frame;
}

uint16_t NaiveChecksum(ByteView bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += unsigned(bytes[i]) << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0u);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return uint16_t(~sum);
}

std::vector<uint8_t> FromHex(std::string_view text) {
  Bytes out;
  int high = -1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    LG_FATAL(digit >= 0);
    if (high < 0) {
      high = digit;
    } else {
      Put8(out, unsigned(high << 4 | digit));
      high = -1;
    }
  }
  LG_FATAL(high < 0);
  return out;
}

}  // namespace linegate::test
