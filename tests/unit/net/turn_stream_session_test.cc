#include "controlplane/net/turn_stream_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace linegate::net {
namespace {

using namespace std::chrono_literals;
using Expiry = TurnStreamSession::Expiry;
using Queued = TurnStreamSession::Queued;
using Bytes = std::vector<uint8_t>;

const Bytes kBinding{0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const Bytes kChannelData{0x40, 0x00, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};

class TurnStreamSessionTest : public ::testing::Test {
 protected:
  TimePoint At(Duration since_start) const { return start_ + since_start; }
  /// Messages that came out, without padding.
  std::vector<Bytes> Feed(Duration at, ByteView bytes) {
    session_.HandleBytes(At(at), bytes);
    std::vector<Bytes> messages;
    while (const auto frame = session_.Next())
      messages.emplace_back(frame->bytes.begin(), frame->bytes.end());
    return messages;
  }
  void ExpectDeadline(Duration at, Expiry kind) {
    const auto deadline = session_.NextDeadline();
    EXPECT_EQ(deadline.kind, kind);
    EXPECT_EQ(deadline.at, At(at));
    EXPECT_EQ(session_.Expired(At(at) - 1ns), Expiry::kNone);
    EXPECT_EQ(session_.Expired(At(at)), kind);
  }

  const TimePoint start_ = FromNanoseconds(1'000'000'000'000);
  TurnStreamLimits limits_;
  TurnStreamSession session_{start_, limits_};
};

TEST_F(TurnStreamSessionTest, OneByteAtATime) {
  Bytes stream = kBinding;
  stream.insert(stream.end(), kChannelData.begin(), kChannelData.end());
  stream.insert(stream.end(), kBinding.begin(), kBinding.end());
  std::vector<Bytes> messages;
  for (size_t i = 0; i < stream.size(); ++i) {
    for (Bytes& message : Feed(i * 1ms, ByteView(stream).subspan(i, 1)))
      messages.push_back(std::move(message));
  }
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0], kBinding);
  EXPECT_EQ(messages[1], Bytes(kChannelData.begin(), kChannelData.begin() + 9));
  EXPECT_EQ(messages[2], kBinding);
  EXPECT_EQ(session_.fault(), turn::StreamFault::kNone);
}

TEST_F(TurnStreamSessionTest, SilenceAfterAcceptExpires) {
  ExpectDeadline(limits_.first_message, Expiry::kFirstMessage);
}

TEST_F(TurnStreamSessionTest, DrippingBytesDoNotProlongTheFirstMessage) {
  for (int i = 0; i < 9; ++i) Feed(i * 1s, ByteView(kBinding).subspan(size_t(i), 1));
  ExpectDeadline(limits_.first_message, Expiry::kFirstMessage);
}

TEST_F(TurnStreamSessionTest, DrippingBytesDoNotProlongALaterMessage) {
  EXPECT_EQ(Feed(1s, kBinding).size(), 1u);
  session_.SetAllocation(At(1s), TurnStreamSession::Allocation::kSome);
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(Feed(20s + i * 1s, ByteView(kBinding).subspan(size_t(i), 1)).empty());
  ExpectDeadline(20s + limits_.message, Expiry::kMessage);
  EXPECT_EQ(Feed(25s, ByteView(kBinding).subspan(5)).size(), 1u);
  EXPECT_EQ(session_.NextDeadline().kind, Expiry::kNone);
}

TEST_F(TurnStreamSessionTest, HalfAMessageBehindAWholeOneHasItsOwnTime) {
  Bytes one_and_a_half = kBinding;
  one_and_a_half.insert(one_and_a_half.end(), kBinding.begin(), kBinding.begin() + 10);
  EXPECT_EQ(Feed(5s, one_and_a_half).size(), 1u);
  ExpectDeadline(5s + limits_.message, Expiry::kMessage);
}

TEST_F(TurnStreamSessionTest, IdleEndsOnlyWithoutAnAllocation) {
  Feed(2s, kBinding);
  ExpectDeadline(2s + limits_.idle, Expiry::kIdle);
  session_.SetAllocation(At(3s), TurnStreamSession::Allocation::kSome);
  EXPECT_EQ(session_.NextDeadline().kind, Expiry::kNone);
  session_.SetAllocation(At(600s), TurnStreamSession::Allocation::kNone);
  ExpectDeadline(600s + limits_.idle, Expiry::kIdle);
}

TEST_F(TurnStreamSessionTest, GarbageIsAFault) {
  EXPECT_TRUE(Feed(0s, AsBytes("GET / HTTP/1.1\r\n")).empty());
  EXPECT_EQ(session_.fault(), turn::StreamFault::kNotTurn);
}

TEST_F(TurnStreamSessionTest, PadsWhatItSendsAndSendsItTogether) {
  EXPECT_EQ(session_.QueueAnswer(kBinding), Queued::kYes);
  EXPECT_EQ(session_.QueueRelayed(ByteView(kChannelData).first(9)), Queued::kYes);
  Bytes both = kBinding;
  both.insert(both.end(), kChannelData.begin(), kChannelData.end());
  EXPECT_EQ(session_.TakeOutput(At(0s)), both);
  EXPECT_EQ(session_.QueueAnswer(kBinding), Queued::kYes);
  EXPECT_TRUE(session_.TakeOutput(At(0s)).empty());  // one write at a time
  session_.HandleWritten(At(1s));
  EXPECT_EQ(session_.TakeOutput(At(1s)), kBinding);
}

TEST_F(TurnStreamSessionTest, SlowReaderLosesRelayedDataFirstAndIsCutAtLast) {
  const Bytes relayed(1000, 0x40), answer(100, 0x01);
  size_t taken = 0;
  while (session_.QueueRelayed(relayed) == Queued::kYes) ++taken;
  EXPECT_EQ(taken, limits_.queue_bytes / relayed.size());
  EXPECT_EQ(session_.QueueAnswer(answer), Queued::kYes);
  EXPECT_EQ(session_.QueueRelayed(relayed), Queued::kDropped);
  // What is being written counts, too.
  EXPECT_FALSE(session_.TakeOutput(At(0s)).empty());
  EXPECT_EQ(session_.QueueRelayed(relayed), Queued::kDropped);
  size_t answers = 1;
  while (session_.QueueAnswer(answer) == Queued::kYes) ++answers;
  EXPECT_LE(answers * answer.size(), limits_.answer_bytes + relayed.size());
  EXPECT_EQ(session_.QueueAnswer(answer), Queued::kCut);
  ExpectDeadline(limits_.first_message, Expiry::kFirstMessage);
}

TEST_F(TurnStreamSessionTest, AWriteThatNeverEndsExpires) {
  Feed(0s, kBinding);
  session_.SetAllocation(At(0s), TurnStreamSession::Allocation::kSome);
  session_.QueueAnswer(kBinding);
  session_.TakeOutput(At(5s));
  ExpectDeadline(5s + limits_.write, Expiry::kWrite);
}

TEST_F(TurnStreamSessionTest, ClosingSendsWhatIsQueuedThenLingers) {
  Feed(0s, kBinding);
  session_.QueueAnswer(kBinding);
  session_.TakeOutput(At(1s));
  session_.Close(At(2s));
  EXPECT_EQ(session_.QueueAnswer(kBinding), Queued::kDropped);
  EXPECT_TRUE(Feed(3s, kBinding).empty());
  ExpectDeadline(1s + limits_.write, Expiry::kWrite);
  session_.HandleWritten(At(4s));
  ExpectDeadline(4s + limits_.linger, Expiry::kLinger);
}

TEST_F(TurnStreamSessionTest, UnreadBytesGoWithTheStream) {
  Bytes stream = kBinding;
  const Bytes raw{'r', 'a', 'w'};
  stream.insert(stream.end(), raw.begin(), raw.end());
  session_.HandleBytes(At(0s), stream);
  ASSERT_TRUE(session_.Next());
  EXPECT_EQ(session_.TakeUnread(), raw);
  EXPECT_TRUE(session_.TakeUnread().empty());
}

}  // namespace
}  // namespace linegate::net
