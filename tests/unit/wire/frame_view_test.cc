#include "dataplane/wire/frame_view.h"

#include <gtest/gtest.h>

#include "dataplane/wire/ip_header.h"
#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;
using test::PacketBuilder;

PacketBuilder V4() { return PacketBuilder().Ipv4("10.90.1.2", "10.90.1.1").Udp(5000, 6000).Payload("hello"); }
PacketBuilder V6() { return PacketBuilder().Ipv6("fd90:1::2", "fd90:1::1").Udp(5000, 6000).Payload("hello"); }

FrameError ErrorOf(const PacketBuilder& builder) {
  FrameView view;
  return ParseFrame(builder.Build(), view);
}

TEST(FrameView, ParsesCapture) {
  const auto frame = FromHex(R"(
    02 00 00 00 00 02  02 00 00 00 00 01  08 00     # Ethernet
    45 b8 00 21 00 00 40 00 40 11 23 5e             # IPv4, EF, 33 bytes, DF, TTL 64, UDP
    0a 5a 01 02  0a 5a 01 01                        # 10.90.1.2 -> 10.90.1.1
    13 88 17 70 00 0d 00 00                         # 5000 -> 6000, 13 bytes, no checksum
    68 65 6c 6c 6f)");
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_EQ(view.source_mac.ToString(), "02:00:00:00:00:01");
  EXPECT_EQ(view.destination_mac.ToString(), "02:00:00:00:00:02");
  EXPECT_EQ(view.source.ToString(), "10.90.1.2:5000");
  EXPECT_EQ(view.destination.ToString(), "10.90.1.1:6000");
  EXPECT_EQ(view.l2_bytes, 14);
  EXPECT_EQ(view.l3_bytes, 20);
  EXPECT_EQ(view.udp_offset, 34);
  EXPECT_EQ(view.payload_offset, 42);
  EXPECT_EQ(AsText(view.payload(frame)), "hello");
  EXPECT_EQ(view.traffic_class, 0xb8);
  EXPECT_EQ(view.hop_limit, 64);
  EXPECT_FALSE(view.tagged);
  EXPECT_TRUE(view.udp_checksum_absent);
  EXPECT_TRUE(UdpChecksumValid(frame, view));
}

TEST(FrameView, ParsesIpv6) {
  const auto frame = V6().TrafficClass(0xb8).Build();
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_EQ(view.family(), IpFamily::kIpv6);
  EXPECT_EQ(view.source.ToString(), "[fd90:1::2]:5000");
  EXPECT_EQ(view.destination.ToString(), "[fd90:1::1]:6000");
  EXPECT_EQ(view.traffic_class, 0xb8);
  EXPECT_EQ(AsText(view.payload(frame)), "hello");
  EXPECT_TRUE(UdpChecksumValid(frame, view));
}

TEST(FrameView, LeavesEthernetPaddingOutOfThePayload) {
  const auto frame = V4().TrailingBytes(13).Build();
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_EQ(AsText(view.payload(frame)), "hello");
  EXPECT_TRUE(UdpChecksumValid(frame, view));
}

TEST(FrameView, ReadsOneVlanTag) {
  const auto frame = V6().Vlan(0xa00c).Build();
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_TRUE(view.tagged);
  EXPECT_EQ(view.vlan_tci, 0xa00c);
  EXPECT_EQ(view.l2_bytes, 18);
  EXPECT_EQ(AsText(view.payload(frame)), "hello");
  EXPECT_EQ(ErrorOf(V4().Vlan(1).EtherType(0x8100)), FrameError::kNotIp);
}

TEST(FrameView, SkipsIpv4Options) {
  const auto frame = V4().Ipv4Options(FromHex("94040000")).Build();  // router alert
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_EQ(view.l3_bytes, 24);
  EXPECT_EQ(AsText(view.payload(frame)), "hello");
}

TEST(FrameView, SkipsUpToFourIpv6Extensions) {
  auto builder = V6().Ipv6Extension(kIpv6HopByHop).Ipv6Extension(kIpv6DestinationOptions, 24);
  builder.Ipv6Extension(kIpv6Routing).Ipv6Extension(kIpv6DestinationOptions);
  const auto frame = builder.Build();
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_EQ(view.l3_bytes, 40 + 8 + 24 + 8 + 8);
  EXPECT_EQ(AsText(view.payload(frame)), "hello");
  EXPECT_TRUE(UdpChecksumValid(frame, view));
  EXPECT_EQ(ErrorOf(builder.Ipv6Extension(kIpv6DestinationOptions)), FrameError::kTooManyExtensions);
}

struct ErrorRow {
  const char* what;
  PacketBuilder builder;
  FrameError error;
};

TEST(FrameView, NamesEveryDefect) {
  const ErrorRow rows[] = {
      {"ARP", V4().EtherType(0x0806), FrameError::kNotIp},
      {"IPv6 in an IPv4 frame", V6().EtherType(0x0800), FrameError::kBadIpHeader},
      {"IPv4 in an IPv6 frame", V4().Payload("twenty bytes of noise").EtherType(0x86dd),
       FrameError::kBadIpHeader},
      {"wrong header checksum", V4().Ipv4Checksum(0x1234), FrameError::kBadIpChecksum},
      {"first fragment", V4().FragmentWord(0x2000), FrameError::kFragment},
      {"later fragment", V4().FragmentWord(0x0005), FrameError::kFragment},
      {"last fragment with DF", V4().FragmentWord(0x4001), FrameError::kFragment},
      {"IPv6 fragment", V6().Ipv6Extension(kIpv6Fragment), FrameError::kFragment},
      {"TCP", V4().Protocol(6), FrameError::kNotUdp},
      {"ICMPv6", V6().Protocol(58), FrameError::kNotUdp},
      {"no next header", V6().Protocol(59), FrameError::kNotUdp},
      {"TTL 0", V4().Ttl(0), FrameError::kTtlZero},
      {"hop limit 0", V6().Ttl(0), FrameError::kTtlZero},
      {"total length under header", V4().IpLength(19), FrameError::kBadLength},
      {"total length over frame", V4().IpLength(34), FrameError::kTruncated},
      {"payload length over frame", V6().IpLength(14), FrameError::kTruncated},
      {"no room for UDP, IPv4", V4().IpLength(27), FrameError::kBadLength},
      {"no room for UDP, IPv6", V6().IpLength(7), FrameError::kBadLength},
      {"no room for extension", V6().Ipv6Extension(kIpv6HopByHop).IpLength(7), FrameError::kBadLength},
      {"extension over end", V6().Ipv6Extension(kIpv6HopByHop, 64).IpLength(24), FrameError::kBadLength},
      {"UDP length under header", V4().UdpLength(7), FrameError::kBadLength},
      {"UDP length 0 (jumbogram)", V6().UdpLength(0), FrameError::kBadLength},
      {"UDP length over packet", V4().UdpLength(14), FrameError::kBadLength},
      {"source unspecified", V4().Ipv4("0.0.0.0", "10.90.1.1"), FrameError::kBadAddress},
      {"source loopback", V4().Ipv4("127.0.0.1", "10.90.1.1"), FrameError::kBadAddress},
      {"source multicast", V4().Ipv4("224.0.0.1", "10.90.1.1"), FrameError::kBadAddress},
      {"source broadcast", V4().Ipv4("255.255.255.255", "10.90.1.1"), FrameError::kBadAddress},
      {"source ::", V6().Ipv6("::", "fd90:1::1"), FrameError::kBadAddress},
      {"source ::1", V6().Ipv6("::1", "fd90:1::1"), FrameError::kBadAddress},
      {"source multicast, IPv6", V6().Ipv6("ff02::1", "fd90:1::1"), FrameError::kBadAddress},
      {"source IPv4-mapped", V6().Ipv6("::ffff:10.0.0.1", "fd90:1::1"), FrameError::kBadAddress},
  };
  for (const ErrorRow& row : rows) EXPECT_EQ(int(ErrorOf(row.builder)), int(row.error)) << row.what;
}

TEST(FrameView, RefusesShortHeaderLengthField) {
  auto frame = V4().Build();
  frame[14] = 0x44;
  FrameView view;
  EXPECT_EQ(ParseFrame(frame, view), FrameError::kBadIpHeader);
}

TEST(FrameView, AcceptsAnEmptyPayloadAndSlackBehindUdp) {
  FrameView view;
  ASSERT_EQ(ParseFrame(V4().Payload("").Build(), view), FrameError::kNone);
  EXPECT_EQ(view.payload_bytes, 0);
  ASSERT_EQ(ParseFrame(V4().UdpLength(10).Build(), view), FrameError::kNone);
  EXPECT_EQ(view.payload_bytes, 2);
}

TEST(FrameView, VerifiesUdpChecksum) {
  FrameView view;
  auto frame = V4().UdpChecksum(0x1111).Build();
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_FALSE(UdpChecksumValid(frame, view));
  frame = V6().UdpChecksum(0).Build();
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_TRUE(view.udp_checksum_absent);
  EXPECT_FALSE(UdpChecksumValid(frame, view)) << "RFC 8200 section 8.1";
}

TEST(FrameView, SurvivesEveryTruncation) {
  const std::vector<uint8_t> frames[] = {
      V4().Build(), V6().Build(), V4().Vlan(5).Ipv4Options(FromHex("94040000")).Build(),
      V6().Ipv6Extension(kIpv6HopByHop, 16).Ipv6Extension(kIpv6Routing).Build()};
  for (const auto& frame : frames) {
    for (size_t length = 0; length < frame.size(); ++length) {
      // A copy of exactly that size, so that AddressSanitizer sees a read behind it.
      const std::vector<uint8_t> cut(frame.begin(), frame.begin() + std::ptrdiff_t(length));
      FrameView view;
      EXPECT_EQ(ParseFrame(cut, view), FrameError::kTruncated) << length;
    }
  }
}

}  // namespace
}  // namespace linegate::wire
