// The short look at a frame against the long one: it may refuse what ParseFrame takes, never the other way round.
#include "dataplane/wire/plain_udp.h"

#include <gtest/gtest.h>

#include "dataplane/wire/frame_view.h"
#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::PacketBuilder;

std::vector<uint8_t> Frame(size_t payload_bytes) {
  std::vector<uint8_t> payload(payload_bytes);
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = uint8_t(i * 7 + 1);
  return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(5000, 6000).Payload(payload).Build();
}

PacketBuilder Usual() {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).Payload("x");
}

/// -> whether the short look took it; fails where the long one disagrees.
bool Agrees(ByteView frame) {
  PlainUdp plain;
  FrameView view;
  if (!PlainUdp::Parse(frame, plain)) return false;
  const FrameError error = ParseFrame(frame, view);
  EXPECT_TRUE(error == FrameError::kNone || error == FrameError::kBadAddress) << int(error);
  if (error != FrameError::kNone) return true;
  EXPECT_EQ(view.payload_offset, PlainUdp::kPayloadOffset);
  EXPECT_EQ(view.udp_bytes, plain.udp_bytes);
  EXPECT_EQ(PlainUdp::ChecksumMatches(frame, plain),
            !view.udp_checksum_absent && UdpChecksumValid(frame, view));
  return true;
}

TEST(PlainUdp, TakesTheUsualFrameOfEveryLength) {
  for (size_t bytes = 0; bytes <= 300; ++bytes) {
    const auto frame = Frame(bytes);
    EXPECT_TRUE(Agrees(frame)) << bytes;
    PlainUdp plain;
    ASSERT_TRUE(PlainUdp::Parse(frame, plain));
    EXPECT_TRUE(PlainUdp::ChecksumMatches(frame, plain)) << bytes;
  }
}

TEST(PlainUdp, AgreesOnEveryDamagedBit) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{172}}) {
    const auto good = Frame(bytes);
    for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
      auto frame = good;
      frame[bit / 8] ^= uint8_t(1u << bit % 8);
      Agrees(frame);
      if (bit / 8 < PlainUdp::kUdpOffset) continue;
      PlainUdp plain;
      EXPECT_FALSE(PlainUdp::Parse(frame, plain) && PlainUdp::ChecksumMatches(frame, plain)) << bit;
    }
  }
}

TEST(PlainUdp, AgreesOnEveryTruncation) {
  const auto good = Frame(40);
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Agrees(ByteView(good).first(size))) << size;
}

TEST(PlainUdp, AgreesOnEveryHeaderWord) {
  // With a right header checksum each time, so that the fields alone decide.
  for (uint32_t word = 0; word <= 0xffff; ++word) {
    Agrees(Usual().FragmentWord(uint16_t(word)).Build());
    Agrees(Usual().IpLength(uint16_t(word)).Build());
    Agrees(Usual().UdpLength(uint16_t(word)).Build());
  }
  for (uint32_t byte = 0; byte <= 0xff; ++byte) {
    Agrees(Usual().Ttl(uint8_t(byte)).Build());
    Agrees(Usual().Protocol(uint8_t(byte)).Build());
  }
}

TEST(PlainUdp, LeavesTheRestToTheLongWay) {
  const uint8_t options[4] = {1, 1, 1, 0};
  EXPECT_FALSE(Agrees(PacketBuilder()
                          .Ethernet()
                          .Ipv4("10.0.0.1", "10.0.0.2")
                          .Ipv4Options(options)
                          .Udp(1, 2)
                          .Payload("x")
                          .Build()));
  EXPECT_FALSE(
      Agrees(PacketBuilder().Ethernet().Vlan(5).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).Payload("x").Build()));
  EXPECT_FALSE(Agrees(PacketBuilder().Ethernet().Ipv6("fd90::1", "fd90::2").Udp(1, 2).Payload("x").Build()));
  EXPECT_TRUE(Agrees(Usual().TrailingBytes(17).Build()));
  EXPECT_TRUE(Agrees(Usual().FragmentWord(0x4000).Build()));
}

TEST(PlainUdp, ToldApartByEachAddressAndPort) {
  PlainUdp one, other;
  ASSERT_TRUE(PlainUdp::Parse(Frame(4), one));
  for (const auto& [from, to] :
       {std::pair("10.0.0.3:5000", "10.0.0.2:6000"), std::pair("10.0.0.1:5001", "10.0.0.2:6000"),
        std::pair("10.0.0.1:5000", "10.0.1.2:6000"), std::pair("10.0.0.1:5000", "10.0.0.2:6001")}) {
    const auto frame =
        PacketBuilder().Ethernet().From(*Endpoint::Parse(from)).To(*Endpoint::Parse(to)).Payload("x").Build();
    ASSERT_TRUE(PlainUdp::Parse(frame, other));
    EXPECT_FALSE(one.tuple == other.tuple) << from;
  }
}

}  // namespace
}  // namespace linegate::wire
