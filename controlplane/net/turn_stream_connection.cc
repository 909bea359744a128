#include "controlplane/net/turn_stream_connection.h"

#include <boost/asio/post.hpp>

namespace linegate::net {

using Session = TurnStreamSession;
using boost::system::error_code;

TurnStreamConnection::TurnStreamConnection(boost::asio::io_context& context, TurnStreamConnections& owner,
                                           TurnStreamCounters& counters, const TurnStreamLimits& limits,
                                           std::unique_ptr<ByteStream> stream,
                                           std::shared_ptr<void> admission, const turn::TurnClient& client,
                                           TimePoint accepted_at)
    : context_(context),
      owner_(owner),
      counters_(counters),
      stream_(std::move(stream)),
      admission_(std::move(admission)),
      client_(client),
      session_(accepted_at, limits),
      timer_(context) {}

void TurnStreamConnection::Start() {
  ArmTimer();
  Read();
}

void TurnStreamConnection::Read() {
  stream_->ReadSome([this](ByteView bytes) {
    const auto keep = shared_from_this();
    OnBytes(bytes);
  });
}

void TurnStreamConnection::OnBytes(ByteView bytes) {
  if (bytes.empty()) return End();
  session_.HandleBytes(MonotonicNow(), bytes);
  while (const auto frame = session_.Next()) {
    ++counters_.messages_received;
    known_to_handler_ = true;
    owner_.OnMessage(client_, *frame);
    if (!owner_.Holds(client_.connection)) return;
    if (detached_) return OnDrained();
  }
  counters_.oversized_channel_data += session_.oversized_channel_data() - oversized_counted_;
  oversized_counted_ = session_.oversized_channel_data();
  if (session_.fault() != turn::StreamFault::kNone) {
    ++counters_.not_turn;
    return End();
  }
  ArmTimer();
  Read();
}

void TurnStreamConnection::SendAnswer(ByteView message) {
  const Session::Queued queued = session_.QueueAnswer(message);
  if (queued == Session::Queued::kYes) {
    ++counters_.answers_sent;
    return Flush();
  }
  if (queued == Session::Queued::kDropped) return;
  ++counters_.slow_readers_cut;
  // The caller may be in the middle of something: nobody hears of a closed connection from inside a call.
  boost::asio::post(context_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->End();
  });
}

void TurnStreamConnection::SendRelayed(ByteView message) {
  if (session_.QueueRelayed(message) != Session::Queued::kYes) {
    ++counters_.relayed_dropped;
    return;
  }
  ++counters_.relayed_sent;
  Flush();
}

void TurnStreamConnection::SetAllocation(Session::Allocation allocation) {
  session_.SetAllocation(MonotonicNow(), allocation);
  ArmTimer();
}

void TurnStreamConnection::Close() {
  session_.Close(MonotonicNow());
  if (!session_.writing()) OnDrained();
  ArmTimer();
}

void TurnStreamConnection::Flush() {
  std::vector<uint8_t> output = session_.TakeOutput(MonotonicNow());
  if (output.empty()) return;
  stream_->Write(std::move(output), [this](ByteStream::Outcome outcome) {
    const auto keep = shared_from_this();
    OnWritten(outcome);
  });
  ArmTimer();
}

void TurnStreamConnection::OnWritten(ByteStream::Outcome outcome) {
  if (outcome == ByteStream::Outcome::kBroken) return End();
  session_.HandleWritten(MonotonicNow());
  Flush();
  if (!session_.writing()) OnDrained();
}

void TurnStreamConnection::OnDrained() {
  if (session_.writing()) return;
  if (session_.closing() && !std::exchange(output_ended_, true)) {
    stream_->EndOutput();
    return ArmTimer();
  }
  if (!detached_ || session_.closing()) return;
  const auto keep = shared_from_this();
  const auto detached = std::exchange(detached_, nullptr);
  timer_.cancel();
  owner_.Remove(client_.connection, TurnStreamConnections::Tell::kNobody);
  detached({std::move(stream_), session_.TakeUnread(), std::move(admission_)});
}

void TurnStreamConnection::End() {
  const auto keep = shared_from_this();
  timer_.cancel();
  const bool tell = known_to_handler_ && !session_.closing() && !detached_;
  const auto detached = std::exchange(detached_, nullptr);
  owner_.Remove(client_.connection,
                tell ? TurnStreamConnections::Tell::kHandler : TurnStreamConnections::Tell::kNobody);
  if (detached) detached({});
}

/// A deadline that moves away moves no timer: the timer fires early, looks again and sleeps on.
void TurnStreamConnection::ArmTimer() {
  const Session::Deadline deadline = session_.NextDeadline();
  if (deadline.kind == Session::Expiry::kNone || (timer_at_ && *timer_at_ <= deadline.at)) return;
  timer_at_ = deadline.at;
  timer_.expires_at(boost::asio::steady_timer::time_point(deadline.at.time_since_epoch()));
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!error && self) self->OnTimer();
  });
}

void TurnStreamConnection::OnTimer() {
  timer_at_.reset();
  switch (session_.Expired(MonotonicNow())) {
    case Session::Expiry::kNone:
      return ArmTimer();
    case Session::Expiry::kFirstMessage:
      ++counters_.first_message_timeouts;
      break;
    case Session::Expiry::kMessage:
      ++counters_.message_timeouts;
      break;
    case Session::Expiry::kIdle:
      ++counters_.idle_timeouts;
      break;
    case Session::Expiry::kWrite:
      ++counters_.write_timeouts;
      break;
    case Session::Expiry::kLinger:
      break;
  }
  End();
}

}  // namespace linegate::net
