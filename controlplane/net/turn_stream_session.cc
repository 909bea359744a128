#include "controlplane/net/turn_stream_session.h"

#include <algorithm>

namespace linegate::net {

TurnStreamSession::TurnStreamSession(TimePoint now, const TurnStreamLimits& limits)
    : limits_(limits), opened_at_(now), heard_at_(now) {}

void TurnStreamSession::HandleBytes(TimePoint now, ByteView bytes) {
  heard_at_ = now;
  if (closing() || bytes.empty()) return;
  if (!heard_any_) not_turn_ = !CouldOpen(bytes[0]);
  heard_any_ = true;
  framing_.Append(bytes);
  if (!message_began_) message_began_ = now;
}

std::optional<turn::StreamFrame> TurnStreamSession::Next() {
  if (closing() || not_turn_) return std::nullopt;
  auto frame = framing_.Next();
  if (frame) {
    any_message_ = true;
    message_began_ = heard_at_;  // what follows came with these bytes
  } else if (!framing_.inside_message()) {
    message_began_.reset();
  }
  return frame;
}

TurnStreamSession::Queued TurnStreamSession::Queue(ByteView message, size_t limit) {
  const size_t padding = turn::StreamFraming::PaddingOf(message);
  if (closing() || writing_bytes_ + queue_.size() + message.size() + padding > limit) return Queued::kDropped;
  queue_.insert(queue_.end(), message.begin(), message.end());
  queue_.resize(queue_.size() + padding);
  return Queued::kYes;
}

TurnStreamSession::Queued TurnStreamSession::QueueAnswer(ByteView message) {
  const Queued queued = Queue(message, limits_.queue_bytes + limits_.answer_bytes);
  return queued == Queued::kDropped && !closing() ? Queued::kCut : queued;
}

TurnStreamSession::Queued TurnStreamSession::QueueRelayed(ByteView message) {
  return Queue(message, limits_.queue_bytes);
}

std::vector<uint8_t> TurnStreamSession::TakeOutput(TimePoint now) {
  if (writing_ || queue_.empty()) return {};
  writing_ = true;
  writing_bytes_ = queue_.size();
  write_began_ = now;
  return std::exchange(queue_, {});
}

void TurnStreamSession::HandleWritten(TimePoint now) {
  writing_ = false;
  writing_bytes_ = 0;
  if (closing()) closing_at_ = now;  // the linger time begins when the last byte has left
}

void TurnStreamSession::SetAllocation(TimePoint now, Allocation allocation) {
  if (allocation_ == Allocation::kSome && allocation == Allocation::kNone)
    heard_at_ = std::max(heard_at_, now);
  allocation_ = allocation;
}

void TurnStreamSession::Close(TimePoint now) {
  if (!closing_at_) closing_at_ = now;
}

TurnStreamSession::Deadline TurnStreamSession::NextDeadline() const {
  Deadline nearest;
  const auto consider = [&nearest](TimePoint at, Expiry kind) {
    if (nearest.kind == Expiry::kNone || at < nearest.at) nearest = {at, kind};
  };
  if (writing_) consider(write_began_ + limits_.write, Expiry::kWrite);
  if (closing_at_) {
    if (!writing_ && queue_.empty()) consider(*closing_at_ + limits_.linger, Expiry::kLinger);
    return nearest;
  }
  if (!any_message_) consider(opened_at_ + limits_.first_message, Expiry::kFirstMessage);
  if (message_began_) consider(*message_began_ + limits_.message, Expiry::kMessage);
  if (allocation_ == Allocation::kNone) consider(heard_at_ + limits_.idle, Expiry::kIdle);
  return nearest;
}

TurnStreamSession::Expiry TurnStreamSession::Expired(TimePoint now) const {
  const Deadline nearest = NextDeadline();
  return nearest.kind != Expiry::kNone && nearest.at <= now ? nearest.kind : Expiry::kNone;
}

}  // namespace linegate::net
