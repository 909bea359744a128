#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/turn/stream_framing.h"
#include "dataplane/base/time.h"

namespace linegate::net {

struct TurnStreamLimits {
  Duration first_message = std::chrono::seconds(10);  ///< from accept to one complete message, TLS included
  Duration message = std::chrono::seconds(10);        ///< from the first byte of a message to its last
  Duration idle = std::chrono::seconds(60);           ///< nothing received, and no allocation
  Duration write = std::chrono::seconds(30);          ///< a peer that takes nothing of what waits for it
  Duration linger = std::chrono::seconds(1);          ///< for the peer's end, after ours
  /// Unsent bytes above which relayed data is dropped, as a full queue of datagrams would.
  size_t queue_bytes = 256 * 1024;
  /// What answers may add to that; a peer that lets more of them wait is cut.
  size_t answer_bytes = 64 * 1024;
};

/// One TURN client's stream without its socket. Theory of operation: bytes that came go in and are cut into messages;
/// messages to send are queued, padded (RFC 8656 section 12.5), and taken out in one piece whenever the socket is free.
/// Time is told, never read. What a stranger can grow is the input (one message, StreamFraming) and the output (above).
///
///   waiting for the first message -> open -> closing: what is queued is sent, our end, the peer's end or `linger`
class TurnStreamSession {
 public:
  TurnStreamSession(TimePoint now, const TurnStreamLimits& limits);

  /// A client's first message is a STUN request. HTTP begins with a capital letter, and half of those could be the first
  /// byte of ChannelData ("GET" is channel 0x4745), which nobody may send before an allocation.
  static constexpr bool CouldOpen(uint8_t first_byte) { return first_byte <= 0x03; }

  /// Then Next() until nullopt; a fault: the bytes are no TURN; cut.
  void HandleBytes(TimePoint now, ByteView bytes);
  std::optional<turn::StreamFrame> Next();
  turn::StreamFault fault() const { return not_turn_ ? turn::StreamFault::kNotTurn : framing_.fault(); }
  /// Bytes behind the last message: the stream goes on as something else.
  std::vector<uint8_t> TakeUnread() { return framing_.TakeUnread(); }
  uint64_t oversized_channel_data() const { return framing_.oversized_channel_data(); }

  enum class Queued : uint8_t { kYes, kDropped, kCut };
  /// Answers of the server: never dropped. kCut: so many wait already that the peer reads none of them.
  Queued QueueAnswer(ByteView message);
  /// What peers sent: dropped when the queue is full.
  Queued QueueRelayed(ByteView message);
  /// Everything queued, for the socket; empty while a write is under way or there is nothing.
  std::vector<uint8_t> TakeOutput(TimePoint now);
  void HandleWritten(TimePoint now);
  bool writing() const { return writing_; }
  bool has_output() const { return !queue_.empty(); }

  /// An allocation of its own keeps an idle stream.
  enum class Allocation : uint8_t { kNone, kSome };
  void SetAllocation(TimePoint now, Allocation allocation);
  /// Nothing is read or queued any more.
  void Close(TimePoint now);
  bool closing() const { return closing_at_.has_value(); }

  enum class Expiry : uint8_t { kNone, kFirstMessage, kMessage, kIdle, kWrite, kLinger };
  struct Deadline {
    TimePoint at;
    Expiry kind = Expiry::kNone;
  };
  /// The nearest; with nothing to wait for: kNone.
  Deadline NextDeadline() const;
  /// What has expired at `now`: cut.
  Expiry Expired(TimePoint now) const;

 private:
  Queued Queue(ByteView message, size_t limit);

  const TurnStreamLimits& limits_;
  turn::StreamFraming framing_;
  std::vector<uint8_t> queue_;
  size_t writing_bytes_ = 0;
  bool writing_ = false;
  bool any_message_ = false;
  bool heard_any_ = false;
  bool not_turn_ = false;
  Allocation allocation_ = Allocation::kNone;
  TimePoint opened_at_, heard_at_, write_began_{};
  std::optional<TimePoint> message_began_;
  std::optional<TimePoint> closing_at_;
};

}  // namespace linegate::net
