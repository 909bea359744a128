#include "controlplane/turn/stream_framing.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/packet_builder.h"

namespace linegate::turn {
namespace {

using test::FromHex;
using Bytes = std::vector<uint8_t>;

Bytes Stun(size_t body_bytes) {
  Bytes message = FromHex("0003 0000 2112a442 0102030405060708090a0b0c");
  StoreBe16(message.data() + 2, uint16_t(body_bytes));
  message.resize(20 + body_bytes, 0xaa);
  return message;
}

/// As on a stream: with padding.
Bytes ChannelData(size_t data_bytes) {
  Bytes message = FromHex("4001 0000");
  StoreBe16(message.data() + 2, uint16_t(data_bytes));
  message.resize(4 + data_bytes, 0xdd);
  message.resize((message.size() + 3) & ~size_t{3}, 0x00);
  return message;
}

struct Seen {
  StreamFrame::Kind kind;
  Bytes bytes;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> TakeAll(StreamFraming& framing) {
  std::vector<Seen> seen;
  while (const auto frame = framing.Next()) {
    seen.push_back({frame->kind, Bytes(frame->bytes.begin(), frame->bytes.end())});
  }
  return seen;
}

Bytes Concatenate(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::vector<Seen> ExpectedOfMixed() {
  Bytes five = ChannelData(5), zero = ChannelData(0);
  five.resize(9);
  return {{StreamFrame::Kind::kStun, Stun(8)},
          {StreamFrame::Kind::kChannelData, five},
          {StreamFrame::Kind::kChannelData, zero},
          {StreamFrame::Kind::kStun, Stun(0)}};
}
Bytes Mixed() { return Concatenate({Stun(8), ChannelData(5), ChannelData(0), Stun(0)}); }

TEST(StreamFraming, CutsMessagesAndDropsPadding) {
  StreamFraming framing;
  framing.Append(Mixed());
  EXPECT_EQ(TakeAll(framing), ExpectedOfMixed());
  EXPECT_EQ(framing.fault(), StreamFault::kNone);
  EXPECT_FALSE(framing.inside_message());
  EXPECT_EQ(framing.buffered_bytes(), 0u);
}

TEST(StreamFraming, DoesNotCareHowTheBytesArrive) {
  const Bytes stream = Mixed();
  for (size_t step = 1; step <= stream.size(); ++step) {
    StreamFraming framing;
    std::vector<Seen> seen;
    for (size_t offset = 0; offset < stream.size(); offset += step) {
      framing.Append(ByteView(stream).subspan(offset, std::min(step, stream.size() - offset)));
      for (Seen& frame : TakeAll(framing)) seen.push_back(std::move(frame));
    }
    EXPECT_EQ(seen, ExpectedOfMixed()) << step;
    EXPECT_FALSE(framing.inside_message());
  }
}

TEST(StreamFraming, WaitsForEveryTruncation) {
  for (const Bytes& message : {Stun(12), ChannelData(7)}) {
    for (size_t length = 0; length < message.size(); ++length) {
      StreamFraming framing;
      framing.Append(ByteView(message).first(length));
      EXPECT_FALSE(framing.Next());
      EXPECT_EQ(framing.fault(), StreamFault::kNone);
      EXPECT_EQ(framing.inside_message(), length > 0);
    }
  }
}

TEST(StreamFraming, RefusesWhatIsNoTurnByItsFirstByte) {
  for (int first = 0; first < 256; ++first) {
    StreamFraming framing;
    const auto byte = uint8_t(first);
    framing.Append({&byte, 1});
    EXPECT_FALSE(framing.Next());
    const bool could = first <= 3 || (first >= 0x40 && first < 0x80);
    EXPECT_EQ(framing.fault(), could ? StreamFault::kNone : StreamFault::kNotTurn) << first;
    EXPECT_EQ(StreamFraming::CouldBegin(byte), could);
  }
}

TEST(StreamFraming, JudgesAHeaderWithoutWaitingForTheBody) {
  struct Row {
    const char* bytes;
    StreamFault fault;
  };
  const Row rows[] = {
      {"0001 0001", StreamFault::kBadLength},
      {"0001 ffff", StreamFault::kBadLength},
      {"0001 fffc", StreamFault::kStunTooLong},
      {"0001 07f0", StreamFault::kStunTooLong},
      {"0001 07ec", StreamFault::kNone},
      {"0001 0000 2112a443", StreamFault::kNotTurn},
      {"0001 0000 47455420", StreamFault::kNotTurn},
  };
  for (const Row& row : rows) {
    StreamFraming framing;
    framing.Append(FromHex(row.bytes));
    EXPECT_FALSE(framing.Next());
    EXPECT_EQ(framing.fault(), row.fault) << row.bytes;
  }
}

TEST(StreamFraming, ReadsNothingAfterAFault) {
  StreamFraming framing;
  framing.Append(Concatenate({Stun(0), FromHex("ff"), Stun(0)}));
  EXPECT_TRUE(framing.Next());
  EXPECT_FALSE(framing.Next());
  EXPECT_EQ(framing.fault(), StreamFault::kNotTurn);
  framing.Append(Stun(0));
  EXPECT_FALSE(framing.Next());
  EXPECT_EQ(framing.buffered_bytes(), 0u);
}

TEST(StreamFraming, PassesOverChannelDataThatNoDatagramCarries) {
  for (const size_t step : {size_t{1}, size_t{1000}, size_t{100'000}}) {
    StreamFraming framing;
    const Bytes stream = Concatenate({ChannelData(0xffff), ChannelData(3), ChannelData(2045), Stun(4)});
    size_t frames = 0;
    for (size_t offset = 0; offset < stream.size(); offset += step) {
      framing.Append(ByteView(stream).subspan(offset, std::min(step, stream.size() - offset)));
      frames += TakeAll(framing).size();
      EXPECT_LE(framing.buffered_bytes(), StreamFraming::kMaxMessageBytes);
    }
    EXPECT_EQ(frames, 2u);
    EXPECT_EQ(framing.oversized_channel_data(), 2u);
    EXPECT_EQ(framing.fault(), StreamFault::kNone);
    EXPECT_FALSE(framing.inside_message());
  }
}

TEST(StreamFraming, AcceptsTheLargestMessages) {
  StreamFraming framing;
  framing.Append(Concatenate({Stun(2028), ChannelData(2044)}));
  const auto seen = TakeAll(framing);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].bytes.size(), StreamFraming::kMaxMessageBytes);
  EXPECT_EQ(seen[1].bytes.size(), StreamFraming::kMaxMessageBytes);
}

TEST(StreamFraming, TellsThePaddingToSend) {
  for (size_t bytes = 4; bytes < 12; ++bytes) {
    EXPECT_EQ((bytes + StreamFraming::PaddingOf(Bytes(bytes))) % 4, 0u);
    EXPECT_LT(StreamFraming::PaddingOf(Bytes(bytes)), 4u);
  }
}

}  // namespace
}  // namespace linegate::turn
