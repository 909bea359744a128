#include "dataplane/wire/rtcp_packet.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

/// SR with one block, SDES with CNAME, BYE with a reason; as browsers send them.
const std::vector<uint8_t> kCompound = FromHex(R"(
  81c8000c 0000aaaa                    # SR, one block, SSRC aaaa
  e1e2e3e4 e5e6e7e8 00000064 00000001 000000a0   # NTP, RTP time, packets, bytes
  0000bbbb 00000000 00010102 00000003 00000000 00000000
  81ca0003 0000aaaa 0102 6162 00000000   # SDES, one chunk: CNAME "ab", ends
  81cb0003 0000aaaa 05 6c65617665 0000   # BYE, "leave"
)");

using Found = std::vector<std::pair<uint32_t, SsrcRole>>;

Found SsrcsOf(std::vector<uint8_t> packet) {
  Found found;
  ForEachRtcpSsrc(packet, [&](uint8_t* field, SsrcRole role) { found.emplace_back(LoadBe32(field), role); });
  return found;
}

TEST(RtcpPacket, ParsesCapture) {
  const auto view = RtcpCompoundView::Parse(kCompound, RtcpForm::kCompound);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->sender_ssrc(), 0xaaaau);
  std::vector<std::pair<int, size_t>> packets;
  view->ForEachPacket(
      [&](const RtcpPacketView& packet) { packets.emplace_back(packet.type, packet.bytes.size()); });
  EXPECT_EQ(packets, (std::vector<std::pair<int, size_t>>{{200, 52}, {202, 16}, {203, 16}}));
  EXPECT_EQ(SsrcsOf(kCompound), (Found{{0xaaaa, SsrcRole::kSender},
                                       {0xbbbb, SsrcRole::kMedia},
                                       {0xaaaa, SsrcRole::kSender},
                                       {0xaaaa, SsrcRole::kSender}}));
}

TEST(RtcpPacket, RoundTrips) {
  const std::map<uint32_t, uint32_t> there = {{0xaaaa, 0x1111}, {0xbbbb, 0x2222}};
  auto packet = kCompound;
  ForEachRtcpSsrc(packet, [&](uint8_t* field, SsrcRole) { StoreBe32(field, there.at(LoadBe32(field))); });
  ASSERT_TRUE(RtcpCompoundView::Parse(packet, RtcpForm::kCompound));
  EXPECT_NE(packet, kCompound);
  ForEachRtcpSsrc(packet, [&](uint8_t* field, SsrcRole) {
    StoreBe32(field, LoadBe32(field) == 0x1111 ? 0xaaaa : 0xbbbb);
  });
  EXPECT_EQ(packet, kCompound);
}

TEST(RtcpPacket, FindsSsrcsOfFeedback) {
  struct Row {
    const char* what;
    const char* hex;
    std::vector<uint32_t> media;
  };
  const Row rows[] = {
      {"generic NACK", "81cd0003 00000001 00000002 12340001", {2}},
      {"transport-wide congestion control", "8fcd0004 00000001 00000002 00010001 00000000", {2}},
      {"TMMBR", "83cd0004 00000001 00000000 00000003 00000000", {0, 3}},
      {"PLI", "81ce0002 00000001 00000002", {2}},
      {"FIR, two entries", "84ce0006 00000001 00000000 00000003 01000000 00000004 02000000", {0, 3, 4}},
      {"REMB, two SSRCs", "8fce0006 00000001 00000000 52454d42 02000000 00000005 00000006", {0, 5, 6}},
      {"REMB that lies about its count", "8fce0005 00000001 00000000 52454d42 ff000000 00000005", {0, 5}},
      {"other application feedback", "8fce0003 00000001 00000002 41424344", {2}},
      {"XR: RRTR, then DLRR of two",
       "80cf000b 00000001 04000002 e1e2e3e4 e5e6e7e8  05000006 00000007 00000000 00000000 00000008 00000000 "
       "00000000",
       {7, 8}},
      {"XR: VoIP metrics",
       "80cf000a 00000001 07000008 00000009 00000000 00000000 00000000 00000000 00000000 00000000"
       "00000000",
       {9}},
      {"XR with a block over its end", "80cf0002 00000001 05000009", {}},
      {"RR without blocks", "80c90001 00000001", {}},
      {"APP", "80cc0002 00000001 41424344", {}},
  };
  for (const Row& row : rows) {
    const auto packet = FromHex(row.hex);
    ASSERT_TRUE(RtcpCompoundView::Parse(packet, RtcpForm::kReducedSize)) << row.what;
    Found expected = {{1, SsrcRole::kSender}};
    for (uint32_t ssrc : row.media) expected.emplace_back(ssrc, SsrcRole::kMedia);
    EXPECT_EQ(SsrcsOf(packet), expected) << row.what;
  }
}

TEST(RtcpPacket, ReducedSizeOnlyWhereAgreed) {
  const auto pli = FromHex("81ce0002 00000001 00000002");
  EXPECT_TRUE(RtcpCompoundView::Parse(pli, RtcpForm::kReducedSize));
  EXPECT_EQ(RtcpCompoundView::Parse(pli, RtcpForm::kCompound).error(), RtcpError::kNotCompound);
}

TEST(RtcpPacket, NamesEveryDefect) {
  struct Row {
    const char* what;
    const char* hex;
    RtcpError error;
  };
  const Row rows[] = {
      {"version 1", "40c90001 00000001", RtcpError::kBadVersion},
      {"RTP payload type", "80600001 00000001", RtcpError::kBadVersion},
      {"second packet of version 0", "80c90001 00000001 00ca0000", RtcpError::kBadVersion},
      {"length over end", "80c90002 00000001", RtcpError::kTruncated},
      {"bytes behind", "80c90001 00000001 80ca", RtcpError::kTruncated},
      {"padding before the last packet", "a0c90002 00000001 00000004 80ca0000", RtcpError::kBadPadding},
      {"padding of 0", "a0c90002 00000001 00000000", RtcpError::kBadPadding},
      {"padding not of 4", "a0c90002 00000001 00000003", RtcpError::kBadPadding},
      {"padding over header", "a0c90002 00000001 0000000c", RtcpError::kBadPadding},
      {"RR with a missing block", "81c90001 00000001", RtcpError::kBadPacket},
      {"RR whose padding eats the SSRC", "a0c90001 00000004", RtcpError::kBadPacket},
      {"SR without sender info", "80c80001 00000001", RtcpError::kBadPacket},
      {"SDES item over end", "80c90001 00000001 81ca0002 00000001 01ff6100", RtcpError::kBadPacket},
      {"SDES without end", "80c90001 00000001 81ca0002 00000001 01026162", RtcpError::kBadPacket},
      {"SDES with a missing chunk", "80c90001 00000001 82ca0002 00000001 00000000", RtcpError::kBadPacket},
      {"BYE with a missing SSRC", "80c90001 00000001 82cb0001 00000001", RtcpError::kBadPacket},
      {"BYE with a long reason", "80c90001 00000001 81cb0002 00000001 04616263", RtcpError::kBadPacket},
      {"feedback without media SSRC", "81ce0001 00000001", RtcpError::kBadPacket},
  };
  for (const Row& row : rows) {
    const auto view = RtcpCompoundView::Parse(FromHex(row.hex), RtcpForm::kReducedSize);
    ASSERT_FALSE(view) << row.what;
    EXPECT_EQ(int(view.error()), int(row.error)) << row.what;
  }
}

TEST(RtcpPacket, AcceptsPaddingInTheLastPacket) {
  EXPECT_TRUE(
      RtcpCompoundView::Parse(FromHex("80c90001 00000001 a1cb0002 00000001 00000004"), RtcpForm::kCompound));
}

TEST(RtcpPacket, PrefixIsReadableWhileEncrypted) {
  const auto prefix = RtcpPrefix::Parse(FromHex("81c8000c 0000aaaa 99999999"));
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->type, rtcp_type::kSenderReport);
  EXPECT_EQ(prefix->sender_ssrc, 0xaaaau);
  EXPECT_FALSE(RtcpPrefix::Parse(FromHex("81c8000c 0000aa")));
  EXPECT_FALSE(RtcpPrefix::Parse(FromHex("8108000c 0000aaaa")));
}

TEST(RtcpPacket, SurvivesEveryTruncation) {
  for (size_t length = 0; length < kCompound.size(); ++length) {
    const std::vector<uint8_t> cut(kCompound.begin(), kCompound.begin() + std::ptrdiff_t(length));
    const bool at_packet_border = length == 52 || length == 68;
    EXPECT_EQ(RtcpCompoundView::Parse(cut, RtcpForm::kCompound).has_value(), at_packet_border) << length;
  }
}

}  // namespace
}  // namespace linegate::wire
