// What a TURN listener makes of requests: answered, passed on with limits, dropped.
#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"
#include "tests/support/turn_client.h"

namespace linegate::test {
namespace {

using abi::CommandStatus;
using abi::Counter;
using abi::DropReason;
using wire::StunAttribute;
using wire::StunClass;
using wire::StunMessageView;
using wire::StunMethod;

const Endpoint kClient = At("10.90.1.2:5000");
constexpr uint16_t kPublic = DataplaneBench::kPublic;

std::vector<uint8_t> Request(StunMethod method, StunClass message_class = StunClass::kRequest) {
  return StunOf(message_class, method, [](auto& writer) { writer.AddU32(StunAttribute::kLifetime, 600); });
}
std::vector<uint8_t> Binding() {
  return StunOf(StunClass::kRequest, StunMethod::kBinding, [](auto&) {});
}

TEST(TurnListener, PassesRequestsOnWithTheWayBack) {
  DataplaneBench bench;
  ASSERT_EQ(ProgramRelay(bench, Relay(3, 9), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  const auto allocate = Request(StunMethod::kAllocate), refresh = Request(StunMethod::kRefresh);
  bench.Receive(kPublic, At("[fd90:1::2]:6000"), kTurnListener6, allocate);
  bench.ReceiveFrame(kPublic, PacketBuilder()
                                  .Ethernet(MacAddress{{2, 9, 9, 9, 9, 9}}, MacAddress{{2, 0, 0, 1, 0, 0}})
                                  .Vlan(0x6007)
                                  .From(kClient)
                                  .To(kTurnListener4)
                                  .Payload(refresh)
                                  .Build());
  bench.Run();
  const auto punts = bench.TurnPunts();
  ASSERT_EQ(punts.size(), 2u);
  EXPECT_FALSE(punts[0].record.relay);
  EXPECT_EQ(punts[0].record.local.ToEndpoint(), kTurnListener6);
  EXPECT_EQ(punts[0].record.remote.ToEndpoint(), At("[fd90:1::2]:6000"));
  EXPECT_EQ(punts[0].record.reply_hop.port_id, kPublic);
  EXPECT_EQ(punts[0].record.reply_hop.vlan, 0);
  EXPECT_EQ(punts[0].record.reply_hop.known, 1);
  EXPECT_EQ(punts[0].record.realm, 0);
  EXPECT_EQ(punts[0].payload, allocate);
  EXPECT_EQ(punts[1].record.relay, Relay(3, 9));
  EXPECT_EQ(punts[1].record.reply_hop.vlan, 7);
  EXPECT_EQ(punts[1].record.reply_hop.mac[1], 9);
  EXPECT_EQ(punts[1].payload, refresh);
  EXPECT_EQ(bench.counter(Counter::kTurnPuntedPkts), 2u);
  EXPECT_EQ(bench.all_drops(), 0u);
}

struct Row {
  const char* description;
  Endpoint from;
  std::vector<uint8_t> message;
  DropReason reason;
};

TEST(TurnListener, DropsWhatNobodyAskedFor) {
  DataplaneBench bench;
  ASSERT_EQ(ProgramRelay(bench, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  const std::vector<uint8_t> dtls = {22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  const Row rows[] = {
      {"success response", kClient, Request(StunMethod::kAllocate, StunClass::kSuccess),
       DropReason::kStunUnsolicited},
      {"error response", kClient, Request(StunMethod::kRefresh, StunClass::kError),
       DropReason::kStunUnsolicited},
      {"Binding indication", kClient, StunOf(StunClass::kIndication, StunMethod::kBinding, [](auto&) {}),
       DropReason::kStunUnsolicited},
      {"Allocate as an indication, a client's", kClient,
       Request(StunMethod::kAllocate, StunClass::kIndication), DropReason::kRelayBadIndication},
      {"the same, a stranger's", At("10.90.1.9:1"), Request(StunMethod::kAllocate, StunClass::kIndication),
       DropReason::kRelayNoAllocation},
      {"DTLS", kClient, dtls, DropReason::kUnknownProtocol},
      {"no STUN", kClient, std::vector<uint8_t>(20, 0), DropReason::kBadStun},
      {"empty", kClient, {}, DropReason::kUnknownProtocol},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    const uint64_t before = bench.drops(row.reason), all = bench.all_drops();
    bench.Receive(kPublic, row.from, kTurnListener4, row.message);
    bench.Run();
    EXPECT_EQ(bench.drops(row.reason), before + 1);
    EXPECT_EQ(bench.all_drops(), all + 1);
  }
  EXPECT_TRUE(bench.TurnPunts().empty());
  EXPECT_TRUE(bench.Sent(kPublic).empty());
}

TEST(TurnListener, SurvivesEveryTruncationOfARequest) {
  DataplaneBench bench;
  bench.settings().stun.requests_per_second_per_source = 0;
  bench.Restart();
  const auto request = Request(StunMethod::kAllocate);
  for (size_t length = 0; length < request.size(); ++length) {
    bench.Receive(kPublic, kClient, kTurnListener4, ByteView(request).first(length));
    bench.Run();
  }
  EXPECT_TRUE(bench.TurnPunts().empty());
  EXPECT_EQ(bench.all_drops(), request.size());
}

TEST(TurnListener, AnswersBindingWithOrWithoutCredentials) {
  DataplaneBench bench;
  crypto::OpensslHmacSha1 hmac;
  bench.Receive(kPublic, kClient, kTurnListener4, Binding());
  bench.Receive(kPublic, kClient, kTurnListener4,
                StunOf(StunClass::kRequest, StunMethod::kBinding, [&](auto& writer) {
                  writer.AddText(StunAttribute::kUsername, "somebody");
                  writer.AddBytes(StunAttribute::kUserhash, std::vector<uint8_t>(32, 1));
                  writer.AddMessageIntegrity(hmac, Bytes("secret"));
                }));
  bench.Run();
  const auto sent = bench.Sent(kPublic);
  ASSERT_EQ(sent.size(), 2u);
  for (const SentDatagram& datagram : sent) {
    const auto response = StunMessageView::Parse(datagram.payload);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->xor_mapped_address(), kClient);
    EXPECT_EQ(datagram.payload.size(), 32u) << "minimal: no SOFTWARE, nothing else";
  }
  EXPECT_TRUE(bench.TurnPunts().empty());
}

TEST(TurnListener, LimitsEachSourceAndAllStrangersTogether) {
  DataplaneBench bench;
  bench.settings().stun = {10, 50};
  bench.Restart();
  const auto allocate = Request(StunMethod::kAllocate);
  const auto flood = [&](const std::string& address, int count) {
    for (int i = 0; i < count; ++i) {
      bench.Receive(kPublic, At(address + ":" + std::to_string(1000 + i)), kTurnListener4, allocate);
      bench.Run();
    }
    return bench.TurnPunts().size();
  };
  EXPECT_EQ(flood("10.90.1.50", 100), 20u) << "twice the rate at once, whatever the port";
  EXPECT_EQ(flood("10.90.1.51", 5), 5u) << "another source is not touched";
  EXPECT_EQ(bench.drops(DropReason::kRateLimited), 80u);
  size_t passed = 0;
  for (int i = 0; i < 100; ++i) passed += flood("10.90.3." + std::to_string(i + 1), 1);
  EXPECT_EQ(passed, 25u) << "50 in all, 25 were spent";
  bench.Advance(std::chrono::seconds(1));
  EXPECT_EQ(flood("10.90.1.50", 100), 10u);
}

TEST(TurnListener, StrangersDoNotStarveAClient) {
  DataplaneBench bench;
  bench.settings().stun = {1, 1};
  bench.Restart();
  ASSERT_EQ(ProgramRelay(bench, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  for (int i = 0; i < 300; ++i) {
    // The same source address as the client, another port.
    bench.Receive(kPublic, At("10.90.1.2:" + std::to_string(6000 + i)), kTurnListener4,
                  Request(StunMethod::kAllocate));
    bench.Run();
  }
  EXPECT_LE(bench.TurnPunts().size(), 2u);
  for (int i = 0; i < 250; ++i) {
    bench.Receive(kPublic, kClient, kTurnListener4, Request(StunMethod::kRefresh));
    bench.Run();
  }
  EXPECT_EQ(bench.TurnPunts().size(), 200u) << "its own limit: 100 a second, 200 at once";
}

TEST(TurnListener, LimitsBindingAnswersPerSource) {
  for (const char* listener : {"10.90.1.1:443", "10.90.1.1:3478", "10.90.1.1:20000"}) {
    SCOPED_TRACE(listener);
    DataplaneBench bench;
    bench.settings().stun.requests_per_second_per_source = 5;
    bench.Restart();
    for (int i = 0; i < 50; ++i) {
      bench.Receive(kPublic, kClient, At(listener), Binding());
      bench.Run();
    }
    EXPECT_EQ(bench.Sent(kPublic).size(), 10u);
    EXPECT_EQ(bench.drops(DropReason::kRateLimited), 40u);
  }
}

TEST(TurnListener, TakesAnIpv6SubnetForOneSource) {
  DataplaneBench bench;
  bench.settings().stun.requests_per_second_per_source = 5;
  bench.Restart();
  for (int i = 1; i <= 50; ++i) {
    bench.Receive(kPublic, At("[fd90:1::" + std::to_string(i) + ":2]:5000"), kTurnListener6, Binding());
    bench.Run();
  }
  EXPECT_EQ(bench.Sent(kPublic).size(), 10u);
}

TEST(TurnListener, SendsForTheControlPlane) {
  DataplaneBench bench;
  abi::ListenerInjectRecord record;
  record.local = abi::SocketAddress::From(kTurnListener4);
  record.remote = abi::SocketAddress::From(kClient);
  record.next_hop = NextHopTo(kPublic);
  record.payload_bytes = 5;
  bench.InjectRecord(0, abi::InjectKind::kFromListener, record, Bytes("reply"));
  bench.Run();
  auto sent = bench.Sent(kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].source, kTurnListener4);
  EXPECT_EQ(sent[0].destination, kClient);
  EXPECT_EQ(sent[0].payload, Bytes("reply"));

  const auto refused = [&](auto&& change) {
    abi::ListenerInjectRecord bad = record;
    change(bad);
    bench.InjectRecord(0, abi::InjectKind::kFromListener, bad, Bytes("reply"));
  };
  refused([](auto& r) { r.local = abi::SocketAddress::From(At("10.90.1.1:20000")); });
  refused([](auto& r) { r.local = abi::SocketAddress::From(At("10.90.1.9:443")); });
  refused([](auto& r) { r.local = {}; });
  refused([](auto& r) { r.remote = abi::SocketAddress::From(At("[fd90:1::2]:1")); });
  refused([](auto& r) { r.remote = abi::SocketAddress::From(At("10.90.1.2:0")); });
  refused([](auto& r) { r.next_hop.port_id = 2; });
  refused([](auto& r) { r.next_hop.known = 0; });
  refused([](auto& r) { r.payload_bytes = 6; });
  bench.Run();
  EXPECT_TRUE(bench.Sent(kPublic).empty());
  EXPECT_EQ(bench.drops(DropReason::kInjectRefused), 8u);
}

}  // namespace
}  // namespace linegate::test
