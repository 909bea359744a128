#include "dataplane/wire/rtp_header.h"

namespace linegate::wire {

Result<RtpHeaderView, RtpError> RtpHeaderView::ParseLongHeader(ByteView packet) {
  if (packet.size() < kRtpFixedHeaderBytes) return MakeUnexpected(RtpError::kTruncated);
  if ((packet[0] >> 6) != 2) return MakeUnexpected(RtpError::kBadVersion);
  RtpHeaderView view;
  view.packet_ = packet;
  size_t header_bytes = kRtpFixedHeaderBytes + 4 * view.csrc_count();
  if (view.has_extension()) {
    if (packet.size() < header_bytes + 4) return MakeUnexpected(RtpError::kTruncated);
    // RFC 3550 section 5.3.1: the length counts 32-bit words behind the 4-byte extension header; 0 is valid.
    const size_t words = LoadBe16(packet.data() + header_bytes + 2);
    if (packet.size() - header_bytes - 4 < 4 * words) return MakeUnexpected(RtpError::kTruncated);
    header_bytes += 4 + 4 * words;
  } else if (packet.size() < header_bytes) {
    return MakeUnexpected(RtpError::kTruncated);
  }
  if (header_bytes > 0xffff) return MakeUnexpected(RtpError::kTruncated);  // larger than any UDP datagram
  view.header_bytes_ = uint16_t(header_bytes);
  return view;
}

Result<RtpHeaderView, RtpError> RtpHeaderView::CheckPadding(RtpHeaderView view) {
  const size_t behind_header = view.packet_.size() - view.header_bytes_;
  const uint8_t padding_bytes = behind_header > 0 ? view.packet_.back() : uint8_t{0};
  if (padding_bytes == 0 || padding_bytes > behind_header) return MakeUnexpected(RtpError::kBadPadding);
  view.padding_bytes_ = padding_bytes;
  return view;
}

ByteView RtpHeaderView::extension() const {
  if (!has_extension()) return {};
  const size_t begin = kRtpFixedHeaderBytes + 4 * csrc_count() + 4;
  return packet_.subspan(begin, header_bytes_ - begin);
}

void WriteRtpHeader(std::span<uint8_t, kRtpFixedHeaderBytes> out, const RtpFixedHeader& header) {
  out[0] = 0x80;
  out[1] = uint8_t((header.marker ? 0x80 : 0) | (header.payload_type & 0x7f));
  StoreBe16(out.data() + 2, header.sequence_number);
  StoreBe32(out.data() + 4, header.timestamp);
  StoreBe32(out.data() + 8, header.ssrc);
}

}  // namespace linegate::wire
