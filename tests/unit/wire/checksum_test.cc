#include "dataplane/wire/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;
using test::NaiveChecksum;

TEST(Checksum, AgreesWithTheNaiveSumAtEveryLengthAndAlignment) {
  std::mt19937 random(1);
  std::vector<uint8_t> bytes(300);
  for (uint8_t& byte : bytes) byte = uint8_t(random());
  for (size_t begin = 0; begin < 9; ++begin) {
    for (size_t length = 0; begin + length <= bytes.size(); ++length) {
      const ByteView range = ByteView(bytes).subspan(begin, length);
      ASSERT_EQ(InternetChecksum(range), NaiveChecksum(range)) << begin << "+" << length;
    }
  }
}

TEST(Checksum, CarriesAroundWithAllOnes) {
  const std::vector<uint8_t> ones(1500, 0xff);
  EXPECT_EQ(InternetChecksum(ones), NaiveChecksum(ones));
  EXPECT_EQ(InternetChecksum(std::vector<uint8_t>(64, 0)), 0xffff);
}

TEST(Checksum, SumsSeveralRangesAsOne) {
  std::vector<uint8_t> bytes(77);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = uint8_t(i * 37);
  ChecksumAccumulator sum;
  sum.Add(ByteView(bytes).first(12));
  sum.Add(ByteView(bytes).subspan(12, 2));
  sum.Add(ByteView(bytes).subspan(14));
  EXPECT_EQ(sum.Finish(), NaiveChecksum(bytes));
}

TEST(Checksum, MatchesRfc1071Example) {
  // RFC 1071 section 3: the sum of 00 01 f2 03 f4 f5 f6 f7 is ddf2.
  EXPECT_EQ(InternetChecksum(FromHex("0001f203f4f5f6f7")), uint16_t(~0xddf2));
}

TEST(Checksum, Ipv4HeaderOfACapture) {
  auto header = FromHex("45000073 00004000 4011b861 c0a80001 c0a800c7");
  EXPECT_EQ(Ipv4HeaderChecksum(header), 0);
  header[10] = header[11] = 0;
  EXPECT_EQ(Ipv4HeaderChecksum(header), 0xb861);
}

TEST(Checksum, UdpNeverStoresZero) {
  // Words chosen so that the sum is ffff and its complement 0, which RFC 768 sends as all ones.
  const IpAddress none = IpAddress::V4(0, 0, 0, 0);
  std::vector<uint8_t> datagram = FromHex("0000 0000 000a 0000 0000");
  const uint16_t first = UdpChecksum(none, none, datagram);
  StoreBe16(datagram.data() + 8, first);
  EXPECT_EQ(UdpChecksum(none, none, datagram), 0xffff);
  StoreBe16(datagram.data() + 6, 0xffff);
  EXPECT_TRUE(UdpChecksumMatches(none, none, datagram));
}

TEST(Checksum, UdpDetectsEverySingleBitFlip) {
  const IpAddress a = *IpAddress::Parse("fd90:1::1");
  const IpAddress b = *IpAddress::Parse("fd90:1::2");
  std::vector<uint8_t> datagram = FromHex("1388 1770 000d 0000 6869746865");
  StoreBe16(datagram.data() + 6, UdpChecksum(a, b, datagram));
  ASSERT_TRUE(UdpChecksumMatches(a, b, datagram));
  for (size_t bit = 0; bit < datagram.size() * 8; ++bit) {
    datagram[bit / 8] ^= uint8_t(1 << bit % 8);
    EXPECT_FALSE(UdpChecksumMatches(a, b, datagram)) << bit;
    datagram[bit / 8] ^= uint8_t(1 << bit % 8);
  }
}

}  // namespace
}  // namespace linegate::wire
