#include "dataplane/wire/frame_writer.h"

#include <cstring>

#include "dataplane/wire/checksum.h"

namespace linegate::wire {
namespace {

constexpr size_t kUntaggedIpv4Bytes = kEthernetHeaderBytes + kIpv4MinHeaderBytes + kUdpHeaderBytes;

void CopyBytes(uint8_t* out, ByteView bytes) { std::memcpy(out, bytes.data(), bytes.size()); }

// RFC 791 section 3.1
void FillIpv4(uint8_t* ip, const FrameHeader& header) {
  ip[0] = 0x45;
  ip[1] = uint8_t(header.dscp << 2 | header.ecn);
  StoreBe16(ip + 4, header.identification);
  StoreBe16(ip + 6, header.dont_fragment ? 0x4000 : 0);
  ip[8] = header.hop_limit;
  ip[9] = kIpProtocolUdp;
  CopyBytes(ip + 12, header.source.address.bytes());
  CopyBytes(ip + 16, header.destination.address.bytes());
}

// RFC 8200 section 3
void FillIpv6(uint8_t* ip, const FrameHeader& header) {
  StoreBe32(ip, 0x60000000u | uint32_t(header.dscp) << 22 | uint32_t(header.ecn) << 20);
  ip[6] = kIpProtocolUdp;
  ip[7] = header.hop_limit;
  CopyBytes(ip + 8, header.source.address.bytes());
  CopyBytes(ip + 24, header.destination.address.bytes());
}

/// The sum in 16 bits, native order. Never turns a sum that is not zero into zero.
uint16_t Fold(const ChecksumAccumulator& sum) { return __builtin_bswap16(uint16_t(~sum.Finish())); }

}  // namespace

FrameTemplate::FrameTemplate(const FrameHeader& header)
    : header_bytes_(uint8_t(FrameHeaderBytes(header))), v4_(header.source.address.is_v4()) {
  LG_ASSERT(header.source.address.family() == header.destination.address.family());
  LG_ASSERT(header.source.address.family() != IpFamily::kNone);
  uint8_t* const udp = bytes_ + header_bytes_ - kUdpHeaderBytes;
  uint8_t* const ip = udp - (v4_ ? kIpv4MinHeaderBytes : kIpv6HeaderBytes);
  CopyBytes(bytes_, header.destination_mac.bytes);
  CopyBytes(bytes_ + 6, header.source_mac.bytes);
  if (header.tagged) {
    StoreBe16(bytes_ + 12, kEtherTypeVlan);
    StoreBe16(bytes_ + 14, header.vlan_tci);
  }
  StoreBe16(ip - 2, v4_ ? kEtherTypeIpv4 : kEtherTypeIpv6);
  v4_ ? FillIpv4(ip, header) : FillIpv6(ip, header);
  StoreBe16(udp, header.source.port);
  StoreBe16(udp + 2, header.destination.port);

  ChecksumAccumulator ip_sum;
  if (v4_) ip_sum.Add({ip, kIpv4MinHeaderBytes});
  ip_sum_ = Fold(ip_sum);
  ChecksumAccumulator udp_sum;
  udp_sum.Add(header.source.address.padded());
  udp_sum.Add(header.destination.address.padded());
  udp_sum.AddU16(kIpProtocolUdp);
  udp_sum.Add({udp, kUdpHeaderBytes});
  udp_sum_ = Fold(udp_sum);
}

FrameTemplate FrameTemplate::Open(FrameHeader header) {
  header.dscp = header.ecn = header.hop_limit = 0;
  header.dont_fragment = false;
  header.identification = 0;
  return FrameTemplate(header);
}

template <bool kOpen>
uint8_t* FrameTemplate::WriteWith(uint8_t* payload, size_t payload_bytes, const IpFields& fields) const {
  LG_ASSERT(header_bytes_ != 0 && payload_bytes <= 65535 - kIpv4MinHeaderBytes - kUdpHeaderBytes);
  uint8_t* const frame = payload - header_bytes_;
  if (header_bytes_ == kUntaggedIpv4Bytes) [[likely]] {
    std::memcpy(frame, bytes_, kUntaggedIpv4Bytes);
  } else {
    std::memcpy(frame, bytes_, header_bytes_);
  }
  uint8_t* const udp = payload - kUdpHeaderBytes;
  const auto udp_bytes = uint16_t(kUdpHeaderBytes + payload_bytes);
  if (v4_) {
    uint8_t* const ip = udp - kIpv4MinHeaderBytes;
    const auto total_bytes = uint16_t(kIpv4MinHeaderBytes + udp_bytes);
    ChecksumAccumulator sum(ip_sum_);
    sum.AddU16(total_bytes);
    if constexpr (kOpen) {
      // The template has zeros there, so that they are only added.
      const auto fragment_word = uint16_t(fields.dont_fragment ? 0x4000 : 0);
      sum.AddU16(fields.traffic_class);
      sum.AddU16(fields.identification);
      sum.AddU16(fragment_word);
      sum.AddU16(uint16_t(fields.hop_limit << 8));
      ip[1] = fields.traffic_class;
      StoreBe16(ip + 4, fields.identification);
      StoreBe16(ip + 6, fragment_word);
      ip[8] = fields.hop_limit;
    }
    StoreBe16(ip + 2, total_bytes);
    StoreBe16(ip + 10, sum.Finish());
  } else {
    uint8_t* const ip = udp - kIpv6HeaderBytes;
    if constexpr (kOpen) {
      StoreBe32(ip, 0x60000000u | uint32_t(fields.traffic_class) << 20);
      ip[7] = fields.hop_limit;
    }
    StoreBe16(ip + 4, udp_bytes);
  }
  ChecksumAccumulator sum(udp_sum_);
  sum.AddU16(udp_bytes);  // of the pseudo header
  sum.AddU16(udp_bytes);
  sum.Add({payload, payload_bytes});
  const uint16_t checksum = sum.Finish();
  StoreBe16(udp + 4, udp_bytes);
  StoreBe16(udp + 6, checksum == 0 ? 0xffff : checksum);  // RFC 768: zero would mean none
  return frame;
}

uint8_t* FrameTemplate::Write(uint8_t* payload, size_t payload_bytes) const {
  return WriteWith<false>(payload, payload_bytes, {});
}

uint8_t* FrameTemplate::Write(uint8_t* payload, size_t payload_bytes, const IpFields& fields) const {
  return WriteWith<true>(payload, payload_bytes, fields);
}

}  // namespace linegate::wire
