#include <gtest/gtest.h>

#include "tests/support/dataplane_bench.h"
#include "tests/support/packet_builder.h"

namespace linegate::test {
namespace {

using abi::Counter;
using abi::DropReason;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMessageView;
using wire::StunMethod;

constexpr uint8_t kTransaction[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

std::vector<uint8_t> Binding(bool fingerprint, StunClass message_class = StunClass::kRequest) {
  uint8_t buffer[128];
  wire::StunMessageWriter writer(buffer, message_class, StunMethod::kBinding, kTransaction);
  if (fingerprint) writer.AddFingerprint();
  const ByteView message = writer.Finish();
  return {message.begin(), message.end()};
}

struct Row {
  const char* description;
  Endpoint from;
  Endpoint to;
  uint16_t port;
};

TEST(StunListener, TellsTheSourceItsAddress) {
  const Row rows[] = {
      {"IPv4", At("10.90.1.2:5000"), At("10.90.1.1:3478"), DataplaneBench::kPublic},
      {"IPv6", At("[fd90:1::2]:5000"), At("[fd90:1::1]:3478"), DataplaneBench::kPublic},
      {"on the WebRTC port", At("10.90.1.2:5000"), At("10.90.1.1:20000"), DataplaneBench::kPublic},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    DataplaneBench bench;
    bench.Receive(row.port, row.from, row.to, Binding(true));
    bench.Run();
    const auto sent = bench.Sent(row.port);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].source, row.to);
    EXPECT_EQ(sent[0].destination, row.from);
    const auto response = StunMessageView::Parse(sent[0].payload);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->message_class(), StunClass::kSuccess);
    EXPECT_EQ(response->xor_mapped_address(), row.from);
    EXPECT_TRUE(response->has_fingerprint());
    EXPECT_TRUE(std::ranges::equal(response->transaction_id(), kTransaction));
    EXPECT_EQ(bench.counter(Counter::kStunBindingsAnswered), 1u);
    EXPECT_EQ(bench.counter(Counter::kReceivedPkts), 1u);
    EXPECT_EQ(bench.counter(Counter::kSentPkts), 1u);
    EXPECT_EQ(bench.all_drops(), 0u);
  }
}

TEST(StunListener, AnswersWithoutFingerprintWhereTheRequestHasNone) {
  DataplaneBench bench;
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), Binding(false));
  bench.Run();
  const auto sent = bench.Sent(0);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload.size(), 32u) << "no larger than needed: 20 bytes and XOR-MAPPED-ADDRESS";
}

TEST(StunListener, NamesUnknownRequiredAttributes) {
  DataplaneBench bench;
  uint8_t buffer[128];
  wire::StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kBinding, kTransaction);
  writer.AddU32(StunAttribute(0x0003), 0);  // CHANGE-REQUEST of RFC 5780
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), writer.Finish());
  bench.Run();
  const auto sent = bench.Sent(0);
  ASSERT_EQ(sent.size(), 1u);
  const auto response = StunMessageView::Parse(sent[0].payload);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->error_code()->code, 420);
  EXPECT_EQ(bench.counter(Counter::kStunErrorsSent), 1u);
}

TEST(StunListener, IgnoresWhatIsNoBindingRequest) {
  DataplaneBench bench;
  const std::vector<uint8_t> rtp(40, 0x80);
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), Binding(true, StunClass::kSuccess));
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), Binding(true, StunClass::kIndication));
  bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), rtp);
  bench.Run();
  EXPECT_TRUE(bench.Sent(0).empty());
  EXPECT_EQ(bench.drops(DropReason::kStunUnsolicited), 2u);
  EXPECT_EQ(bench.drops(DropReason::kUnknownProtocol), 1u);
}

TEST(StunListener, SurvivesEveryTruncation) {
  DataplaneBench bench;
  const auto frame = PacketBuilder()
                         .Ethernet()
                         .From(At("10.90.1.2:5000"))
                         .To(At("10.90.1.1:3478"))
                         .Payload(Binding(true))
                         .Build();
  for (size_t length = 0; length < frame.size(); ++length) {
    bench.ReceiveFrame(0, ByteView(frame).first(length));
    bench.Run();
  }
  EXPECT_TRUE(bench.Sent(0).empty());
  EXPECT_EQ(bench.all_drops(), frame.size());
  const auto message = Binding(true);
  for (size_t length = 0; length < message.size(); ++length) {
    bench.Receive(0, At("10.90.1.2:5000"), At("10.90.1.1:3478"), ByteView(message).first(length));
    bench.Run();
  }
  EXPECT_TRUE(bench.Sent(0).empty());
}

TEST(Classify, AcceptsTheUnfinishedChecksumOfAVethPair) {
  DataplaneBench bench;
  const auto message = Binding(true);
  // The folded pseudo header sum alone: 10.90.1.2 + 10.90.1.1 + 17 + length.
  const uint32_t sum = 0x0a5a + 0x0102 + 0x0a5a + 0x0101 + 17 + uint32_t(8 + message.size());
  const uint16_t partial = uint16_t((sum & 0xffff) + (sum >> 16));
  PacketBuilder builder;
  builder.Ethernet().From(At("10.90.1.2:5000")).To(At("10.90.1.1:3478")).Payload(message);
  bench.ReceiveFrame(0, builder.UdpChecksum(partial).Build());
  bench.ReceiveFrame(0, builder.UdpChecksum(uint16_t(partial + 1)).Build());
  bench.Run();
  EXPECT_EQ(bench.Sent(0).size(), 1u);
  EXPECT_EQ(bench.drops(DropReason::kBadChecksum), 1u);
}

TEST(Classify, CountsWhyAFrameIsNotForUs) {
  struct Bad {
    const char* description;
    std::vector<uint8_t> frame;
    DropReason reason;
  };
  const auto v4 = [] {
    PacketBuilder builder;
    builder.Ethernet().From(At("10.90.1.2:5000")).To(At("10.90.1.1:3478")).Payload(Binding(true));
    return builder;
  };
  const auto v6 = [] {
    PacketBuilder builder;
    builder.Ethernet().From(At("[fd90:1::2]:5000")).To(At("[fd90:1::1]:3478")).Payload(Binding(true));
    return builder;
  };
  const Bad rows[] = {
      {"ARP", v4().EtherType(0x0806).Build(), DropReason::kNotIp},
      {"IPv4 header checksum", v4().Ipv4Checksum(0x1234).Build(), DropReason::kBadIpHeader},
      {"first fragment", v4().FragmentWord(0x2000).Build(), DropReason::kFragment},
      {"TCP", v4().Protocol(6).Build(), DropReason::kNotUdp},
      {"TTL zero", v4().Ttl(0).Build(), DropReason::kTtlZero},
      {"UDP length lies", v4().UdpLength(4000).Build(), DropReason::kBadLength},
      {"loopback source", v4().From(At("127.0.0.1:5000")).Build(), DropReason::kBadAddress},
      {"our own address as source", v4().From(At("10.90.1.1:5000")).Build(), DropReason::kBadSource},
      {"private address from the public side", v4().To(At("10.90.2.1:40000")).Build(),
       DropReason::kBadSource},
      {"port that is nobody's", v4().To(At("10.90.1.1:9")).Build(), DropReason::kNoFlow},
      {"address that is nobody's", v4().To(At("10.90.1.7:3478")).Build(), DropReason::kNoFlow},
      {"five extension headers",
       v6().Ipv6Extension(0).Ipv6Extension(60).Ipv6Extension(60).Ipv6Extension(60).Ipv6Extension(60).Build(),
       DropReason::kTooManyExtensions},
      {"IPv6 without checksum", v6().UdpChecksum(0).Build(), DropReason::kBadChecksum},
  };
  for (const Bad& row : rows) {
    SCOPED_TRACE(row.description);
    DataplaneBench bench;
    bench.ReceiveFrame(0, row.frame);
    bench.Run();
    EXPECT_TRUE(bench.Sent(0).empty());
    EXPECT_EQ(bench.drops(row.reason), 1u);
    EXPECT_EQ(bench.all_drops(), 1u);
  }
}

TEST(Classify, FollowsOptionsAndExtensionHeaders) {
  DataplaneBench bench;
  const uint8_t options[4] = {1, 1, 1, 1};
  bench.ReceiveFrame(0, PacketBuilder()
                            .Ethernet()
                            .From(At("10.90.1.2:5000"))
                            .To(At("10.90.1.1:3478"))
                            .Ipv4Options(options)
                            .Payload(Binding(true))
                            .Build());
  bench.ReceiveFrame(0, PacketBuilder()
                            .Ethernet()
                            .From(At("[fd90:1::2]:5000"))
                            .To(At("[fd90:1::1]:3478"))
                            .Ipv6Extension(0)
                            .Payload(Binding(true))
                            .Build());
  bench.ReceiveFrame(0, PacketBuilder()
                            .Ethernet()
                            .Vlan(7)
                            .From(At("10.90.1.2:5000"))
                            .To(At("10.90.1.1:3478"))
                            .Payload(Binding(true))
                            .Build());
  bench.Run();
  EXPECT_EQ(bench.Sent(0).size(), 3u);
}

}  // namespace
}  // namespace linegate::test
