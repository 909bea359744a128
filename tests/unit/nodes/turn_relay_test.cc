// The data path of TURN allocations, packet by packet: one row names the input, the state and what must come of it.
#include <gtest/gtest.h>

#include "dataplane/wire/turn_channel_data.h"
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

const Endpoint kClient4 = At("10.90.1.2:5000");
const Endpoint kClient6 = At("[fd90:1::2]:5000");
const Endpoint kPeer4 = At("10.90.2.2:7000");
const Endpoint kPeer6 = At("[fd90:2::2]:7000");
const Endpoint kRelayed4 = At("10.90.1.1:49152");
const Endpoint kRelayed6 = At("[fd90:1::1]:49152");
constexpr uint16_t kPublic = DataplaneBench::kPublic;
constexpr uint16_t kPrivate = DataplaneBench::kPrivate;

/// One allocation of each client family, each with a channel and a permission towards each peer family:
/// channels 0x4000 (10.90.2.2:7000), 0x4001 ([fd90:2::2]:7000); permissions 10.90.2.3, fd90:2::3; channel 0x4002 whose
/// permission has lapsed.
class TurnRelay : public testing::Test {
 protected:
  TurnRelay() {
    Allocate(Relay(0), DatagramRelay(kClient4, 49152));
    Allocate(Relay(1), DatagramRelay(kClient6, 49154));
  }
  void Allocate(const abi::RelayRef& relay, const abi::RelayConfig& config) {
    EXPECT_EQ(ProgramRelay(bench_, relay, config), CommandStatus::kDone);
    EXPECT_EQ(SetPeer(bench_, relay, 0, PeerOf(kPeer4, 0x4000)), CommandStatus::kDone);
    EXPECT_EQ(SetPeer(bench_, relay, 1, PeerOf(kPeer6, 0x4001)), CommandStatus::kDone);
    EXPECT_EQ(SetPeer(bench_, relay, 2, PeerOf(At("10.90.2.3:0"))), CommandStatus::kDone);
    EXPECT_EQ(SetPeer(bench_, relay, 3, PeerOf(At("[fd90:2::3]:0"))), CommandStatus::kDone);
    EXPECT_EQ(SetPeer(bench_, relay, 4, PeerOf(At("10.90.2.5:1"), 0x7fff)), CommandStatus::kDone);
    abi::RelayPeer lapsed = PeerOf(At("10.90.2.4:7000"), 0x4002);
    lapsed.permitted = 0;
    EXPECT_EQ(SetPeer(bench_, relay, 31, lapsed), CommandStatus::kDone);
  }
  void FromClient(const Endpoint& client, ByteView message) {
    bench_.Receive(kPublic, client, client.address.is_v4() ? kTurnListener4 : kTurnListener6, message);
    bench_.Run();
  }
  void FromPeer(const Endpoint& peer, const Endpoint& relayed, ByteView data) {
    bench_.Receive(kPrivate, peer, relayed, data);
    bench_.Run();
  }
  DataplaneBench bench_;
};

struct ToPeerRow {
  const char* description;
  Endpoint client;
  std::vector<uint8_t> message;
  DropReason reason;  ///< kNone: relayed
  Endpoint source;
  Endpoint destination;
  std::vector<uint8_t> data;
};

TEST_F(TurnRelay, CarriesWhatClientsSend) {
  const auto data = Bytes("hello peer");
  const Endpoint other_relayed4 = At("10.90.1.1:49154"), other_relayed6 = At("[fd90:1::1]:49154");
  const std::vector<uint8_t> nothing;
  const auto raw_indication = [&](auto&& add) {
    return StunOf(StunClass::kIndication, StunMethod::kSend, add);
  };
  const ToPeerRow rows[] = {
      {"ChannelData, IPv4 to IPv4", kClient4, ChannelData(0x4000, data), {}, kRelayed4, kPeer4, data},
      {"ChannelData, IPv4 to IPv6", kClient4, ChannelData(0x4001, data), {}, kRelayed6, kPeer6, data},
      {"ChannelData, IPv6 to IPv4", kClient6, ChannelData(0x4000, data), {}, other_relayed4, kPeer4, data},
      {"ChannelData, IPv6 to IPv6", kClient6, ChannelData(0x4001, data), {}, other_relayed6, kPeer6, data},
      {"channel of RFC 5766 that RFC 8656 leaves out",
       kClient4,
       ChannelData(0x7fff, data),
       {},
       kRelayed4,
       At("10.90.2.5:1"),
       data},
      {"ChannelData without data", kClient4, ChannelData(0x4000, nothing), {}, kRelayed4, kPeer4, nothing},
      {"ChannelData with padding", kClient4, ChannelData(0x4000, data, 2), {}, kRelayed4, kPeer4, data},
      {"Send, IPv4 to IPv4",
       kClient4,
       SendIndication(At("10.90.2.3:9"), data),
       {},
       kRelayed4,
       At("10.90.2.3:9"),
       data},
      {"Send, IPv4 to IPv6",
       kClient4,
       SendIndication(At("[fd90:2::3]:9"), data),
       {},
       kRelayed6,
       At("[fd90:2::3]:9"),
       data},
      {"Send, IPv6 to IPv4",
       kClient6,
       SendIndication(At("10.90.2.3:9"), data),
       {},
       other_relayed4,
       At("10.90.2.3:9"),
       data},
      {"Send, IPv6 to IPv6",
       kClient6,
       SendIndication(At("[fd90:2::3]:9"), data),
       {},
       other_relayed6,
       At("[fd90:2::3]:9"),
       data},
      {"Send to another port of a channel's peer",
       kClient4,
       SendIndication(At("10.90.2.2:9"), data),
       {},
       kRelayed4,
       At("10.90.2.2:9"),
       data},
      {"Send without data bytes",
       kClient4,
       SendIndication(At("10.90.2.3:9"), nothing),
       {},
       kRelayed4,
       At("10.90.2.3:9"),
       nothing},
      {"channel that was never bound",
       kClient4,
       ChannelData(0x4003, data),
       DropReason::kRelayNoChannel,
       {},
       {},
       {}},
      {"channel whose permission lapsed",
       kClient4,
       ChannelData(0x4002, data),
       DropReason::kRelayNoChannel,
       {},
       {},
       {}},
      {"length beyond the datagram",
       kClient4,
       ChannelData(0x4000, data, 0, 11),
       DropReason::kRelayBadChannelData,
       {},
       {},
       {}},
      {"length far beyond",
       kClient4,
       ChannelData(0x4000, data, 0, 65535),
       DropReason::kRelayBadChannelData,
       {},
       {},
       {}},
      {"more than padding behind the data",
       kClient4,
       ChannelData(0x4000, data, 4),
       DropReason::kRelayBadChannelData,
       {},
       {},
       {}},
      {"length shorter than the data",
       kClient4,
       ChannelData(0x4000, data, 0, 2),
       DropReason::kRelayBadChannelData,
       {},
       {},
       {}},
      {"header cut short", kClient4, {0x40, 0x00, 0x00}, DropReason::kRelayBadChannelData, {}, {}, {}},
      {"another client's 5-tuple",
       At("10.90.1.2:5001"),
       ChannelData(0x4000, data),
       DropReason::kRelayNoAllocation,
       {},
       {},
       {}},
      {"Send from another 5-tuple",
       At("10.90.1.2:5001"),
       SendIndication(At("10.90.2.3:9"), data),
       DropReason::kRelayNoAllocation,
       {},
       {},
       {}},
      {"Send to an address without a permission",
       kClient4,
       SendIndication(At("10.90.2.9:9"), data),
       DropReason::kRelayNoPermission,
       {},
       {},
       {}},
      {"Send where the permission lapsed",
       kClient4,
       SendIndication(At("10.90.2.4:7000"), data),
       DropReason::kRelayNoPermission,
       {},
       {},
       {}},
      {"Send to port 0",
       kClient4,
       SendIndication(At("10.90.2.3:0"), data),
       DropReason::kRelayBadIndication,
       {},
       {},
       {}},
      {"Send without DATA",
       kClient4,
       raw_indication([](auto& w) { w.AddXorAddress(StunAttribute::kXorPeerAddress, At("10.90.2.3:9")); }),
       DropReason::kRelayBadIndication,
       {},
       {},
       {}},
      {"Send without XOR-PEER-ADDRESS",
       kClient4,
       raw_indication([&](auto& w) { w.AddBytes(StunAttribute::kData, data); }),
       DropReason::kRelayBadIndication,
       {},
       {},
       {}},
      {"Send with an unknown required attribute",
       kClient4,
       raw_indication([&](auto& w) {
         w.AddXorAddress(StunAttribute::kXorPeerAddress, At("10.90.2.3:9"));
         w.AddU32(StunAttribute(0x7fff), 1);
         w.AddBytes(StunAttribute::kData, data);
       }),
       DropReason::kRelayBadIndication,
       {},
       {},
       {}},
      {"Data indication, which is a server's",
       kClient4,
       StunOf(StunClass::kIndication, StunMethod::kData,
              [&](auto& w) {
                w.AddXorAddress(StunAttribute::kXorPeerAddress, At("10.90.2.3:9"));
                w.AddBytes(StunAttribute::kData, data);
              }),
       DropReason::kRelayBadIndication,
       {},
       {},
       {}},
      {"neither STUN nor ChannelData",
       kClient4,
       Bytes("\x80\x00 RTP"),
       DropReason::kUnknownProtocol,
       {},
       {},
       {}},
  };
  for (const ToPeerRow& row : rows) {
    SCOPED_TRACE(row.description);
    const uint64_t pkts = bench_.counter(Counter::kRelayedToPeerPkts);
    const uint64_t drops = bench_.all_drops(), reason = bench_.drops(row.reason);
    FromClient(row.client, row.message);
    EXPECT_TRUE(bench_.Sent(kPublic).empty());
    const auto sent = bench_.Sent(kPrivate);
    if (row.reason != DropReason::kNone) {
      EXPECT_TRUE(sent.empty());
      EXPECT_EQ(bench_.drops(row.reason), reason + 1);
      EXPECT_EQ(bench_.all_drops(), drops + 1);
      continue;
    }
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].source, row.source);
    EXPECT_EQ(sent[0].destination, row.destination);
    EXPECT_EQ(sent[0].payload, row.data);
    EXPECT_EQ(bench_.counter(Counter::kRelayedToPeerPkts), pkts + 1);
    EXPECT_EQ(bench_.all_drops(), drops);
  }
}

struct ToClientRow {
  const char* description;
  Endpoint peer;
  Endpoint relayed;
  std::vector<uint8_t> data;
  DropReason reason;
  Endpoint client;
  uint16_t channel;  ///< 0: Data indication
};

TEST_F(TurnRelay, CarriesWhatPeersSend) {
  const auto data = Bytes("hello client");
  const std::vector<uint8_t> nothing, odd = Bytes("odd");
  const Endpoint other_relayed4 = At("10.90.1.1:49154"), other_relayed6 = At("[fd90:1::1]:49154");
  const ToClientRow rows[] = {
      {"channel, IPv4 to IPv4", kPeer4, kRelayed4, data, {}, kClient4, 0x4000},
      {"channel, IPv6 to IPv4", kPeer6, kRelayed6, data, {}, kClient4, 0x4001},
      {"channel, IPv4 to IPv6", kPeer4, other_relayed4, data, {}, kClient6, 0x4000},
      {"channel, IPv6 to IPv6", kPeer6, other_relayed6, data, {}, kClient6, 0x4001},
      {"channel, empty datagram", kPeer4, kRelayed4, nothing, {}, kClient4, 0x4000},
      {"channel, not padded over UDP", kPeer4, kRelayed4, odd, {}, kClient4, 0x4000},
      {"permission, IPv4 to IPv4", At("10.90.2.3:9"), kRelayed4, data, {}, kClient4, 0},
      {"permission, IPv6 to IPv4", At("[fd90:2::3]:9"), kRelayed6, data, {}, kClient4, 0},
      {"permission, IPv4 to IPv6", At("10.90.2.3:9"), other_relayed4, odd, {}, kClient6, 0},
      {"permission, IPv6 to IPv6", At("[fd90:2::3]:9"), other_relayed6, data, {}, kClient6, 0},
      {"permission, empty datagram", At("10.90.2.3:9"), kRelayed4, nothing, {}, kClient4, 0},
      {"another port of a channel's peer", At("10.90.2.2:9"), kRelayed4, data, {}, kClient4, 0},
      {"nobody permitted it", At("10.90.2.9:7000"), kRelayed4, data, DropReason::kRelayNoPermission, {}, 0},
      {"its permission lapsed", At("10.90.2.4:7000"), kRelayed4, data, DropReason::kRelayNoPermission, {}, 0},
      {"relay port without an allocation", kPeer4, At("10.90.1.1:49160"), data, DropReason::kNoFlow, {}, 0},
  };
  for (const ToClientRow& row : rows) {
    SCOPED_TRACE(row.description);
    const uint64_t pkts = bench_.counter(Counter::kRelayedToClientPkts);
    const uint64_t drops = bench_.all_drops(), reason = bench_.drops(row.reason);
    FromPeer(row.peer, row.relayed, row.data);
    EXPECT_TRUE(bench_.Sent(kPrivate).empty());
    const auto sent = bench_.Sent(kPublic);
    if (row.reason != DropReason::kNone) {
      EXPECT_TRUE(sent.empty());
      EXPECT_EQ(bench_.drops(row.reason), reason + 1);
      EXPECT_EQ(bench_.all_drops(), drops + 1);
      continue;
    }
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].source, row.client.address.is_v4() ? kTurnListener4 : kTurnListener6);
    EXPECT_EQ(sent[0].destination, row.client);
    EXPECT_EQ(bench_.counter(Counter::kRelayedToClientPkts), pkts + 1);
    if (row.channel != 0) {
      EXPECT_EQ(sent[0].payload, ChannelData(row.channel, row.data));
      continue;
    }
    const auto message = StunMessageView::Parse(sent[0].payload);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->message_class(), StunClass::kIndication);
    EXPECT_EQ(message->method(), StunMethod::kData);
    EXPECT_EQ(message->FindXorAddress(StunAttribute::kXorPeerAddress), row.peer);
    EXPECT_TRUE(std::ranges::equal(message->Find(StunAttribute::kData).value(), row.data));
  }
}

TEST_F(TurnRelay, CountsPerAllocation) {
  FromClient(kClient4, ChannelData(0x4000, Bytes("12345")));
  FromPeer(kPeer4, kRelayed4, Bytes("123"));
  FromPeer(At("10.90.2.3:9"), kRelayed4, Bytes("1"));
  FromClient(kClient4, ChannelData(0x4fff, Bytes("x")));
  FromPeer(At("10.90.2.9:9"), kRelayed4, Bytes("x"));
  const abi::RelayStats& stats = bench_.relay_stats(Relay(0));
  EXPECT_EQ(stats.generation, 1u);
  EXPECT_EQ(stats.to_peer_pkts, 1u);
  EXPECT_EQ(stats.to_peer_bytes, 5u);
  EXPECT_EQ(stats.to_client_pkts, 2u);
  EXPECT_EQ(stats.to_client_bytes, 4u);
  EXPECT_EQ(stats.dropped_pkts, 2u);
  EXPECT_EQ(stats.last_drop_reason, uint32_t(DropReason::kRelayNoPermission));
  EXPECT_EQ(stats.last_relayed_ns, ToNanoseconds(bench_.now()));
  EXPECT_EQ(bench_.counter(Counter::kRelayedToPeerBytes), 5u);
  EXPECT_EQ(bench_.counter(Counter::kRelayedToClientBytes), 4u);
  EXPECT_EQ(bench_.relay_stats(Relay(1)).to_peer_pkts, 0u);
}

TEST_F(TurnRelay, NamesPeersAsTheClientDoes) {
  // 1:1 NAT: the client says 203.0.113.1, the wire has 10.90.2.7.
  abi::RelayPeer peer = PeerOf(At("10.90.2.7:0"));
  peer.shown = abi::SocketAddress::From(At("203.0.113.1:0"));
  ASSERT_EQ(SetPeer(bench_, Relay(0), 5, peer), CommandStatus::kDone);
  FromClient(kClient4, SendIndication(At("203.0.113.1:88"), Bytes("x")));
  auto sent = bench_.Sent(kPrivate);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].destination, At("10.90.2.7:88"));
  FromClient(kClient4, SendIndication(At("10.90.2.7:88"), Bytes("x")));
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoPermission), 1u) << "that is not what it permitted";
  FromPeer(At("10.90.2.7:88"), kRelayed4, Bytes("y"));
  sent = bench_.Sent(kPublic);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(StunMessageView::Parse(sent[0].payload)->FindXorAddress(StunAttribute::kXorPeerAddress),
            At("203.0.113.1:88"));
}

struct IpRow {
  const char* description;
  Endpoint peer;
  uint8_t ttl, traffic_class;
  uint16_t flags;
  bool ask_dont_fragment;
  size_t data_bytes;
  uint8_t out_ttl;
  bool out_dont_fragment;
  DropReason reason;
};

TEST_F(TurnRelay, FillsTheIpHeaderAsRfc8656Section14Prefers) {
  const IpRow rows[] = {
      {"DF is copied", At("10.90.2.3:9"), 64, 0xb8, 0x4000, false, 10, 63, true, {}},
      {"its absence, too", At("10.90.2.3:9"), 64, 0xb9, 0, false, 10, 63, false, {}},
      {"DONT-FRAGMENT sets it", At("10.90.2.3:9"), 2, 0, 0, true, 10, 1, true, {}},
      {"hop limit used up", At("10.90.2.3:9"), 1, 0, 0, false, 10, 0, false, DropReason::kRelayHopLimit},
      {"IPv4 to IPv6", At("[fd90:2::3]:9"), 7, 0x03, 0x4000, false, 10, 6, false, {}},
  };
  for (const IpRow& row : rows) {
    SCOPED_TRACE(row.description);
    const std::vector<uint8_t> data(row.data_bytes, 0x61);
    bench_.ReceiveFrame(kPublic, PacketBuilder()
                                     .Ethernet()
                                     .From(kClient4)
                                     .To(kTurnListener4)
                                     .Ttl(row.ttl)
                                     .TrafficClass(row.traffic_class)
                                     .FragmentWord(row.flags)
                                     .Payload(SendIndication(row.peer, data, row.ask_dont_fragment))
                                     .Build());
    bench_.Run();
    const auto sent = bench_.Sent(kPrivate);
    if (row.reason != DropReason::kNone) {
      EXPECT_TRUE(sent.empty());
      EXPECT_EQ(bench_.drops(row.reason), 1u);
      continue;
    }
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].hop_limit, row.out_ttl);
    EXPECT_EQ(sent[0].traffic_class, row.traffic_class) << "DSCP and ECN cross";
    EXPECT_EQ(sent[0].dont_fragment, row.out_dont_fragment);
  }
}

TEST_F(TurnRelay, SetsDontFragmentOnLongDatagramsFromIpv6) {
  for (const size_t bytes : {size_t{1000}, size_t{1232}, size_t{1233}}) {
    FromClient(kClient6, ChannelData(0x4000, std::vector<uint8_t>(bytes, 1)));
    const auto sent = bench_.Sent(kPrivate);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].dont_fragment, bytes > 1232) << bytes;
  }
}

TEST_F(TurnRelay, LimitsEachDirectionToTheAllocationsBandwidth) {
  abi::RelayConfig config = DatagramRelay(kClient4, 49152);
  config.bytes_per_second = 10'000;
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), config), CommandStatus::kDone);
  const std::vector<uint8_t> data(500, 1);
  // A quarter of a second at once: 2,500 bytes are owed at most before the next packet waits.
  for (int i = 0; i < 20; ++i) FromClient(kClient4, ChannelData(0x4000, data));
  EXPECT_EQ(bench_.Sent(kPrivate).size(), 6u);
  EXPECT_EQ(bench_.drops(DropReason::kRelayBandwidth), 14u);
  FromPeer(kPeer4, kRelayed4, data);
  EXPECT_EQ(bench_.Sent(kPublic).size(), 1u) << "the other direction has its own";
  size_t passed = 0;
  for (int i = 0; i < 100; ++i) {
    bench_.Advance(std::chrono::milliseconds(100));
    for (int k = 0; k < 4; ++k) FromClient(kClient4, ChannelData(0x4000, data));
    passed += bench_.Sent(kPrivate).size();
  }
  EXPECT_NEAR(double(passed) * 500 / 10, 10'000, 500);
}

TEST_F(TurnRelay, ReplacedConfigurationKeepsThePeers) {
  ASSERT_EQ(ProgramRelay(bench_, Relay(0), DatagramRelay(At("10.90.1.2:5009"), 49152)), CommandStatus::kDone);
  FromClient(kClient4, ChannelData(0x4000, Bytes("x")));
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoAllocation), 1u) << "the old 5-tuple is forgotten";
  FromClient(At("10.90.1.2:5009"), ChannelData(0x4000, Bytes("x")));
  EXPECT_EQ(bench_.Sent(kPrivate).size(), 1u);
}

TEST_F(TurnRelay, ForgetsWhatIsRemoved) {
  abi::RelayPeer none;
  ASSERT_EQ(SetPeer(bench_, Relay(0), 0, none), CommandStatus::kDone);
  FromClient(kClient4, ChannelData(0x4000, Bytes("x")));
  FromPeer(kPeer4, kRelayed4, Bytes("x"));
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoChannel), 1u);
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoPermission), 1u);
  ASSERT_EQ(RemoveRelay(bench_, Relay(0)), CommandStatus::kDone);
  FromClient(kClient4, ChannelData(0x4001, Bytes("x")));
  FromPeer(kPeer6, kRelayed6, Bytes("x"));
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoAllocation), 1u);
  EXPECT_EQ(bench_.drops(DropReason::kNoFlow), 1u);
  EXPECT_TRUE(bench_.Sent(kPublic).empty() && bench_.Sent(kPrivate).empty());
}

TEST_F(TurnRelay, DropsTowardsANextHopNobodyKnows) {
  abi::RelayPeer peer = PeerOf(At("10.90.2.8:0"));
  peer.next_hop = {};
  ASSERT_EQ(SetPeer(bench_, Relay(0), 6, peer), CommandStatus::kDone);
  FromClient(kClient4, SendIndication(At("10.90.2.8:1"), Bytes("x")));
  EXPECT_EQ(bench_.drops(DropReason::kNoNextHop), 1u);
}

TEST_F(TurnRelay, SurvivesEveryTruncation) {
  for (const auto& message :
       {ChannelData(0x4000, Bytes("some data")), SendIndication(At("10.90.2.3:9"), Bytes("some data"))}) {
    for (size_t length = 0; length < message.size(); ++length) {
      FromClient(kClient4, ByteView(message).first(length));
      EXPECT_TRUE(bench_.Sent(kPrivate).empty()) << length;
    }
  }
  const uint64_t drops = bench_.all_drops();
  EXPECT_EQ(drops, ChannelData(0x4000, Bytes("some data")).size() +
                       SendIndication(At("10.90.2.3:9"), Bytes("some data")).size());
}

TEST_F(TurnRelay, CarriesStreamClientsThroughTheRings) {
  Allocate(Relay(2), StreamRelay(49156));
  InjectFromStream(bench_, Relay(2), ChannelData(0x4000, Bytes("by TCP")));
  InjectFromStream(bench_, Relay(2), SendIndication(At("[fd90:2::3]:9"), Bytes("by TCP, too"), true));
  bench_.Run();
  auto sent = bench_.Sent(kPrivate);
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].source, At("10.90.1.1:49156"));
  EXPECT_EQ(sent[0].destination, kPeer4);
  EXPECT_EQ(sent[0].payload, Bytes("by TCP"));
  EXPECT_EQ(sent[1].destination, At("[fd90:2::3]:9"));
  EXPECT_EQ(bench_.counter(Counter::kInjectedPkts), 2u);
  FromPeer(kPeer4, At("10.90.1.1:49156"), Bytes("abc"));
  FromPeer(At("10.90.2.3:5"), At("10.90.1.1:49156"), Bytes("abc"));
  EXPECT_TRUE(bench_.Sent(kPublic).empty());
  const auto punts = bench_.RelayPunts();
  ASSERT_EQ(punts.size(), 2u);
  EXPECT_EQ(punts[0].record.relay, Relay(2));
  EXPECT_EQ(punts[0].payload, ChannelData(0x4000, Bytes("abc")));
  const auto indication = StunMessageView::Parse(punts[1].payload);
  ASSERT_TRUE(indication);
  EXPECT_EQ(indication->FindXorAddress(StunAttribute::kXorPeerAddress), At("10.90.2.3:5"));
  EXPECT_TRUE(std::ranges::equal(indication->Find(StunAttribute::kData).value(), Bytes("abc")));
  EXPECT_EQ(bench_.relay_stats(Relay(2)).to_client_pkts, 2u);
  EXPECT_EQ(bench_.relay_stats(Relay(2)).to_peer_pkts, 2u);
}

TEST_F(TurnRelay, RefusesInjectedRecordsThatCannotBe) {
  Allocate(Relay(2), StreamRelay(49156));
  const auto message = ChannelData(0x4000, Bytes("x"));
  InjectFromStream(bench_, Relay(2, 7), message);  // another generation
  InjectFromStream(bench_, Relay(0), message);     // a UDP client's
  InjectFromStream(bench_, Relay(99), message);    // no slot
  abi::RelayInjectRecord lying;
  lying.relay = Relay(2);
  lying.payload_bytes = 100;
  bench_.InjectRecord(0, abi::InjectKind::kRelayFromClient, lying, message);
  bench_.Run();
  EXPECT_EQ(bench_.drops(DropReason::kInjectRefused), 4u);
  InjectFromStream(bench_, Relay(2), ChannelData(0x4777, Bytes("x")));
  bench_.Run();
  EXPECT_EQ(bench_.drops(DropReason::kRelayNoChannel), 1u);
  EXPECT_EQ(bench_.relay_stats(Relay(2)).dropped_pkts, 1u);
  EXPECT_TRUE(bench_.Sent(kPrivate).empty());
}

TEST_F(TurnRelay, CountsWhatTheControlPlaneDoesNotFetch) {
  Allocate(Relay(2), StreamRelay(49156));
  const std::vector<uint8_t> data(1200, 1);
  for (int i = 0; i < 1000; ++i) FromPeer(kPeer4, At("10.90.1.1:49156"), data);
  EXPECT_GT(bench_.drops(DropReason::kPuntRingFull), 0u);
  EXPECT_EQ(bench_.drops(DropReason::kPuntRingFull) + bench_.RelayPunts().size(), 1000u);
}

TEST_F(TurnRelay, TakesPacketsForRelayedAddressesFromEverySide) {
  bench_.Receive(kPublic, At("10.90.2.3:9"), kRelayed4, Bytes("x"));
  bench_.Receive(kPrivate, At("10.90.2.3:9"), kRelayed4, Bytes("x"));
  bench_.Receive(kPrivate, At("10.90.1.1:9"), kRelayed4, Bytes("x"));  // claims to be us
  bench_.Run();
  EXPECT_EQ(bench_.Sent(kPublic).size(), 2u);
  EXPECT_EQ(bench_.drops(DropReason::kBadSource), 1u);
}

}  // namespace
}  // namespace linegate::test
