#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/byte_view.h"

namespace linegate::turn {

enum class StreamFault : uint8_t {
  kNone,
  kNotTurn,      ///< neither a STUN message nor ChannelData begins here
  kBadLength,    ///< STUN length not a multiple of 4
  kStunTooLong,  ///< a STUN message over kMaxMessageBytes
};

struct StreamFrame {
  enum class Kind : uint8_t { kStun, kChannelData };
  Kind kind = Kind::kStun;
  ByteView bytes;  ///< one message; of ChannelData header and data, without the padding
};

/// Cuts a byte stream into STUN messages and ChannelData (RFC 8656 section 12.5: on a stream ChannelData is
/// padded to a multiple of 4, the padding is not in its length). Theory of operation: bytes go in as they
/// come, frames are taken out until none is complete. A header is judged as soon as its bytes are there, so
/// that what is no TURN is refused by its first byte. At most one incomplete message is kept: memory per
/// connection is bounded by kMaxMessageBytes plus what one Append brings. ChannelData that no datagram could
/// carry is legal on a stream: it is passed over without being kept, and counted. After a fault nothing is
/// read any more: a stream out of step cannot be found again.
class StreamFraming {
 public:
  /// What the ring between control plane and workers carries (abi kPuntPayloadMax).
  static constexpr size_t kMaxMessageBytes = 2048;

  /// The first byte of a message on a stream that is TURN already.
  static constexpr bool CouldBegin(uint8_t first_byte) {
    return first_byte <= 0x03 || (first_byte >= 0x40 && first_byte <= 0x7f);
  }
  /// Zero bytes to send behind `message` on a stream.
  static size_t PaddingOf(ByteView message);

  void Append(ByteView bytes);
  /// The next complete message, valid until the next call of any function here.
  std::optional<StreamFrame> Next();

  /// What was not given out: the stream goes on as something else (RFC 6062 section 5.4).
  std::vector<uint8_t> TakeUnread();

  StreamFault fault() const { return fault_; }
  /// A message has begun and is not complete: how long that may last is the caller's timer.
  bool inside_message() const { return read_ < buffer_.size() || skip_bytes_ > 0; }
  size_t buffered_bytes() const { return buffer_.size() - read_; }
  uint64_t oversized_channel_data() const { return oversized_; }

 private:
  std::optional<StreamFrame> Fail(StreamFault fault);
  void SkipOversized();
  std::optional<StreamFrame> NextStun(ByteView bytes);
  std::optional<StreamFrame> NextChannelData(ByteView bytes);

  std::vector<uint8_t> buffer_;
  size_t read_ = 0;        ///< bytes of buffer_ that were given out
  size_t skip_bytes_ = 0;  ///< of an oversized ChannelData, still to come
  uint64_t oversized_ = 0;
  StreamFault fault_ = StreamFault::kNone;
};

}  // namespace linegate::turn
