#include "controlplane/turn/stream_framing.h"

#include <algorithm>

#include "dataplane/wire/stun_message.h"
#include "dataplane/wire/turn_channel_data.h"

namespace linegate::turn {
namespace {

constexpr size_t Padded(size_t bytes) { return (bytes + 3) & ~size_t{3}; }

}  // namespace

size_t StreamFraming::PaddingOf(ByteView message) { return Padded(message.size()) - message.size(); }

void StreamFraming::Append(ByteView bytes) {
  if (fault_ != StreamFault::kNone) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + ptrdiff_t(read_));
  read_ = 0;
  const size_t skipped = std::min(skip_bytes_, bytes.size());
  skip_bytes_ -= skipped;
  buffer_.insert(buffer_.end(), bytes.begin() + ptrdiff_t(skipped), bytes.end());
}

std::vector<uint8_t> StreamFraming::TakeUnread() {
  std::vector<uint8_t> unread(buffer_.begin() + ptrdiff_t(read_), buffer_.end());
  buffer_.clear();
  read_ = skip_bytes_ = 0;
  return unread;
}

std::optional<StreamFrame> StreamFraming::Fail(StreamFault fault) {
  fault_ = fault;
  buffer_.clear();
  read_ = skip_bytes_ = 0;
  return std::nullopt;
}

std::optional<StreamFrame> StreamFraming::Next() {
  while (fault_ == StreamFault::kNone && read_ < buffer_.size()) {
    const ByteView bytes = ByteView(buffer_).subspan(read_);
    if (!CouldBegin(bytes[0])) return Fail(StreamFault::kNotTurn);
    if (bytes[0] < 0x40) return NextStun(bytes);
    const uint64_t oversized_before = oversized_;
    const auto frame = NextChannelData(bytes);
    if (frame || oversized_ == oversized_before) return frame;
  }
  return std::nullopt;
}

std::optional<StreamFrame> StreamFraming::NextStun(ByteView bytes) {
  if (bytes.size() < 4) return std::nullopt;
  const size_t body_bytes = LoadBe16(bytes.data() + 2);
  if (body_bytes % 4 != 0) return Fail(StreamFault::kBadLength);
  const size_t message_bytes = wire::kStunHeaderBytes + body_bytes;
  if (message_bytes > kMaxMessageBytes) return Fail(StreamFault::kStunTooLong);
  if (bytes.size() < 8) return std::nullopt;
  if (LoadBe32(bytes.data() + 4) != wire::kStunMagicCookie) return Fail(StreamFault::kNotTurn);
  if (bytes.size() < message_bytes) return std::nullopt;
  read_ += message_bytes;
  return StreamFrame{StreamFrame::Kind::kStun, bytes.first(message_bytes)};
}

std::optional<StreamFrame> StreamFraming::NextChannelData(ByteView bytes) {
  if (bytes.size() < wire::kChannelDataHeaderBytes) return std::nullopt;
  const size_t message_bytes = wire::kChannelDataHeaderBytes + LoadBe16(bytes.data() + 2);
  const size_t padded_bytes = Padded(message_bytes);
  if (message_bytes > kMaxMessageBytes) {
    ++oversized_;
    const size_t here = std::min(padded_bytes, bytes.size());
    read_ += here;
    skip_bytes_ = padded_bytes - here;
    return std::nullopt;
  }
  if (bytes.size() < padded_bytes) return std::nullopt;
  read_ += padded_bytes;
  return StreamFrame{StreamFrame::Kind::kChannelData, bytes.first(message_bytes)};
}

}  // namespace linegate::turn
