// Every error code of RFC 8656 and what leads to it, and what malformed messages lead to: nothing.
#include <gtest/gtest.h>

#include "controlplane/turn/turn_server.h"
#include "tests/support/turn_bench.h"

namespace linegate::turn {
namespace {

using test::TurnBench;
using wire::StunAttribute;
using wire::StunMessageWriter;
using wire::StunMethod;
using Texts = std::vector<std::string>;

const TurnClient kClient = TurnBench::Client(1);
const TurnClient kStream = TurnBench::Client(1, ClientTransport::kTcp);

struct AllocateRow {
  const char* what;
  int code;
  std::function<void(StunMessageWriter&)> add;
  std::function<void(TurnConfig&)> configure = {};
  TurnClient client = kClient;
};

void Transport(StunMessageWriter& w, uint32_t protocol = 17) {
  w.AddU32(StunAttribute::kRequestedTransport, protocol << 24);
}
void Family(StunMessageWriter& w, uint32_t family) {
  w.AddU32(StunAttribute::kRequestedAddressFamily, family << 24);
}
void Additional(StunMessageWriter& w, uint32_t family) {
  w.AddU32(StunAttribute::kAdditionalAddressFamily, family << 24);
}
void Even(StunMessageWriter& w, uint8_t value) {
  w.AddBytes(StunAttribute::kEvenPort, std::array<uint8_t, 1>{value});
}
void Token(StunMessageWriter& w) { w.AddU64(StunAttribute::kReservationToken, 1); }

TEST(TurnServerErrors, Allocate) {
  const AllocateRow rows[] = {
      {"fine", 0, [](auto& w) { Transport(w); }},
      {"with everything harmless", 0,
       [](auto& w) {
         Transport(w), w.AddFlag(StunAttribute::kDontFragment), w.AddText(StunAttribute::kSoftware, "x");
         w.AddU32(StunAttribute(0xc123), 1);
       }},
      {"no transport", 400, [](auto&) {}},
      {"transport SCTP", 442, [](auto& w) { Transport(w, 132); }},
      {"transport TCP, not configured", 442, [](auto& w) { Transport(w, 6); }, {}, kStream},
      {"transport TCP over UDP", 400, [](auto& w) { Transport(w, 6); }, [](auto& c) { c.tcp_relay = true; }},
      {"transport TCP with EVEN-PORT", 400, [](auto& w) { Transport(w, 6), Even(w, 0); },
       [](auto& c) { c.tcp_relay = true; }, kStream},
      {"transport TCP with DONT-FRAGMENT", 400,
       [](auto& w) { Transport(w, 6), w.AddFlag(StunAttribute::kDontFragment); },
       [](auto& c) { c.tcp_relay = true; }, kStream},
      {"transport TCP with a token", 400, [](auto& w) { Transport(w, 6), Token(w); },
       [](auto& c) { c.tcp_relay = true; }, kStream},
      {"transport TCP, dual", 400, [](auto& w) { Transport(w, 6), Additional(w, 2); },
       [](auto& c) { c.tcp_relay = true; }, kStream},
      {"unknown attribute", 420, [](auto& w) { Transport(w), w.AddU32(StunAttribute(0x7123), 1); }},
      {"an ICE attribute", 420, [](auto& w) { Transport(w), w.AddU32(StunAttribute::kPriority, 1); }},
      {"IPv4", 0, [](auto& w) { Transport(w), Family(w, 1); }},
      {"IPv6", 0, [](auto& w) { Transport(w), Family(w, 2); }},
      {"family 3", 440, [](auto& w) { Transport(w), Family(w, 3); }},
      {"IPv6 where there is none", 440, [](auto& w) { Transport(w), Family(w, 2); },
       [](auto& c) { c.relay_realms[0].bound[1] = IpAddress(); }},
      {"both family attributes", 400, [](auto& w) { Transport(w), Family(w, 1), Additional(w, 2); }},
      {"IPv4 in addition", 400, [](auto& w) { Transport(w), Additional(w, 1); }},
      {"dual", 0, [](auto& w) { Transport(w), Additional(w, 2); }},
      {"dual with a reservation", 400, [](auto& w) { Transport(w), Additional(w, 2), Even(w, 0x80); }},
      {"dual with an even port", 0, [](auto& w) { Transport(w), Additional(w, 2), Even(w, 0); }},
      {"token and even port", 400, [](auto& w) { Transport(w), Token(w), Even(w, 0); }},
      {"token and family", 400, [](auto& w) { Transport(w), Token(w), Family(w, 1); }},
      {"token and dual", 400, [](auto& w) { Transport(w), Token(w), Additional(w, 2); }},
      {"unknown token", 508, [](auto& w) { Transport(w), Token(w); }},
      {"mobility, not configured", 405,
       [](auto& w) { Transport(w), w.AddFlag(StunAttribute::kMobilityTicket); }},
      {"mobility with a ticket in hand", 400,
       [](auto& w) { Transport(w), w.AddU64(StunAttribute::kMobilityTicket, 1); },
       [](auto& c) { c.mobility = true; }},
      {"a listener without relaying", 403, [](auto& w) { Transport(w); },
       [](auto& c) { c.relay_realm_of = {-1}; }},
      {"no port", 508, [](auto& w) { Transport(w); },
       [](auto& c) {
         c.relay_realms[0].shares = {{2, 1}};
       }},
      {"a worker without ports", 508, [](auto& w) { Transport(w); },
       [](auto& c) { c.relay_realms[0].shares = {}; }},
      {"full", 508, [](auto& w) { Transport(w); }, [](auto& c) { c.max_allocations = 1; },
       TurnBench::Client(2)},
  };
  for (const AllocateRow& row : rows) {
    TurnConfig config = TurnBench::Config();
    if (row.configure) row.configure(config);
    TurnBench bench(config);
    if (config.max_allocations == 1) {
      ASSERT_EQ(bench.Allocate(kClient), 0);
    }
    const size_t before = bench.server().known_allocations();
    EXPECT_EQ(bench.Code(row.client, StunMethod::kAllocate, row.add), row.code) << row.what;
    EXPECT_EQ(bench.server().known_allocations(), before + (row.code == 0 ? 1 : 0)) << row.what;
    if (row.code != 0) {
      EXPECT_EQ(bench.server().ports_in_use(), before) << row.what;
      EXPECT_TRUE(bench.last_answer().has_integrity()) << row.what;
    }
  }
}

TEST(TurnServerErrors, NoPortsLeft) {
  TurnConfig config = TurnBench::Config();
  config.relay_realms[0].shares = {{49160, 49163}};
  TurnBench bench(config);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(bench.Allocate(TurnBench::Client(i)), 0);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(4)), 508);
  EXPECT_EQ(bench.server().counters().capacity_reached, 1u);
  EXPECT_EQ(bench.Refresh(TurnBench::Client(2), 0), 0);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(4)), 0);
}

TEST(TurnServerErrors, AnAccountsReservationsAreBounded) {
  TurnConfig config = TurnBench::Config();
  config.relay_realms[0].shares = {{40000, 49999}};
  TurnBench bench(config);
  const auto even = [](StunMessageWriter& w) { Even(w, 0x80); };
  for (size_t i = 0; i < PortReservations::kSpare; ++i) {
    EXPECT_EQ(bench.Allocate(kClient, even), 0);
    EXPECT_EQ(bench.Refresh(kClient, 0), 0);
  }
  EXPECT_EQ(bench.Allocate(kClient, even), 508);
  bench.user = bench.password = "eve";
  EXPECT_EQ(bench.Allocate(kClient, even), 0);
}

TEST(TurnServerErrors, WithoutAnAllocation) {
  TurnBench bench;
  EXPECT_EQ(bench.Refresh(kClient, 600), 437);
  EXPECT_EQ(bench.Permit(kClient, {"198.51.100.1"}), 437);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.1:1"), 437);
  EXPECT_EQ(bench.Code(kClient, StunMethod::kConnect), 437);
  EXPECT_EQ(bench.server().counters().allocation_mismatches, 4u);
}

TEST(TurnServerErrors, AnotherUsersAllocation) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  bench.user = bench.password = "eve";
  EXPECT_EQ(bench.Refresh(kClient, 0), 441);
  EXPECT_EQ(bench.Permit(kClient, {"198.51.100.1"}), 441);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.1:1"), 441);
  EXPECT_EQ(bench.Allocate(kClient), 437);
  EXPECT_EQ(bench.server().allocation_count(), 1u);
}

TEST(TurnServerErrors, Refresh) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  EXPECT_EQ(bench.Refresh(kClient, 600, [](auto& w) { Family(w, 1); }), 0);
  EXPECT_EQ(bench.Refresh(kClient, 600, [](auto& w) { Family(w, 2); }), 443);
  EXPECT_EQ(bench.Refresh(kClient, 0, [](auto& w) { Family(w, 9); }), 443);
  EXPECT_EQ(bench.Refresh(kClient, 600, [](auto& w) { w.AddU64(StunAttribute::kMobilityTicket, 1); }), 405);
  EXPECT_EQ(bench.Refresh(kClient, 600, [](auto& w) { w.AddU32(StunAttribute(0x7fff), 1); }), 420);
  EXPECT_EQ(bench.server().allocation_count(), 1u);
}

TEST(TurnServerErrors, CreatePermission) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  EXPECT_EQ(bench.Permit(kClient, {}), 400);
  EXPECT_EQ(bench.Permit(kClient, {"2001:db8::1"}), 443);
  EXPECT_EQ(bench.Permit(kClient, {"127.0.0.1"}), 403);
  EXPECT_EQ(bench.Permit(kClient, {"198.51.100.1", "169.254.169.254"}), 403);  // all or none
  EXPECT_EQ(bench.Permit(kClient, {"198.51.100.1", "2001:db8::1"}), 443);
  EXPECT_EQ(bench.Code(kClient, StunMethod::kCreatePermission,
                       [](auto& w) { w.AddU32(StunAttribute::kXorPeerAddress, 1); }),
            400);
  EXPECT_EQ(bench.server().counters().permissions_installed, 0u);
  EXPECT_EQ(bench.Permit(kClient, {"10.0.0.1", "192.0.2.1"}), 0);  // our own media addresses
  EXPECT_EQ(
      bench.Code(
          kClient, StunMethod::kCreatePermission,
          [](auto& w) {
            for (int i = 0; i < 33; ++i)
              w.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(198, 51, 100, uint8_t(i)), 0});
          }),
      508);
  EXPECT_EQ(bench.server().counters().permissions_installed, 2u);
}

TEST(TurnServerErrors, ChannelBind) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  for (const uint16_t channel : {0, 1, 0x3fff, 0x8000, 0xffff})
    EXPECT_EQ(bench.Bind(kClient, channel, "198.51.100.1:4000"), 400) << channel;
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.1:0"), 400);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "[2001:db8::1]:4000"), 443);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "127.0.0.1:4000"), 403);
  EXPECT_EQ(bench.Code(kClient, StunMethod::kChannelBind), 400);
  EXPECT_EQ(bench.Code(kClient, StunMethod::kChannelBind,
                       [](auto& w) { w.AddU32(StunAttribute::kChannelNumber, 0x40000000); }),
            400);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.1:4000"), 0);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.1:4000"), 0);
  EXPECT_EQ(bench.Bind(kClient, 0x4000, "198.51.100.1:4001"), 400);
  EXPECT_EQ(bench.Bind(kClient, 0x4001, "198.51.100.1:4000"), 400);
  for (int i = 2; i <= 32; ++i)
    EXPECT_EQ(
        bench.Bind(kClient, uint16_t(0x4000 + i), ("198.51.100." + std::to_string(i) + ":4000").c_str()), 0);
  EXPECT_EQ(bench.Bind(kClient, 0x4100, "198.51.100.99:4000"), 508);
}

TEST(TurnServerErrors, WhatIsNoRequestGetsNoAnswer) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  constexpr std::array<uint8_t, 12> kId = {1};
  for (const auto message_class : {wire::StunClass::kIndication, wire::StunClass::kSuccess,
                                   wire::StunClass::kError, wire::StunClass::kRequest}) {
    for (uint16_t method = 0; method < 16; ++method) {
      std::array<uint8_t, 64> buffer;
      wire::StunMessageWriter writer(buffer, message_class, StunMethod(method), kId);
      bench.Deliver(kClient, writer.Finish());
      const bool known = method == 1 || method == 3 || method == 4 || (method >= 8 && method <= 0xb);
      EXPECT_EQ(bench.Outputs().size(), message_class == wire::StunClass::kRequest && known ? 1u : 0u)
          << method;
    }
  }
  bench.Deliver(kClient, AsBytes("GET / HTTP/1.1"));
  bench.Deliver(kClient, {});
  EXPECT_EQ(bench.Outputs(), Texts{});
  EXPECT_EQ(bench.server().counters().malformed, 2u);
}

TEST(TurnServerErrors, SurvivesEveryTruncationOfEveryRequest) {
  TurnConfig config = TurnBench::Config();
  config.mobility = config.tcp_relay = true;
  TurnBench bench(config);
  ASSERT_EQ(bench.Allocate(kClient), 0);
  const auto everything = [](StunMessageWriter& w) {
    Transport(w), Family(w, 1), w.AddU32(StunAttribute::kLifetime, 700);
    w.AddU32(StunAttribute::kChannelNumber, 0x40010000);
    w.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(198, 51, 100, 1), 4000});
    w.AddU32(StunAttribute::kConnectionId, 5);
    w.AddU64(StunAttribute::kMobilityTicket, 6);
    w.AddBytes(StunAttribute::kAccessToken, std::array<uint8_t, 5>{1, 2, 3, 4, 5});
  };
  for (const auto method :
       {StunMethod::kBinding, StunMethod::kAllocate, StunMethod::kRefresh, StunMethod::kCreatePermission,
        StunMethod::kChannelBind, StunMethod::kConnect, StunMethod::kConnectionBind}) {
    const auto whole = bench.Request(kClient, method, everything);
    for (size_t length = 0; length < whole.size(); ++length) {
      bench.Deliver(kClient, ByteView(whole).first(length));
      auto cut = std::vector<uint8_t>(whole.begin(), whole.begin() + ptrdiff_t(length));
      if (length >= 20) StoreBe16(cut.data() + 2, uint16_t(length - 20));
      bench.Deliver(kClient, cut);
      for (const std::string& text : bench.Settle()) EXPECT_EQ(text.substr(0, 7), "answer ") << text;
    }
  }
  EXPECT_EQ(bench.server().allocation_count(), 1u);
  EXPECT_EQ(bench.server().counters().refreshes, 0u);
}

TEST(TurnServerErrors, WhatFollowsTheIntegrityChangesNothing) {
  TurnBench bench;
  ASSERT_EQ(bench.Allocate(kClient), 0);
  auto request = bench.Request(kClient, StunMethod::kRefresh,
                               [](StunMessageWriter& w) { w.AddU32(StunAttribute::kLifetime, 600); });
  const size_t signed_bytes = request.size();
  request.resize(signed_bytes + 8);
  StoreBe16(request.data() + signed_bytes, uint16_t(StunAttribute::kRequestedAddressFamily));
  StoreBe16(request.data() + signed_bytes + 2, 4);
  StoreBe32(request.data() + signed_bytes + 4, 2u << 24);  // would be 443
  StoreBe16(request.data() + 2, uint16_t(request.size() - 20));
  bench.Deliver(kClient, request);
  EXPECT_EQ(bench.Settle(), Texts{"answer 203.0.113.1:5000 Refresh ok lifetime 600"});
}

}  // namespace
}  // namespace linegate::turn
