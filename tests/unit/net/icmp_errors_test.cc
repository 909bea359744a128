#include "controlplane/net/icmp_errors.h"

#include <gtest/gtest.h>

#include <vector>

namespace linegate::net {
namespace {

using Bytes = std::vector<uint8_t>;

/// Port unreachable from 10.90.2.2 to 10.90.1.1 about a datagram 10.90.1.1:49152 -> 10.90.2.2:3480.
const Bytes kUnreachable4{0x45, 0x00, 0x00, 0x38, 0x1d, 0x7a, 0x00, 0x00, 0x40, 0x01, 0x45, 0x7a, 10,   90,
                          2,    2,    10,   90,   1,    1,    0x03, 0x03, 0xfc, 0xfb, 0x00, 0x00, 0,    0,
                          0x45, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x22, 0xf0, 10,   90,
                          1,    1,    10,   90,   2,    2,    0xc0, 0x00, 0x0d, 0x98, 0x00, 0x18, 0x1a, 0x2b};

Bytes TooBig6() {
  Bytes packet{0x02, 0x00, 0x12, 0x34, 0x00, 0x00, 0x05, 0x00, 0x60, 0x00, 0x00, 0x00, 0x05, 0x10, 17, 64};
  for (int end = 1; end <= 2; ++end) {
    const Bytes address{0xfd, 0x90, 0x00, uint8_t(end), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, uint8_t(end)};
    packet.insert(packet.end(), address.begin(), address.end());
  }
  for (uint8_t byte : {0xc0, 0x02, 0x0d, 0x98, 0x05, 0x10, 0x00, 0x00}) packet.push_back(byte);
  return packet;
}

TEST(IcmpErrors, ReadsPortUnreachable) {
  const auto error = ParseIcmpError(IpFamily::kIpv4, kUnreachable4);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 3);
  EXPECT_EQ(error->code, 3);
  EXPECT_EQ(error->source, *Endpoint::Parse("10.90.1.1:49152"));
  EXPECT_EQ(error->destination, *Endpoint::Parse("10.90.2.2:3480"));
}

TEST(IcmpErrors, ReadsPacketTooBigWithItsMtu) {
  const auto error = ParseIcmpError(IpFamily::kIpv6, TooBig6());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 2);
  EXPECT_EQ(error->data, (std::array<uint8_t, 4>{0, 0, 5, 0}));
  EXPECT_EQ(error->source, *Endpoint::Parse("[fd90:1::1]:49154"));
  EXPECT_EQ(error->destination, *Endpoint::Parse("[fd90:2::2]:3480"));
}

TEST(IcmpErrors, SurvivesEveryTruncation) {
  for (size_t length = 0; length < kUnreachable4.size() - 4; ++length)
    EXPECT_FALSE(ParseIcmpError(IpFamily::kIpv4, ByteView(kUnreachable4).first(length))) << length;
  const Bytes too_big = TooBig6();
  for (size_t length = 0; length < too_big.size() - 4; ++length)
    EXPECT_FALSE(ParseIcmpError(IpFamily::kIpv6, ByteView(too_big).first(length))) << length;
}

TEST(IcmpErrors, IgnoresWhatIsNotAboutOurDatagrams) {
  struct Row {
    size_t offset;
    uint8_t value;
    const char* what;
  };
  for (const Row& row : {Row{20, 0x08, "echo request"}, Row{37, 6, "TCP"}, Row{35, 0x01, "a later fragment"},
                         Row{28, 0x65, "another IP version"}, Row{28, 0x41, "header length that lies"},
                         Row{0, 0x4f, "outer header longer than the packet"}}) {
    Bytes packet = kUnreachable4;
    packet[row.offset] = row.value;
    const auto error = ParseIcmpError(IpFamily::kIpv4, packet);
    EXPECT_FALSE(error) << row.what;
  }
}

}  // namespace
}  // namespace linegate::net
