#pragma once
#include <cstdint>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/result.h"

namespace linegate::wire {

enum class ChannelDataError : uint8_t { kTruncated, kBadChannel, kBadLength };

inline constexpr size_t kChannelDataHeaderBytes = 4;
inline constexpr uint16_t kMinChannelNumber = 0x4000;
/// RFC 8656 section 12 narrows channels to 0x4fff, so that DTLS and SRTP can share their port. Nothing shares a TURN
/// listener, and clients of RFC 5766 (coturn's own among them) number theirs up to 0x7fff: both are served.
inline constexpr uint16_t kMaxChannelNumber = 0x7fff;

// RFC 8656 section 12.4
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-------------------------------+-------------------------------+
// |        channel number         |   length of application data  |
// +-------------------------------+-------------------------------+
// |                     application data ...                      |
struct ChannelDataView {
  uint16_t channel = 0;
  ByteView data;

  /// Over UDP the padding of RFC 8656 section 12.5 is optional, so up to 3 bytes behind the data are accepted
  /// and anything longer is kBadLength.
  static Result<ChannelDataView, ChannelDataError> Parse(ByteView message) {
    if (message.size() < kChannelDataHeaderBytes) return MakeUnexpected(ChannelDataError::kTruncated);
    ChannelDataView view;
    view.channel = LoadBe16(message.data());
    if (view.channel < kMinChannelNumber || view.channel > kMaxChannelNumber) {
      return MakeUnexpected(ChannelDataError::kBadChannel);
    }
    const size_t data_bytes = LoadBe16(message.data() + 2);
    const size_t room_bytes = message.size() - kChannelDataHeaderBytes;
    if (data_bytes > room_bytes) return MakeUnexpected(ChannelDataError::kTruncated);
    if (room_bytes - data_bytes > 3) return MakeUnexpected(ChannelDataError::kBadLength);
    view.data = message.subspan(kChannelDataHeaderBytes, data_bytes);
    return view;
  }
};

/// Writes the 4 header bytes. Pre: kMinChannelNumber <= channel <= kMaxChannelNumber, data_bytes <= 65535.
inline void WriteChannelDataHeader(std::span<uint8_t, kChannelDataHeaderBytes> out, uint16_t channel,
                                   size_t data_bytes) {
  LG_ASSERT(channel >= kMinChannelNumber && channel <= kMaxChannelNumber && data_bytes <= 0xffff);
  StoreBe16(out.data(), channel);
  StoreBe16(out.data() + 2, uint16_t(data_bytes));
}

}  // namespace linegate::wire
