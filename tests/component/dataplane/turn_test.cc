#include <gtest/gtest.h>

#include "tests/support/turn_client.h"

/// TURN over several nodes and workers: allocations of another worker (design D4), and peers that are ourselves (N8).
namespace linegate::test {
namespace {

using abi::CommandStatus;
using abi::Counter;
using abi::DropReason;

const std::vector<uint8_t> kVoice(160, 0x55);
constexpr uint16_t kPublic = DataplaneBench::kPublic;
constexpr uint16_t kPrivate = DataplaneBench::kPrivate;
const Endpoint kClient = At("10.90.1.2:5000");
const Endpoint kPeer = At("10.90.2.2:7000");
// Worker 1 of 2 owns the upper half of 49152-49215.
constexpr uint16_t kUpperPort = 49184;

TEST(TurnTwoWorkers, ReachTheOwnerOfAnAllocation) {
  DataplaneBench bench(2);
  ASSERT_EQ(ProgramRelay(bench, Relay(0, 1, 0), DatagramRelay(kClient, kUpperPort)),
            CommandStatus::kBadConfig)
      << "the port belongs to worker 1";
  const abi::RelayRef relay = Relay(2, 1, 1);
  ASSERT_EQ(ProgramRelay(bench, relay, DatagramRelay(kClient, kUpperPort)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench, relay, 0, PeerOf(kPeer, 0x4000)), CommandStatus::kDone);
  const auto refresh = StunOf(wire::StunClass::kRequest, wire::StunMethod::kRefresh, [](auto&) {});
  // Everything arrives at queue 0.
  bench.Receive(kPublic, kClient, kTurnListener4, ChannelData(0x4000, kVoice), 0);
  bench.Receive(kPublic, kClient, kTurnListener4, SendIndication(kPeer, kVoice), 0);
  bench.Receive(kPublic, kClient, kTurnListener4, refresh, 0);
  bench.Receive(kPrivate, kPeer, {kTurnListener4.address, kUpperPort}, kVoice, 0);
  bench.Run();
  EXPECT_EQ(bench.Sent(kPrivate).size(), 2u);
  EXPECT_EQ(bench.Sent(kPublic).size(), 1u);
  EXPECT_EQ(bench.counter(Counter::kHandedOverPkts, 0), 4u);
  EXPECT_TRUE(bench.TurnPunts(0).empty());
  const auto punts = bench.TurnPunts(1);
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].record.relay, relay);
  EXPECT_EQ(bench.relay_stats(relay).to_peer_pkts, 2u);

  // At the owner's own queue nothing is handed over.
  bench.Receive(kPublic, kClient, kTurnListener4, ChannelData(0x4000, kVoice), 1);
  bench.Run();
  EXPECT_EQ(bench.Sent(kPrivate).size(), 1u);
  EXPECT_EQ(bench.counter(Counter::kHandedOverPkts, 1), 0u);
  EXPECT_EQ(bench.all_drops(0) + bench.all_drops(1), 0u);

  bench.Restart();
  bench.Receive(kPublic, kClient, kTurnListener4, ChannelData(0x4000, kVoice), 0);
  bench.Run();
  EXPECT_EQ(bench.Sent(kPrivate).size(), 1u) << "a restarted dataplane knows the owner, too";

  ASSERT_EQ(RemoveRelay(bench, relay), CommandStatus::kDone);
  bench.Receive(kPublic, kClient, kTurnListener4, ChannelData(0x4000, kVoice), 0);
  bench.Receive(kPublic, kClient, kTurnListener4, refresh, 0);
  bench.Run();
  EXPECT_EQ(bench.drops(DropReason::kRelayNoAllocation, 0), 1u);
  EXPECT_EQ(bench.TurnPunts(0).size(), 1u) << "whoever received it passes a stranger's request on";
}

/// A browser that reaches the gateway only through our relay: its leg's peer is a relayed address of ours.
class RelayedCall : public testing::Test {
 protected:
  RelayedCall(uint16_t relay_worker, uint16_t port)
      : bench_(2, &transform_),
        call_(bench_, transform_, Flow(0), Flow(1)),
        relay_(Relay(0, 1, relay_worker)),
        relayed_{kTurnListener4.address, port} {
    call_.Program();
    EXPECT_EQ(ProgramRelay(bench_, relay_, DatagramRelay(kClient, port, RelayFamilies::kIpv4)),
              CommandStatus::kDone);
    abi::RelayPeer gateway = PeerOf(call_.browser.gateway(), 0x4000);
    gateway.next_hop = {};  // nobody resolves our own addresses
    EXPECT_EQ(SetPeer(bench_, relay_, 0, gateway), CommandStatus::kDone);
  }
  std::vector<std::vector<uint8_t>> ToBrowser(ByteView message) {
    bench_.Receive(kPublic, kClient, kTurnListener4, ChannelData(0x4000, message));
    bench_.Run();
    return FromGateway();
  }
  /// What the browser finds in the ChannelData that it gets.
  std::vector<std::vector<uint8_t>> FromGateway() {
    std::vector<std::vector<uint8_t>> messages;
    for (const SentDatagram& sent : bench_.Sent(kPublic)) {
      EXPECT_EQ(sent.source, kTurnListener4);
      EXPECT_EQ(sent.destination, kClient);
      EXPECT_EQ(LoadBe16(sent.payload.data()), 0x4000);
      messages.emplace_back(sent.payload.begin() + 4, sent.payload.end());
    }
    return messages;
  }
  void CarryACall() {
    ASSERT_EQ(ToBrowser(call_.browser.Check({.use_candidate = true})).size(), 1u) << "the check is answered";
    call_.InstallKeys();
    // DTLS: punted with the relayed address as its source, and what the control plane answers finds the way back.
    ASSERT_TRUE(ToBrowser(Dtls()).empty());
    const auto punts = bench_.Punts(0);
    ASSERT_EQ(punts.size(), 1u);
    EXPECT_EQ(punts[0].record.remote.ToEndpoint(), relayed_);
    bench_.Inject(call_.out, punts[0].record.local.ToEndpoint(), punts[0].record.remote.ToEndpoint(), Dtls());
    bench_.Run();
    auto messages = FromGateway();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0], Dtls());
    // Media both ways.
    EXPECT_TRUE(ToBrowser(call_.browser.Protect(Rtp(0, 1, 1, 0xb0b, kVoice), 1)).empty());
    const auto to_phone = bench_.Sent(kPrivate);
    ASSERT_EQ(to_phone.size(), 1u);
    EXPECT_EQ(to_phone[0].destination, call_.phone);
    call_.FromPhone(Rtp(0, 9, 160, 0xfe, kVoice));
    bench_.Run();
    messages = FromGateway();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(call_.browser.Unprotect(messages[0], 9), Rtp(0, 9, 160, 0xfe, kVoice));
    EXPECT_EQ(bench_.all_drops(0) + bench_.all_drops(1), 0u);
    EXPECT_EQ(bench_.relay_stats(relay_).to_peer_pkts, 3u);
    EXPECT_EQ(bench_.relay_stats(relay_).to_client_pkts, 3u);
  }
  static std::vector<uint8_t> Dtls() {
    std::vector<uint8_t> record(40, 0x11);
    const uint8_t header[13] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 27};
    std::copy(std::begin(header), std::end(header), record.begin());
    return record;
  }
  crypto::NullTransform transform_;
  DataplaneBench bench_;
  GatewayCall call_;
  abi::RelayRef relay_;
  Endpoint relayed_;
};

class RelayedCallOnOneWorker : public RelayedCall {
 protected:
  RelayedCallOnOneWorker() : RelayedCall(0, 49152) {}
};
class RelayedCallAcrossWorkers : public RelayedCall {
 protected:
  RelayedCallAcrossWorkers() : RelayedCall(1, kUpperPort) {}
};

TEST_F(RelayedCallOnOneWorker, HasSoundBothWays) { CarryACall(); }
TEST_F(RelayedCallAcrossWorkers, HasSoundBothWays) { CarryACall(); }

TEST(TurnHairpin, JoinsTwoRelays) {
  DataplaneBench bench;
  const Endpoint second_client = At("[fd90:1::9]:6000");
  ASSERT_EQ(ProgramRelay(bench, Relay(0), DatagramRelay(kClient, 49152)), CommandStatus::kDone);
  ASSERT_EQ(ProgramRelay(bench, Relay(1), DatagramRelay(second_client, 49154)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench, Relay(0), 0, PeerOf(At("10.90.1.1:49154"), 0x4000)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench, Relay(1), 0, PeerOf(At("10.90.1.1:49152"), 0x4123)), CommandStatus::kDone);
  bench.Receive(kPublic, kClient, kTurnListener4, ChannelData(0x4000, kVoice));
  bench.Receive(kPublic, second_client, kTurnListener6, SendIndication(At("10.90.1.1:49152"), kVoice));
  bench.Run();
  const auto sent = bench.Sent(kPublic);
  ASSERT_EQ(sent.size(), 2u);
  for (const SentDatagram& datagram : sent) {
    const bool first = datagram.destination == kClient;
    EXPECT_EQ(datagram.payload, ChannelData(first ? 0x4000 : 0x4123, kVoice));
    EXPECT_EQ(datagram.hop_limit, 62) << "one hop at each relay";
  }
  EXPECT_EQ(bench.counter(Counter::kLoopedPkts), 2u);
  EXPECT_EQ(bench.all_drops(), 0u);
}

TEST(TurnHairpin, StreamClientsReachEachOther) {
  DataplaneBench bench;
  ASSERT_EQ(ProgramRelay(bench, Relay(0), StreamRelay(49152)), CommandStatus::kDone);
  ASSERT_EQ(ProgramRelay(bench, Relay(1), StreamRelay(49154)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench, Relay(0), 0, PeerOf(At("10.90.1.1:49154"), 0x4000)), CommandStatus::kDone);
  ASSERT_EQ(SetPeer(bench, Relay(1), 0, PeerOf(At("10.90.1.1:49152"), 0x4001)), CommandStatus::kDone);
  InjectFromStream(bench, Relay(0), ChannelData(0x4000, kVoice));
  bench.Run();
  const auto punts = bench.RelayPunts();
  ASSERT_EQ(punts.size(), 1u);
  EXPECT_EQ(punts[0].record.relay, Relay(1));
  EXPECT_EQ(punts[0].payload, ChannelData(0x4001, kVoice));
}

TEST(TurnHairpin, EndsWhereTheHopLimitDoes) {
  // A client that is itself a relayed address of ours: allocations one behind the other.
  DataplaneBench bench;
  const auto relayed = [](uint16_t port) { return Endpoint{kTurnListener4.address, port}; };
  for (uint16_t i = 0; i < 5; ++i) {
    const Endpoint client = i == 0 ? kClient : relayed(uint16_t(49152 + i - 1));
    ASSERT_EQ(ProgramRelay(bench, Relay(i), DatagramRelay(client, uint16_t(49152 + i))),
              CommandStatus::kDone);
    ASSERT_EQ(SetPeer(bench, Relay(i), 0, PeerOf(kTurnListener4, 0x4000)), CommandStatus::kDone);
  }
  std::vector<uint8_t> message = ChannelData(0x4000, kVoice);
  for (int i = 0; i < 4; ++i) message = ChannelData(0x4000, message);
  bench.Receive(kPublic, kClient, kTurnListener4, message);
  bench.Run();
  EXPECT_EQ(bench.drops(DropReason::kHairpinLoop), 1u);
  EXPECT_EQ(bench.counter(Counter::kLoopedPkts), 3u);
}

}  // namespace
}  // namespace linegate::test
