#include "dataplane/wire/rtp_header.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

const std::vector<uint8_t> kPacket = FromHex(R"(
  b2 e0 0102        # V=2, P, X, CC=2; M, PT 96; sequence number 258
  00000064          # timestamp 100
  cafebabe          # SSRC
  11111111 22222222 # CSRC
  bede 0002         # one-byte extensions, 2 words
  10 ff 21 1234 000000   # audio level, a second one, padding
  a1a2a3            # payload
  00000004          # 4 bytes of padding, the last says so
)");

TEST(RtpHeader, ParsesCapture) {
  const auto view = RtpHeaderView::Parse(kPacket);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->marker());
  EXPECT_EQ(view->payload_type(), 96);
  EXPECT_EQ(view->sequence_number(), 258);
  EXPECT_EQ(view->timestamp(), 100u);
  EXPECT_EQ(view->ssrc(), 0xcafebabeu);
  EXPECT_EQ(view->csrc_count(), 2u);
  EXPECT_EQ(view->csrc(1), 0x22222222u);
  EXPECT_EQ(view->extension_profile(), 0xbede);
  EXPECT_EQ(view->extension().size(), 8u);
  EXPECT_EQ(view->extension()[1], 0xff);
  EXPECT_EQ(view->header_bytes(), 32u);
  EXPECT_EQ(view->padding_bytes(), 4u);
  EXPECT_EQ(view->payload().size(), 3u);
  EXPECT_EQ(view->payload()[0], 0xa1);
}

TEST(RtpHeader, HeaderOnlyLeavesPaddingAlone) {
  auto packet = kPacket;
  packet.back() = 0xff;  // encrypted: means nothing yet
  const auto view = RtpHeaderView::ParseHeader(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->padding_bytes(), 0u);
  EXPECT_EQ(view->payload().size(), 7u);
}

TEST(RtpHeader, RefusesPaddingThatDoesNotFit) {
  auto packet = kPacket;
  packet.back() = 8;
  EXPECT_EQ(RtpHeaderView::Parse(packet).error(), RtpError::kBadPadding);
  packet.back() = 0;
  EXPECT_EQ(RtpHeaderView::Parse(packet).error(), RtpError::kBadPadding);
  packet.back() = 7;
  EXPECT_TRUE(RtpHeaderView::Parse(packet));  // nothing but padding: what probes look like
  EXPECT_EQ(RtpHeaderView::Parse(FromHex("a0000001 00000000 00000001")).error(), RtpError::kBadPadding);
}

TEST(RtpHeader, RefusesOtherVersions) {
  for (uint8_t first : {0x00, 0x40, 0xc0}) {
    auto packet = kPacket;
    packet[0] = uint8_t((packet[0] & 0x3f) | first);
    EXPECT_EQ(RtpHeaderView::Parse(packet).error(), RtpError::kBadVersion);
  }
}

TEST(RtpHeader, RoundTrips) {
  std::vector<uint8_t> packet(kRtpFixedHeaderBytes + 1, 0x55);
  WriteRtpHeader(std::span<uint8_t, kRtpFixedHeaderBytes>(packet.data(), kRtpFixedHeaderBytes),
                 {.marker = true, .payload_type = 8, .sequence_number = 65535, .timestamp = 7, .ssrc = 9});
  RtpHeaderEditor editor(packet);
  auto view = RtpHeaderView::Parse(packet);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->marker());
  EXPECT_EQ(view->payload_type(), 8);
  EXPECT_EQ(view->sequence_number(), 65535);
  EXPECT_EQ(view->timestamp(), 7u);
  EXPECT_EQ(view->ssrc(), 9u);
  editor.set_payload_type(101);
  editor.set_sequence_number(1);
  editor.set_timestamp(2);
  editor.set_ssrc(3);
  EXPECT_TRUE(view->marker()) << "kept by set_payload_type";
  EXPECT_EQ(view->payload_type(), 101);
  EXPECT_EQ(view->sequence_number(), 1);
  EXPECT_EQ(view->timestamp(), 2u);
  EXPECT_EQ(view->ssrc(), 3u);
  EXPECT_EQ(view->payload().size(), 1u);
}

TEST(RtpHeader, SurvivesEveryTruncation) {
  const size_t header_bytes = 32;
  for (size_t length = 0; length < kPacket.size(); ++length) {
    const std::vector<uint8_t> cut(kPacket.begin(), kPacket.begin() + std::ptrdiff_t(length));
    const auto view = RtpHeaderView::ParseHeader(cut);
    ASSERT_EQ(view.has_value(), length >= header_bytes) << length;
    if (!view) {
      EXPECT_EQ(view.error(), RtpError::kTruncated) << length;
    }
    EXPECT_EQ(RtpHeaderView::Parse(cut).has_value(), false) << length;
  }
}

}  // namespace
}  // namespace linegate::wire
