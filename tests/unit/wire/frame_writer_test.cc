#include "dataplane/wire/frame_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/wire/frame_view.h"
#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;
using test::PacketBuilder;

FrameHeader HeaderOf(const char* source, const char* destination) {
  FrameHeader header;
  header.source_mac = MacAddress{{2, 0, 0, 0, 0, 1}};
  header.destination_mac = MacAddress{{2, 0, 0, 0, 0, 2}};
  header.source = *Endpoint::Parse(source);
  header.destination = *Endpoint::Parse(destination);
  return header;
}

std::vector<uint8_t> Write(const FrameHeader& header, std::string_view payload) {
  std::vector<uint8_t> buffer(kMaxFrameHeaderBytes + payload.size(), 0xee);
  uint8_t* begin = buffer.data() + kMaxFrameHeaderBytes;
  std::copy(payload.begin(), payload.end(), begin);
  uint8_t* frame = WriteFrameHeader(begin, payload.size(), header);
  EXPECT_EQ(size_t(begin - frame), FrameHeaderBytes(header));
  return {frame, buffer.data() + buffer.size()};
}

TEST(FrameWriter, WritesTheBytesOfACapture) {
  FrameHeader header = HeaderOf("10.90.1.2:5000", "10.90.1.1:6000");
  header.dscp = kDscpExpeditedForwarding;
  EXPECT_EQ(Write(header, "hello"), FromHex(R"(
    02 00 00 00 00 02  02 00 00 00 00 01  08 00
    45 b8 00 21 00 00 40 00 40 11 23 5e
    0a 5a 01 02  0a 5a 01 01
    13 88 17 70 00 0d 7a 53
    68 65 6c 6c 6f)"));
}

TEST(FrameWriter, WritesDontFragmentIdentificationAndEcn) {
  FrameHeader header = HeaderOf("10.90.1.2:5000", "10.90.1.1:6000");
  header.dont_fragment = false;
  header.identification = 0x1234;
  header.dscp = 46;
  header.ecn = 2;
  auto frame = Write(header, "hello");
  FrameView view;
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_FALSE(view.dont_fragment);
  EXPECT_EQ(view.traffic_class, 0xba);
  EXPECT_EQ(LoadBe16(frame.data() + 18), 0x1234);
  header.dont_fragment = true;
  frame = Write(header, "hello");
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_TRUE(view.dont_fragment);
  header = HeaderOf("[fd90:1::2]:5000", "[fd90:1::1]:6000");
  header.dscp = 46;
  header.ecn = 1;
  frame = Write(header, "hello");
  ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
  EXPECT_EQ(view.traffic_class, 0xb9);
  EXPECT_TRUE(UdpChecksumValid(frame, view));
}

TEST(FrameWriter, AnOpenTemplateWritesWhatAClosedOneDoes) {
  FrameHeader headers[] = {HeaderOf("10.90.1.2:5000", "10.90.1.1:6000"),
                           HeaderOf("[fd90:1::2]:5000", "[fd90:1::1]:6000"),
                           HeaderOf("255.255.255.255:65535", "10.90.1.1:1")};
  headers[1].tagged = true;
  headers[1].vlan_tci = 7;
  for (FrameHeader header : headers) {
    for (uint32_t n = 0; n < 400; ++n) {
      const IpFields fields{uint8_t(n * 37), uint8_t(n + 1), n % 2 == 0, uint16_t(n * 4099)};
      header.dscp = fields.traffic_class >> 2;
      header.ecn = fields.traffic_class & 3;
      header.hop_limit = fields.hop_limit;
      header.dont_fragment = fields.dont_fragment;
      header.identification = fields.identification;
      std::vector<uint8_t> buffer(kMaxFrameHeaderBytes + n, uint8_t(n));
      uint8_t* const frame =
          FrameTemplate::Open(header).Write(buffer.data() + kMaxFrameHeaderBytes, n, fields);
      EXPECT_EQ(std::vector<uint8_t>(frame, buffer.data() + buffer.size()),
                Write(header, std::string(n, char(n))));
    }
  }
}

TEST(FrameWriter, RoundTrips) {
  FrameHeader headers[] = {HeaderOf("10.90.1.2:5000", "10.90.1.1:6000"),
                           HeaderOf("[fd90:1::2]:5000", "[fd90:1::1]:6000"),
                           HeaderOf("[fd90:1::2]:1", "[fd90:1::1]:65535")};
  headers[2].tagged = true;
  headers[2].vlan_tci = 0x6005;
  headers[2].dscp = 46;
  headers[2].hop_limit = 7;
  for (const FrameHeader& header : headers) {
    for (const char* payload : {"", "x", "hello", "an even longer one"}) {
      const auto frame = Write(header, payload);
      FrameView view;
      ASSERT_EQ(ParseFrame(frame, view), FrameError::kNone);
      EXPECT_EQ(view.source_mac, header.source_mac);
      EXPECT_EQ(view.destination_mac, header.destination_mac);
      EXPECT_EQ(view.source, header.source);
      EXPECT_EQ(view.destination, header.destination);
      EXPECT_EQ(view.tagged, header.tagged);
      EXPECT_EQ(view.vlan_tci, header.vlan_tci);
      EXPECT_EQ(view.traffic_class, header.dscp << 2);
      EXPECT_EQ(view.hop_limit, header.hop_limit);
      EXPECT_FALSE(view.udp_checksum_absent);
      EXPECT_TRUE(UdpChecksumValid(frame, view));
      EXPECT_EQ(AsText(view.payload(frame)), payload);
    }
  }
}

TEST(FrameWriter, AgreesWithTheTestBuilder) {
  const FrameHeader header = HeaderOf("[fd90:1::2]:5000", "[fd90:1::1]:6000");
  EXPECT_EQ(Write(header, "hello"),
            PacketBuilder().From(header.source).To(header.destination).Payload("hello").Build());
}

}  // namespace
}  // namespace linegate::wire
