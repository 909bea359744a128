#include "dataplane/wire/turn_channel_data.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

TEST(ChannelData, ParsesCapture) {
  const auto message = FromHex("4001 0005  8000000102  000000");  // channel 0x4001, 5 bytes, padded to 8
  const auto view = ChannelDataView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->channel, 0x4001);
  EXPECT_EQ(view->data.size(), 5u);
  EXPECT_EQ(view->data[4], 2);
}

TEST(ChannelData, RoundTrips) {
  std::vector<uint8_t> message(kChannelDataHeaderBytes + 3, 0xab);
  WriteChannelDataHeader(std::span<uint8_t, 4>(message.data(), 4), 0x7fff, 3);
  const auto view = ChannelDataView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->channel, 0x7fff);
  EXPECT_EQ(view->data.size(), 3u);
}

TEST(ChannelData, RefusesForeignChannelsAndTrailingBytes) {
  EXPECT_EQ(ChannelDataView::Parse(FromHex("3fff0000")).error(), ChannelDataError::kBadChannel);
  EXPECT_EQ(ChannelDataView::Parse(FromHex("80000000")).error(), ChannelDataError::kBadChannel);
  EXPECT_EQ(ChannelDataView::Parse(FromHex("40000000 00000000")).error(), ChannelDataError::kBadLength);
}

TEST(ChannelData, SurvivesEveryTruncation) {
  const auto message = FromHex("4001 0005 8000000102");
  for (size_t length = 0; length < message.size(); ++length) {
    const auto view = ChannelDataView::Parse(ByteView(message).first(length));
    ASSERT_FALSE(view) << length;
    EXPECT_EQ(view.error(), ChannelDataError::kTruncated);
  }
}

}  // namespace
}  // namespace linegate::wire
