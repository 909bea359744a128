#pragma once
#include <cstdint>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/result.h"

namespace linegate::wire {

enum class RtpError : uint8_t {
  kTruncated,   ///< shorter than fixed header, CSRC list and extension announce
  kBadVersion,  ///< not version 2
  kBadPadding,  ///< P set and the last byte is 0 or larger than the payload (RFC 3550 appendix A.1)
};

inline constexpr size_t kRtpFixedHeaderBytes = 12;

// RFC 3550 section 5.1
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +---+-+-+-------+-+-------------+-------------------------------+
// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
// +---+-+-+-------+-+-------------+-------------------------------+
// |                           timestamp                           |
// +---------------------------------------------------------------+
// |                             SSRC                              |
// +---------------------------------------------------------------+
// |          CSRC (CC of them), then the extension if X           |
/// A checked view of an RTP packet; valid as long as the packet's bytes are.
class RtpHeaderView {
 public:
  RtpHeaderView() = default;
  /// Checks the header only: what can be known of a packet that is still encrypted (padding is part of the
  /// payload).
  static Result<RtpHeaderView, RtpError> ParseHeader(ByteView packet) {
    // Nearly all headers have neither CSRCs nor an extension.
    if (packet.size() >= kRtpFixedHeaderBytes && (packet[0] & 0xdf) == 0x80) [[likely]]
      return RtpHeaderView(packet, kRtpFixedHeaderBytes);
    return ParseLongHeader(packet);
  }
  /// Checks the header and the padding: a plain RTP packet.
  static Result<RtpHeaderView, RtpError> Parse(ByteView packet) {
    auto view = ParseHeader(packet);
    if (view && view->has_padding()) [[unlikely]]
      return CheckPadding(*view);
    return view;
  }
  /// Checks the padding of a packet whose header ParseHeader accepted before it was decrypted. Pre: it found
  /// `header_bytes`.
  static Result<RtpHeaderView, RtpError> ParseDecrypted(ByteView packet, size_t header_bytes) {
    LG_ASSERT(packet.size() >= header_bytes);
    const RtpHeaderView view(packet, header_bytes);
    if (view.has_padding()) [[unlikely]]
      return CheckPadding(view);
    return view;
  }

  bool marker() const { return (packet_[1] & 0x80) != 0; }
  uint8_t payload_type() const { return packet_[1] & 0x7f; }
  uint16_t sequence_number() const { return LoadBe16(packet_.data() + 2); }
  uint32_t timestamp() const { return LoadBe32(packet_.data() + 4); }
  uint32_t ssrc() const { return LoadBe32(packet_.data() + 8); }
  size_t csrc_count() const { return packet_[0] & 0x0f; }
  /// Pre: i < csrc_count().
  uint32_t csrc(size_t i) const { return LoadBe32(packet_.data() + kRtpFixedHeaderBytes + 4 * i); }
  bool has_padding() const { return (packet_[0] & 0x20) != 0; }
  bool has_extension() const { return (packet_[0] & 0x10) != 0; }
  /// "Defined by profile" field: 0xbede for one-byte, 0x100x for two-byte elements (RFC 8285). Pre:
  /// has_extension().
  uint16_t extension_profile() const {
    return LoadBe16(packet_.data() + kRtpFixedHeaderBytes + 4 * csrc_count());
  }
  /// Extension data without its 4-byte header; empty if there is none.
  ByteView extension() const;
  /// Fixed header, CSRC list and extension: where the payload begins (and where SRTP encryption begins).
  size_t header_bytes() const { return header_bytes_; }
  /// 0 after ParseHeader.
  size_t padding_bytes() const { return padding_bytes_; }
  /// Without padding (after ParseHeader: everything behind the header).
  ByteView payload() const {
    return packet_.subspan(header_bytes_, packet_.size() - header_bytes_ - padding_bytes_);
  }
  ByteView bytes() const { return packet_; }

 private:
  RtpHeaderView(ByteView packet, size_t header_bytes)
      : packet_(packet), header_bytes_(uint16_t(header_bytes)) {}
  static Result<RtpHeaderView, RtpError> ParseLongHeader(ByteView packet);
  static Result<RtpHeaderView, RtpError> CheckPadding(RtpHeaderView view);
  ByteView packet_;
  uint16_t header_bytes_ = 0;
  uint8_t padding_bytes_ = 0;
};

/// Changes fields of a packet that RtpHeaderView accepted. Pre: `packet.size() >= kRtpFixedHeaderBytes`.
class RtpHeaderEditor {
 public:
  explicit RtpHeaderEditor(MutableByteView packet) : data_(packet.data()) {
    LG_ASSERT(packet.size() >= kRtpFixedHeaderBytes);
  }
  void set_payload_type(uint8_t type) { data_[1] = uint8_t((data_[1] & 0x80) | (type & 0x7f)); }
  void set_sequence_number(uint16_t number) { StoreBe16(data_ + 2, number); }
  void set_timestamp(uint32_t timestamp) { StoreBe32(data_ + 4, timestamp); }
  void set_ssrc(uint32_t ssrc) { StoreBe32(data_ + 8, ssrc); }

 private:
  uint8_t* data_;
};

struct RtpFixedHeader {
  bool marker = false;
  uint8_t payload_type = 0;
  uint16_t sequence_number = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};
/// Writes a header without CSRCs, extension and padding.
void WriteRtpHeader(std::span<uint8_t, kRtpFixedHeaderBytes> out, const RtpFixedHeader& header);

}  // namespace linegate::wire
