#include "dataplane/wire/turn_data_indication.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

constexpr uint8_t kTransaction[12] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c};

std::vector<uint8_t> Write(const Endpoint& peer, std::string_view data) {
  const size_t header_bytes = DataIndicationHeaderBytes(peer.address.family());
  std::vector<uint8_t> buffer(header_bytes + data.size() + DataIndicationPadding(data.size()), 0xee);
  std::copy(data.begin(), data.end(), buffer.begin() + long(header_bytes));
  EXPECT_EQ(WriteDataIndication(buffer.data() + header_bytes, data.size(), peer, kTransaction),
            buffer.data());
  return buffer;
}

TEST(TurnDataIndication, WritesTheBytesOfTheSpecification) {
  // A datagram "hello" of 10.90.2.2:7000, byte by byte from RFC 8656 section 11.7 and RFC 8489 section 14.2.
  EXPECT_EQ(Write(*Endpoint::Parse("10.90.2.2:7000"), "hello"), test::FromHex(R"(
    00 17 00 18 21 12 a4 42  01 02 03 04 05 06 07 08 09 0a 0b 0c
    00 12 00 08 00 01 3a 4a  2b 48 a6 40
    00 13 00 05 68 65 6c 6c 6f 00 00 00)"));
}

TEST(TurnDataIndication, RoundTrips) {
  for (const char* peer : {"10.90.2.2:7000", "[fd90:2::2]:1", "[2001:db8::ffff]:65535"}) {
    for (const char* data : {"", "a", "ab", "abc", "abcd", "abcde"}) {
      const auto bytes = Write(*Endpoint::Parse(peer), data);
      const auto message = StunMessageView::Parse(bytes);
      ASSERT_TRUE(message) << peer << " " << data;
      EXPECT_EQ(message->message_class(), StunClass::kIndication);
      EXPECT_EQ(message->method(), StunMethod::kData);
      EXPECT_TRUE(std::ranges::equal(message->transaction_id(), kTransaction));
      EXPECT_EQ(message->FindXorAddress(StunAttribute::kXorPeerAddress), Endpoint::Parse(peer));
      EXPECT_EQ(AsText(message->Find(StunAttribute::kData).value()), data);
    }
  }
}

}  // namespace
}  // namespace linegate::wire
