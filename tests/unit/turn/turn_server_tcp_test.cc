// TCP allocations: RFC 6062.
#include <gtest/gtest.h>

#include "controlplane/turn/turn_server.h"
#include "tests/support/turn_bench.h"

namespace linegate::turn {
namespace {

using std::chrono::seconds;
using test::TurnBench;
using wire::StunAttribute;
using wire::StunMessageWriter;
using wire::StunMethod;
using Texts = std::vector<std::string>;

const TurnClient kControl = TurnBench::Client(1, ClientTransport::kTcp);
const TurnClient kData = TurnBench::Client(2, ClientTransport::kTcp);
const Endpoint kPeer = *Endpoint::Parse("198.51.100.1:80");

class TurnServerTcp : public testing::Test {
 protected:
  static TurnConfig Config() {
    TurnConfig config = TurnBench::Config();
    config.tcp_relay = true;
    return config;
  }
  void SetUp() override {
    ASSERT_EQ(bench_.Code(kControl, StunMethod::kAllocate,
                          [](auto& w) { w.AddU32(StunAttribute::kRequestedTransport, 6u << 24); }),
              0);
    port_ = bench_.last_answer().FindXorAddress(StunAttribute::kXorRelayedAddress)->port;
  }
  void AskToConnect(const Endpoint& peer = kPeer) {
    bench_.Ask(kControl, StunMethod::kConnect,
               [&](auto& w) { w.AddXorAddress(StunAttribute::kXorPeerAddress, peer); });
  }
  TcpConnectionId Connected() {
    AskToConnect();
    const auto output = bench_.server().PollOutput();
    const auto id = std::get<ConnectTcpPeer>(*output).connection;
    bench_.server().HandleTcpPeerConnected(bench_.now(), id, Outcome::kDone);
    return id;
  }
  int BindTo(const TurnClient& client, TcpConnectionId id) {
    return bench_.Code(client, StunMethod::kConnectionBind,
                       [&](auto& w) { w.AddU32(StunAttribute::kConnectionId, id.value()); });
  }
  TurnBench bench_{Config()};
  uint16_t port_ = 0;
};

TEST_F(TurnServerTcp, ConnectsAndBinds) {
  AskToConnect();
  EXPECT_EQ(bench_.Outputs(), Texts{"connect 1 10.0.0.1:" + std::to_string(port_) + " to 198.51.100.1:80"});
}

TEST_F(TurnServerTcp, TheClientsSecondConnectionBecomesThePeers) {
  const TcpConnectionId id = Connected();
  EXPECT_EQ(bench_.Settle(),
            Texts{"answer 203.0.113.1:5000 Connect ok connection " + std::to_string(id.value())});
  bench_.Ask(kData, StunMethod::kConnectionBind,
             [&](auto& w) { w.AddU32(StunAttribute::kConnectionId, id.value()); });
  EXPECT_EQ(bench_.Settle(), (Texts{"answer 203.0.113.2:5000 ConnectionBind ok", "bind to client 2"}));
  EXPECT_EQ(BindTo(TurnBench::Client(3, ClientTransport::kTcp), id), 400);  // once
  bench_.Pass(seconds(60));
  EXPECT_EQ(bench_.server().tcp_connection_count(), 1u);  // bound ones wait for nothing
  bench_.server().HandleTcpConnectionGone(bench_.now(), id);
  EXPECT_EQ(bench_.server().tcp_connection_count(), 0u);
}

TEST_F(TurnServerTcp, FailuresHaveTheirCodes) {
  AskToConnect();
  const auto id = std::get<ConnectTcpPeer>(*bench_.server().PollOutput()).connection;
  AskToConnect();
  EXPECT_EQ(bench_.Settle(), Texts{"answer 203.0.113.1:5000 Connect 446"});
  bench_.server().HandleTcpPeerConnected(bench_.now(), id, Outcome::kRefused);
  EXPECT_EQ(bench_.Settle(), Texts{"answer 203.0.113.1:5000 Connect 447"});
  AskToConnect();
  bench_.Settle();
  bench_.Pass(TcpConnections::kPatience);
  EXPECT_EQ(bench_.Settle(), (Texts{"answer 203.0.113.1:5000 Connect 447", "close connection"}));
  const auto code = [&](const char* peer) {
    return bench_.Code(kControl, StunMethod::kConnect, [&](auto& w) {
      w.AddXorAddress(StunAttribute::kXorPeerAddress, *Endpoint::Parse(peer));
    });
  };
  EXPECT_EQ(code("127.0.0.1:80"), 403);
  EXPECT_EQ(code("10.0.0.1:443"), 403);  // our own web server
  EXPECT_EQ(code("[2001:db8::1]:80"), 443);
  EXPECT_EQ(code("198.51.100.1:0"), 400);
  EXPECT_EQ(bench_.Code(kControl, StunMethod::kConnect), 400);
  EXPECT_EQ(bench_.Bind(kControl, 0x4000, "198.51.100.1:80"), 400);
  EXPECT_EQ(BindTo(kData, TcpConnectionId(12345)), 400);
  EXPECT_EQ(bench_.server().tcp_connection_count(), 0u);
}

TEST_F(TurnServerTcp, AnotherUserMayNotBind) {
  const TcpConnectionId id = Connected();
  bench_.Settle();
  bench_.user = bench_.password = "eve";
  EXPECT_EQ(BindTo(kData, id), 441);
  bench_.user = bench_.password = "lab";
  EXPECT_EQ(BindTo(kControl, id), 400);              // not on the control connection
  EXPECT_EQ(BindTo(TurnBench::Client(2), id), 400);  // nor over UDP
  EXPECT_EQ(BindTo(kData, id), 0);
}

TEST_F(TurnServerTcp, AcceptsPermittedPeersOnly) {
  TurnServer& server = bench_.server();
  EXPECT_FALSE(server.HandleTcpPeerAccepted(bench_.now(), AllocationId(1), kPeer));
  ASSERT_EQ(bench_.Permit(kControl, {"198.51.100.1"}), 0);
  const auto id = server.HandleTcpPeerAccepted(bench_.now(), AllocationId(1), kPeer);
  ASSERT_TRUE(id);
  EXPECT_EQ(bench_.Settle(),
            Texts{"answer 203.0.113.1:5000 ConnectionAttempt indication peer 198.51.100.1:80 connection " +
                  std::to_string(id->value())});
  EXPECT_FALSE(server.HandleTcpPeerAccepted(bench_.now(), AllocationId(1), kPeer));
  EXPECT_FALSE(server.HandleTcpPeerAccepted(bench_.now(), AllocationId(2), kPeer));
  EXPECT_EQ(BindTo(kData, *id), 0);
}

/// The bench's relay addresses: bound 10.0.0.1, advertised 192.0.2.1.
class TurnServerTcpHairpin : public TurnServerTcp {
 protected:
  uint16_t AllocateTcp(const TurnClient& client) {
    EXPECT_EQ(bench_.Code(client, StunMethod::kAllocate,
                          [](auto& w) { w.AddU32(StunAttribute::kRequestedTransport, 6u << 24); }),
              0);
    return bench_.last_answer().FindXorAddress(StunAttribute::kXorRelayedAddress)->port;
  }
  /// 0: the kernel is asked to connect.
  int ConnectCode(const Endpoint& peer) {
    AskToConnect(peer);
    const auto texts = bench_.Settle();
    if (texts.size() != 1) return -1;
    return texts[0].starts_with("connect ") ? 0 : bench_.last_answer().error_code()->code;
  }
};

TEST_F(TurnServerTcpHairpin, ReachesOtherRelaysOfThisBoxAndNothingElseOfIt) {
  const TurnClient other = TurnBench::Client(5, ClientTransport::kTcp);
  const TurnClient ended = TurnBench::Client(6, ClientTransport::kTcp), udp = TurnBench::Client(7);
  const uint16_t other_port = AllocateTcp(other), ended_port = AllocateTcp(ended);
  EXPECT_EQ(bench_.Refresh(ended, 0), 0);
  ASSERT_EQ(bench_.Allocate(udp), 0);
  const uint16_t udp_port = bench_.last_answer().FindXorAddress(StunAttribute::kXorRelayedAddress)->port;
  // Asked for, and the kernel has not said that it listens.
  bench_.Ask(TurnBench::Client(8, ClientTransport::kTcp), StunMethod::kAllocate,
             [](auto& w) { w.AddU32(StunAttribute::kRequestedTransport, 6u << 24); });
  uint16_t starting_port = 0;
  while (const auto output = bench_.server().PollOutput()) {
    if (const auto* open = std::get_if<OpenTcpRelay>(&*output)) starting_port = open->local.port;
  }
  ASSERT_NE(starting_port, 0);

  const IpAddress bound = IpAddress::V4(10, 0, 0, 1), advertised = IpAddress::V4(192, 0, 2, 1);
  struct Row {
    const char* what;
    uint16_t port;
    int code;
  };
  const Row rows[] = {{"another relay", other_port, 0},
                      {"the client's own", port_, 403},
                      {"the web", 443, 403},
                      {"SIP", 5060, 403},
                      {"a TURN listener", 3478, 403},
                      {"a relay of UDP", uint16_t(udp_port), 403},
                      {"a relay that ended", ended_port, 403},
                      {"one that does not listen yet", starting_port, 403},
                      {"a port of the range", 49175, 403}};
  for (const Row& row : rows) {
    // A relay of UDP may have the number of one of TCP.
    const bool taken = row.code != 0 && row.port == other_port;
    if (taken) continue;
    EXPECT_EQ(ConnectCode({advertised, row.port}), row.code) << row.what;
    EXPECT_EQ(ConnectCode({bound, row.port}), row.code) << row.what << ", by its bound address";
  }
}

TEST_F(TurnServerTcpHairpin, ConnectsToTheBoundAddressAndTellsTheAdvertised) {
  const TurnClient other = TurnBench::Client(5, ClientTransport::kTcp);
  const uint16_t other_port = AllocateTcp(other);
  AskToConnect({IpAddress::V4(192, 0, 2, 1), other_port});
  EXPECT_EQ(bench_.Settle(), Texts{"connect 1 10.0.0.1:" + std::to_string(port_) +
                                   " to 10.0.0.1:" + std::to_string(other_port)});
  // The other side: only with a permission of its own, by either name of our address.
  const Endpoint source{IpAddress::V4(10, 0, 0, 1), port_};
  EXPECT_FALSE(bench_.server().HandleTcpPeerAccepted(bench_.now(), AllocationId(2), source));
  ASSERT_EQ(bench_.Permit(other, {"198.51.100.1"}), 0);
  EXPECT_FALSE(bench_.server().HandleTcpPeerAccepted(bench_.now(), AllocationId(2), source));
  ASSERT_EQ(bench_.Permit(other, {"192.0.2.1"}), 0);
  const auto id = bench_.server().HandleTcpPeerAccepted(bench_.now(), AllocationId(2), source);
  ASSERT_TRUE(id);
  EXPECT_EQ(bench_.Settle(), Texts{"answer 203.0.113.5:5000 ConnectionAttempt indication peer 192.0.2.1:" +
                                   std::to_string(port_) + " connection " + std::to_string(id->value())});
}

TEST_F(TurnServerTcp, NobodyBindsForHalfAMinute) {
  Connected();
  bench_.Settle();
  bench_.Pass(seconds(29));
  EXPECT_EQ(bench_.Settle(), Texts{});
  bench_.Pass(seconds(1));
  EXPECT_EQ(bench_.Settle(), Texts{"close connection"});
  EXPECT_EQ(bench_.server().tcp_connection_count(), 0u);
}

TEST_F(TurnServerTcp, ShowsConnectionsInTheirStates) {
  const auto shown = [&] {
    std::vector<PeerView::Kind> kinds;
    bench_.server().ForEachPeer(AllocationId(1), [&](const PeerView& view) {
      EXPECT_EQ(view.peer, kPeer);
      kinds.push_back(view.kind);
    });
    return kinds;
  };
  AskToConnect();
  const auto id = std::get<ConnectTcpPeer>(*bench_.server().PollOutput()).connection;
  EXPECT_EQ(shown(), std::vector{PeerView::Kind::kConnecting});
  bench_.server().HandleTcpPeerConnected(bench_.now(), id, Outcome::kDone);
  EXPECT_EQ(shown(), std::vector{PeerView::Kind::kUnbound});
  EXPECT_EQ(BindTo(kData, id), 0);
  EXPECT_EQ(shown(), std::vector{PeerView::Kind::kBound});
}

TEST_F(TurnServerTcp, BoundsTheConnectionsOfAnAllocation) {
  for (size_t i = 0; i < TcpConnections::kPerAllocation; ++i) {
    AskToConnect({kPeer.address, uint16_t(80 + i)});
    bench_.Settle();
  }
  AskToConnect({kPeer.address, 9999});
  EXPECT_EQ(bench_.Settle(), Texts{"answer 203.0.113.1:5000 Connect 508"});
}

TEST_F(TurnServerTcp, EndsWithItsAllocation) {
  Connected();
  bench_.Settle();
  bench_.server().HandleClientGone(bench_.now(), kControl.connection);
  EXPECT_EQ(bench_.Settle(), (Texts{"close connection", "close tcp 1"}));
  EXPECT_EQ(bench_.server().tcp_connection_count(), 0u);
  EXPECT_EQ(bench_.server().known_allocations(), 0u);
  EXPECT_EQ(bench_.server().ports_in_use(), 0u);
}

TEST_F(TurnServerTcp, DeletesAtOnce) {
  EXPECT_EQ(bench_.Refresh(kControl, 0), 0);
  EXPECT_EQ(bench_.server().known_allocations(), 0u);
}

TEST(TurnServerTcpRefused, SaysSoWhenTheKernelRefuses) {
  TurnConfig config = TurnBench::Config();
  config.tcp_relay = true;
  TurnBench bench(config);
  bench.Ask(kControl, StunMethod::kAllocate,
            [](auto& w) { w.AddU32(StunAttribute::kRequestedTransport, 6u << 24); });
  bench.Outputs();
  bench.server().HandleTcpRelayOpened(bench.now(), AllocationId(1), Outcome::kRefused);
  EXPECT_EQ(bench.Outputs(), (Texts{"answer 203.0.113.1:5000 Allocate 508", "close tcp 1"}));
  EXPECT_EQ(bench.server().ports_in_use(), 0u);
}

}  // namespace
}  // namespace linegate::turn
