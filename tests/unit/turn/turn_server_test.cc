// What the TURN server does when all is well, as exact lists of outputs on a virtual clock.
#include "controlplane/turn/turn_server.h"

#include <gtest/gtest.h>

#include "tests/support/turn_bench.h"

namespace linegate::turn {
namespace {

using std::chrono::seconds;
using test::TurnBench;
using wire::StunAttribute;
using wire::StunMessageWriter;
using wire::StunMethod;
using Texts = std::vector<std::string>;

const TurnClient kClient = TurnBench::Client(1);

void AddTransport(StunMessageWriter& writer) { writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24); }
void AddFamily(StunMessageWriter& writer, StunAttribute attribute, uint32_t family) {
  writer.AddU32(attribute, family << 24);
}
uint16_t RelayedPort(const TurnBench& bench) {
  return bench.last_answer().FindXorAddress(StunAttribute::kXorRelayedAddress)->port;
}

void ExpectNothingLeft(TurnBench& bench) {
  const TurnServer& server = bench.server();
  EXPECT_EQ(server.known_allocations(), 0u);
  EXPECT_EQ(server.allocation_count(), 0u);
  EXPECT_EQ(server.known_accounts(), 0u);
  EXPECT_EQ(server.ports_in_use(), 0u);
  EXPECT_EQ(server.reservation_count(), 0u);
  EXPECT_EQ(server.tcp_connection_count(), 0u);
}

TEST(TurnServer, AnswersAnAllocateWhenTheWorkerHasIt) {
  TurnBench bench;
  bench.Ask(kClient, StunMethod::kAllocate, AddTransport);
  const auto programs = bench.Outputs();
  ASSERT_EQ(programs.size(), 1u);
  EXPECT_EQ(programs[0].substr(0, 69),
            "program 1 change 1 worker 0 udp 203.0.113.1:5000 relayed 10.0.0.1:491");
  EXPECT_EQ(bench.server().FindAllocation(kClient), std::nullopt);
  bench.server().HandleRelaySettled(bench.now(), AllocationId(1), 1, Outcome::kDone);
  const auto answers = bench.Outputs();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0], "answer 203.0.113.1:5000 Allocate ok relayed 192.0.2.1:" +
                            std::to_string(RelayedPort(bench)) + " lifetime 600 mapped 203.0.113.1:5000");
  EXPECT_EQ(bench.server().FindAllocation(kClient), AllocationId(1));
}

TEST(TurnServer, BindsAndPermitsInOrder) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  bench.Ask(kClient, StunMethod::kCreatePermission, [](StunMessageWriter& writer) {
    writer.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(198, 51, 100, 1), 9});
    writer.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(198, 51, 100, 2), 0});
  });
  EXPECT_EQ(bench.Settle(), (Texts{"peer 1 change 2 [0] 198.51.100.1:0", "peer 1 change 3 [1] 198.51.100.2:0",
                                   "answer 203.0.113.1:5000 CreatePermission ok"}));
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.2:4000"), 0);
  EXPECT_EQ(bench.Bind(kClient, 0x7fff, "198.51.100.3:4000"), 0);
  bench.Ask(kClient, StunMethod::kCreatePermission, [](StunMessageWriter& writer) {
    writer.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(198, 51, 100, 1), 9});
  });
  EXPECT_EQ(bench.Settle(),
            Texts{"answer 203.0.113.1:5000 CreatePermission ok"});  // the worker knows already
}

TEST(TurnServer, HoldsAnswersUntilTheWorkerHasFollowed) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  const auto bind = [&](uint16_t channel, int last) {
    bench.Deliver(kClient, bench.Request(kClient, StunMethod::kChannelBind, [&](StunMessageWriter& writer) {
      writer.AddU32(StunAttribute::kChannelNumber, uint32_t(channel) << 16);
      writer.AddXorAddress(StunAttribute::kXorPeerAddress,
                           {IpAddress::V4(198, 51, 100, uint8_t(last)), 4000});
    }));
  };
  bind(0x4000, 1);
  EXPECT_EQ(bench.Outputs(), Texts{"peer 1 change 2 [0] 198.51.100.1:4000 channel 16384"});
  bench.server().HandleRelaySettled(bench.now(), AllocationId(1), 1, Outcome::kDone);  // an old one
  EXPECT_EQ(bench.Outputs(), Texts{});
  bench.server().HandleRelaySettled(bench.now(), AllocationId(1), 2, Outcome::kDone);
  EXPECT_EQ(bench.Outputs(), Texts{"answer 203.0.113.1:5000 ChannelBind ok"});
  // A worker that does not answer: after five seconds the request is forgotten.
  bind(0x4001, 2);
  bench.Outputs();
  bench.Pass(TurnServer::kConfirmation);
  EXPECT_EQ(bench.server().counters().unconfirmed, 1u);
  bench.server().HandleRelaySettled(bench.now(), AllocationId(1), 3, Outcome::kDone);
  EXPECT_EQ(bench.Outputs(), Texts{});
  EXPECT_EQ(bench.server().allocation_count(), 1u);
}

TEST(TurnServer, ForgetsAnAllocateThatNoWorkerConfirms) {
  TurnBench bench;
  bench.Ask(kClient, StunMethod::kAllocate, AddTransport);
  bench.Outputs();
  bench.Pass(TurnServer::kConfirmation);
  EXPECT_EQ(bench.Settle(), Texts{"remove 1"});
  ExpectNothingLeft(bench);
}

TEST(TurnServer, SaysSoWhenTheWorkerRefuses) {
  TurnBench bench;
  bench.Ask(kClient, StunMethod::kAllocate, AddTransport);
  bench.Outputs();
  bench.server().HandleRelaySettled(bench.now(), AllocationId(1), 1, Outcome::kRefused);
  EXPECT_EQ(bench.Settle(), (Texts{"answer 203.0.113.1:5000 Allocate 508", "remove 1"}));
  EXPECT_EQ(bench.server().counters().allocations_refused, 1u);
  ExpectNothingLeft(bench);
}

TEST(TurnServer, AnswersARetransmittedAllocateIdentically) {
  TurnBench bench;
  bench.transaction = std::array<uint8_t, 12>{9, 9, 9};
  bench.Ask(kClient, StunMethod::kAllocate, AddTransport);
  bench.Ask(kClient, StunMethod::kAllocate,
            AddTransport);  // before the worker has answered: silence, one program
  EXPECT_EQ(bench.Settle().size(), 2u);
  const auto first = bench.last_message();
  bench.Pass(seconds(3));
  EXPECT_EQ(bench.Allocate(kClient), 0);
  EXPECT_EQ(bench.last_message(), first);
  EXPECT_EQ(bench.server().counters().allocate_retransmissions, 2u);
  bench.transaction.reset();
  EXPECT_EQ(bench.Allocate(kClient), 437);
  EXPECT_EQ(bench.server().allocation_count(), 1u);
}

TEST(TurnServer, LifetimesStayBetweenDefaultAndMaximum) {
  struct Row {
    uint32_t asked, granted;
  };
  for (const Row row : {Row{1, 600}, Row{600, 600}, Row{601, 601}, Row{3600, 3600}, Row{3601, 3600},
                        Row{0xffffffff, 3600}, Row{0, 600}}) {
    TurnBench bench;
    ASSERT_EQ(
        bench.Allocate(
            kClient, [&](StunMessageWriter& writer) { writer.AddU32(StunAttribute::kLifetime, row.asked); }),
        0);
    EXPECT_EQ(bench.last_answer().FindU32(StunAttribute::kLifetime), row.granted) << row.asked;
    if (row.asked == 0) continue;  // in a Refresh 0 deletes
    EXPECT_EQ(bench.Refresh(kClient, row.asked), 0);
    EXPECT_EQ(bench.last_answer().FindU32(StunAttribute::kLifetime), row.granted);
  }
}

TEST(TurnServer, ExpiresWithoutRefresh) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  bench.Pass(seconds(599));
  EXPECT_EQ(bench.Refresh(kClient, 600), 0);
  bench.Pass(seconds(599));
  EXPECT_EQ(bench.Settle(), Texts{});
  EXPECT_EQ(bench.server().NextTimeout(), bench.now() + seconds(1));
  bench.Pass(seconds(1));
  EXPECT_EQ(bench.Settle(), Texts{"remove 1"});
  EXPECT_EQ(bench.server().counters().allocations_expired, 1u);
  EXPECT_EQ(bench.Refresh(kClient, 600), 437);
  ExpectNothingLeft(bench);
}

TEST(TurnServer, DeletesAndReusesTheFiveTupleOnceTheWorkerLetGo) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  bench.Ask(kClient, StunMethod::kRefresh,
            [](StunMessageWriter& w) { w.AddU32(StunAttribute::kLifetime, 0); });
  EXPECT_EQ(bench.Outputs(), Texts{"remove 1"});
  EXPECT_EQ(bench.server().allocation_count(), 0u);
  EXPECT_EQ(bench.server().ports_in_use(), 1u);
  bench.Deliver(kClient, bench.Request(kClient, StunMethod::kAllocate, AddTransport));
  EXPECT_EQ(bench.Outputs(), Texts{});  // silence: the client asks again
  bench.server().HandleRelayRemoved(bench.now(), AllocationId(1));
  EXPECT_EQ(bench.Outputs(), Texts{"answer 203.0.113.1:5000 Refresh ok lifetime 0"});
  ExpectNothingLeft(bench);
  EXPECT_EQ(bench.Allocate(kClient), 0);
  EXPECT_EQ(bench.Refresh(kClient, 0), 0);
  EXPECT_EQ(bench.Refresh(kClient, 0), 437);
}

TEST(TurnServer, PermissionsAndChannelsLapseByThemselves) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient, [](StunMessageWriter& w) { w.AddU32(StunAttribute::kLifetime, 3600); }),
            0);
  ASSERT_EQ(bench.Permit(kClient, {"198.51.100.1"}), 0);
  ASSERT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.2:4000"), 0);
  bench.Pass(seconds(299));
  EXPECT_EQ(bench.Settle(), Texts{});
  bench.Pass(seconds(1));
  EXPECT_EQ(bench.Settle(), (Texts{"peer 1 change 4 [1] 198.51.100.2:4000 channel 16384 not permitted",
                                   "peer 1 change 5 [0] none"}));
  bench.Pass(seconds(300));
  EXPECT_EQ(bench.Settle(), Texts{"peer 1 change 6 [1] none"});
}

TEST(TurnServer, DualAllocations) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient,
                           [](StunMessageWriter& w) {
                             AddFamily(w, StunAttribute::kAdditionalAddressFamily, wire::kStunFamilyIpv6);
                           }),
            0);
  EXPECT_EQ(bench.server().ports_in_use(), 2u);
  EXPECT_EQ(bench.Permit(kClient, {"198.51.100.1", "2001:db8::9"}), 0);
  // One half is deleted: its peers go, the other's stay.
  bench.Ask(kClient, StunMethod::kRefresh, [](StunMessageWriter& w) {
    w.AddU32(StunAttribute::kLifetime, 0);
    AddFamily(w, StunAttribute::kRequestedAddressFamily, wire::kStunFamilyIpv4);
  });
  const auto texts = bench.Settle();
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0], "peer 1 change 4 [0] none");
  EXPECT_EQ(texts[1].substr(0, 66), "program 1 change 5 worker 0 udp 203.0.113.1:5000 relayed [fd00::1]");
  EXPECT_EQ(texts[2], "answer 203.0.113.1:5000 Refresh ok lifetime 0");
  EXPECT_EQ(bench.server().ports_in_use(), 1u);
  EXPECT_EQ(bench.Permit(kClient, {"198.51.100.1"}), 443);
  EXPECT_EQ(bench.Permit(kClient, {"2001:db8::9"}), 0);
  EXPECT_EQ(bench.Refresh(kClient, 0), 0);
  ExpectNothingLeft(bench);
}

TEST(TurnServer, ADualAllocationMayBeHalf) {
  TurnConfig config = TurnBench::Config();
  config.relay_realms[0].bound[1] = config.relay_realms[0].advertised[1] = IpAddress();
  TurnBench bench(config);
  bench.Ask(kClient, StunMethod::kAllocate, [](StunMessageWriter& w) {
    AddTransport(w);
    AddFamily(w, StunAttribute::kAdditionalAddressFamily, wire::kStunFamilyIpv6);
  });
  const auto texts = bench.Settle();
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_NE(texts[1].find("ok relayed 192.0.2.1:"), std::string::npos);
  EXPECT_NE(texts[1].find("family 2: 440"), std::string::npos);
}

TEST(TurnServer, EvenPortReservesTheNextAndNothingLeaks) {
  TurnBench bench;
  const auto even = [](uint8_t value) {
    return [value](StunMessageWriter& w) {
      w.AddBytes(StunAttribute::kEvenPort, std::array<uint8_t, 1>{value});
    };
  };
  ASSERT_EQ(bench.Allocate(kClient, even(0x80)), 0);
  const uint16_t port = RelayedPort(bench);
  EXPECT_EQ(port % 2, 0);
  const auto value = *bench.last_answer().Find(StunAttribute::kReservationToken);
  const std::vector<uint8_t> token(value.begin(), value.end());
  EXPECT_EQ(bench.server().ports_in_use(), 2u);
  const auto claim = [&](StunMessageWriter& w) { w.AddBytes(StunAttribute::kReservationToken, token); };
  bench.user = bench.password = "eve";
  EXPECT_EQ(bench.Allocate(TurnBench::Client(2), claim), 508);  // another user's
  bench.user = bench.password = "lab";
  EXPECT_EQ(bench.Allocate(TurnBench::Client(2), claim), 0);
  EXPECT_EQ(RelayedPort(bench), port + 1);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(3), claim), 508);  // once
  // One that nobody claims comes back after 30 seconds.
  EXPECT_EQ(bench.Allocate(TurnBench::Client(4), even(0x80)), 0);
  EXPECT_EQ(bench.server().ports_in_use(), 4u);
  bench.Pass(seconds(30));
  EXPECT_EQ(bench.server().ports_in_use(), 3u);
  EXPECT_EQ(bench.server().counters().reservations_lapsed, 1u);
  // Without the R bit nothing is set aside.
  EXPECT_EQ(bench.Allocate(TurnBench::Client(5), even(0)), 0);
  EXPECT_EQ(RelayedPort(bench) % 2, 0);
  EXPECT_FALSE(bench.last_answer().Has(StunAttribute::kReservationToken));
  EXPECT_EQ(bench.server().ports_in_use(), 4u);
  for (int client : {1, 2, 4, 5}) EXPECT_EQ(bench.Refresh(TurnBench::Client(client), 0), 0);
  ExpectNothingLeft(bench);
}

TEST(TurnServer, QuotaAndRateFollowTheUser) {
  TurnConfig config = TurnBench::Config();
  config.quota_per_user = 2;
  config.bytes_per_second_per_allocation = 80;
  config.bytes_per_second_per_user = 100;
  TurnBench bench(config);
  bench.Ask(TurnBench::Client(1), StunMethod::kAllocate, AddTransport);
  EXPECT_NE(bench.Settle()[0].find("rate 80"), std::string::npos);
  bench.Ask(TurnBench::Client(2), StunMethod::kAllocate, AddTransport);
  const auto texts = bench.Settle();
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_NE(texts[0].find("program 2"), std::string::npos);
  EXPECT_NE(texts[0].find("rate 50"), std::string::npos);
  EXPECT_NE(texts[1].find("program 1"), std::string::npos);
  EXPECT_NE(texts[1].find("rate 50"), std::string::npos);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(3)), 486);
  bench.user = bench.password = "eve";
  EXPECT_EQ(bench.Allocate(TurnBench::Client(3)), 0);
  bench.user = bench.password = "lab";
  bench.Ask(TurnBench::Client(2), StunMethod::kRefresh,
            [](StunMessageWriter& w) { w.AddU32(StunAttribute::kLifetime, 0); });
  const auto after = bench.Settle();
  ASSERT_EQ(after.size(), 3u);
  EXPECT_NE(after[1].find("rate 80"), std::string::npos);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(3)), 437);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(4)), 0);
}

TEST(TurnServer, AClosedConnectionEndsItsAllocation) {
  for (const auto transport : {ClientTransport::kTcp, ClientTransport::kTls, ClientTransport::kDtls}) {
    TurnBench bench;
    const TurnClient client = TurnBench::Client(7, transport);
    ASSERT_EQ(bench.Allocate(client), 0);
    bench.server().HandleClientGone(bench.now(), 8);
    EXPECT_EQ(bench.server().allocation_count(), 1u);
    bench.server().HandleClientGone(bench.now(), 7);
    EXPECT_EQ(bench.Settle(), Texts{"remove 1"});
    EXPECT_EQ(bench.server().counters().allocations_dropped, 1u);
    ExpectNothingLeft(bench);
  }
}

TEST(TurnServer, OneAddressOverTwoTransportsIsTwoClients) {
  TurnBench bench;
  EXPECT_EQ(bench.Allocate(TurnBench::Client(1)), 0);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(1, ClientTransport::kTcp)), 0);
  EXPECT_EQ(bench.server().allocation_count(), 2u);
}

TEST(TurnServer, SpreadsConnectionsOverWorkersAndLeavesUdpWhereItArrives) {
  TurnConfig config = TurnBench::Config();
  config.relay_realms[0].shares = {{49160, 49167}, {49168, 49175}};
  TurnBench bench(config);
  TurnClient udp = TurnBench::Client(1);
  udp.worker = 1;
  ASSERT_EQ(bench.Allocate(udp), 0);
  EXPECT_GE(RelayedPort(bench), 49168);
  ASSERT_EQ(bench.Allocate(TurnBench::Client(2, ClientTransport::kTls)), 0);
  EXPECT_LE(RelayedPort(bench), 49167);
}

TEST(TurnServer, TakesAnotherWorkersPortsWhenItsOwnAreGone) {
  TurnConfig config = TurnBench::Config();
  config.relay_realms[0].shares = {{49160, 49161}, {49162, 49163}};
  TurnBench bench(config);
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(bench.Allocate(TurnBench::Client(i)), 0);
  EXPECT_GE(RelayedPort(bench), 49162);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(5)), 508);
}

TEST(TurnServer, MovesAMobileAllocation) {
  TurnConfig config = TurnBench::Config();
  config.mobility = true;
  TurnBench bench(config);
  const auto mobile = [](StunMessageWriter& w) { w.AddFlag(StunAttribute::kMobilityTicket); };
  ASSERT_EQ(bench.Allocate(TurnBench::Client(1, ClientTransport::kTcp), mobile), 0);
  const auto ticket = [&] {
    const auto value = *bench.last_answer().Find(StunAttribute::kMobilityTicket);
    return std::vector<uint8_t>(value.begin(), value.end());
  };
  const auto first = ticket();
  bench.server().HandleClientGone(bench.now(), 1);
  EXPECT_EQ(bench.server().allocation_count(), 1u);  // it may come back
  const auto show = [](std::vector<uint8_t> shown) {
    return [shown](StunMessageWriter& w) { w.AddBytes(StunAttribute::kMobilityTicket, shown); };
  };
  TurnClient elsewhere = TurnBench::Client(2);
  bench.user = bench.password = "eve";
  EXPECT_EQ(bench.Refresh(elsewhere, 600, show(first)), 441);
  bench.user = bench.password = "lab";
  EXPECT_EQ(bench.Refresh(elsewhere, 600, show(std::vector<uint8_t>(16, 1))), 400);
  EXPECT_EQ(bench.Refresh(elsewhere, 600, show({1, 2})), 400);
  TurnClient loop = elsewhere;
  loop.remote = {IpAddress::V4(192, 0, 2, 1), 49161};
  EXPECT_EQ(bench.Refresh(loop, 600, show(first)), 403);  // our own relay address
  EXPECT_EQ(bench.Refresh(elsewhere, 600, show(first)), 0);
  EXPECT_NE(ticket(), first);
  EXPECT_EQ(bench.server().counters().mobility_moves, 1u);
  EXPECT_EQ(bench.Permit(elsewhere, {"198.51.100.1"}), 0);
  EXPECT_EQ(bench.server().allocation_count(), 1u);
  EXPECT_EQ(bench.Refresh(elsewhere, 0), 0);
  ExpectNothingLeft(bench);
}

TEST(TurnServer, ATicketIsNoWayPastTheQuota) {
  TurnConfig config = TurnBench::Config();
  config.mobility = true;
  config.quota_per_user = 1;
  TurnBench bench(config);
  for (int round = 0; round < 3; ++round) {
    const TurnClient first = TurnBench::Client(1), second = TurnBench::Client(2);
    ASSERT_EQ(bench.Allocate(first, [](auto& w) { w.AddFlag(StunAttribute::kMobilityTicket); }), 0);
    const auto value = *bench.last_answer().Find(StunAttribute::kMobilityTicket);
    const std::vector<uint8_t> ticket(value.begin(), value.end());
    ASSERT_EQ(
        bench.Refresh(second, 600, [&](auto& w) { w.AddBytes(StunAttribute::kMobilityTicket, ticket); }), 0);
    EXPECT_EQ(bench.Allocate(first), 486);  // the place it left is no second one
    EXPECT_EQ(bench.Refresh(second, 0), 0);
    ExpectNothingLeft(bench);
  }
}

TEST(TurnServer, AnswersBindingsOverConnections) {
  TurnBench bench;
  bench.proof = TurnBench::Proof::kNone;
  const TurnClient client = TurnBench::Client(1, ClientTransport::kTcp);
  EXPECT_EQ(bench.Code(client, StunMethod::kBinding), 0);
  EXPECT_EQ(bench.last_answer().xor_mapped_address(), client.remote);
  EXPECT_EQ(bench.Code(client, StunMethod::kBinding,
                       [](StunMessageWriter& w) { w.AddU32(StunAttribute::kChangeRequest, 6); }),
            420);
  bench.proof = TurnBench::Proof::kSha1;
  EXPECT_EQ(bench.Code(client, StunMethod::kBinding), 0);
  EXPECT_TRUE(bench.last_answer().has_integrity());
}

TEST(TurnServer, ShowsPermissionsAndChannels) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  ASSERT_EQ(bench.Permit(kClient, {"198.51.100.1"}), 0);
  bench.Pass(seconds(10));
  ASSERT_EQ(bench.Bind(kClient, 0x4001, "198.51.100.2:80"), 0);
  const auto shown = [&] {
    Texts texts;
    bench.server().ForEachPeer(AllocationId(1), [&](const PeerView& view) {
      const auto left = std::chrono::duration_cast<seconds>(*view.expires_at - bench.now()).count();
      texts.push_back((view.kind == PeerView::Kind::kChannel ? "channel " : "permission ") +
                      view.peer.ToString() + " " + std::to_string(view.channel) + " " + std::to_string(left));
    });
    return texts;
  };
  EXPECT_EQ(shown(), (Texts{"permission 198.51.100.1:0 0 290", "permission 198.51.100.2:0 0 300",
                            "channel 198.51.100.2:80 16385 600"}));
  bench.Pass(seconds(590));
  EXPECT_EQ(shown(), Texts{});  // the allocation has ended with all of it
}

TEST(TurnServer, EverythingReturnsToZeroAfterChurn) {
  TurnConfig config = TurnBench::Config();
  config.quota_per_user = 8;
  TurnBench bench(config);
  for (int i = 0; i < 10'000; ++i) {
    const TurnClient client =
        TurnBench::Client(i % 5, i % 2 == 0 ? ClientTransport::kUdp : ClientTransport::kTcp);
    const auto even = [&](StunMessageWriter& w) {
      if (i % 7 == 0)
        w.AddBytes(StunAttribute::kEvenPort, std::array<uint8_t, 1>{uint8_t(i % 2 == 0 ? 0x80 : 0)});
    };
    ASSERT_EQ(bench.Allocate(client, even), 0) << i;
    ASSERT_EQ(bench.Permit(client, {"198.51.100.1"}), 0);
    ASSERT_EQ(bench.Bind(client, 0x4000, "198.51.100.2:4000"), 0);
    ASSERT_EQ(bench.Refresh(client, 600), 0);
    if (i % 3 == 0 && HasConnection(client.transport)) {
      bench.server().HandleClientGone(bench.now(), client.connection);
    } else if (i % 3 == 1) {
      bench.Pass(seconds(600));
    } else {
      ASSERT_EQ(bench.Refresh(client, 0), 0);
    }
    bench.Settle();
    bench.Pass(seconds(10));
  }
  bench.Pass(seconds(30));
  bench.Settle();
  ExpectNothingLeft(bench);
  EXPECT_EQ(bench.server().NextTimeout(), std::nullopt);
  EXPECT_EQ(bench.server().counters().allocations_created, 10'000u);
}

}  // namespace
}  // namespace linegate::turn
