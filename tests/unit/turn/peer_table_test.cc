#include "controlplane/turn/peer_table.h"

#include <gtest/gtest.h>

#include <string>

namespace linegate::turn {
namespace {

using Result = PeerTable::Result;
using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));

IpAddress Ip(int last) { return IpAddress::V4(198, 51, 100, uint8_t(last)); }
Endpoint At(int last, uint16_t port = 4000) { return {Ip(last), port}; }

std::vector<std::string> Changes(PeerTable& table) {
  std::vector<std::string> changes;
  table.Sync([&](uint32_t index, const RelayPeerTerms& terms) {
    std::string text = "[" + std::to_string(index) + "] ";
    if (terms.peer.address.family() == IpFamily::kNone) {
      text += "none";
    } else {
      text +=
          terms.peer.ToString() + " " + std::to_string(terms.channel) + (terms.permitted ? " permitted" : "");
    }
    changes.push_back(text);
  });
  return changes;
}
using Texts = std::vector<std::string>;

TEST(PeerTable, ReportsPermissionsOnce) {
  PeerTable table;
  const IpAddress peers[] = {Ip(1), Ip(2), Ip(1)};
  EXPECT_EQ(table.Permit(kStart, peers), Result::kDone);
  EXPECT_EQ(Changes(table), (Texts{"[0] 198.51.100.1:0 0 permitted", "[1] 198.51.100.2:0 0 permitted"}));
  EXPECT_EQ(table.Permit(kStart + seconds(10), {peers, 1}), Result::kDone);
  EXPECT_EQ(Changes(table), Texts{});
  EXPECT_EQ(table.permission_count(), 2u);
}

TEST(PeerTable, AChannelTakesOverItsPermissionsEntry) {
  PeerTable table;
  const IpAddress peer = Ip(1);
  ASSERT_EQ(table.Permit(kStart, {&peer, 1}), Result::kDone);
  Changes(table);
  EXPECT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  EXPECT_EQ(Changes(table), (Texts{"[0] 198.51.100.1:4000 16384 permitted"}));
  EXPECT_EQ(table.Bind(kStart, 0x4001, At(1, 4001)), Result::kDone);
  EXPECT_EQ(Changes(table), (Texts{"[1] 198.51.100.1:4001 16385 permitted"}));
}

TEST(PeerTable, PermissionsLapseAfter300SecondsAndChannelsAfter600) {
  PeerTable table;
  ASSERT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  Changes(table);
  EXPECT_EQ(table.NextTimeout(), kStart + seconds(300));
  table.HandleTimeout(kStart + seconds(299));
  EXPECT_EQ(Changes(table), Texts{});
  table.HandleTimeout(kStart + seconds(300));
  EXPECT_EQ(Changes(table), (Texts{"[0] 198.51.100.1:4000 16384"}));
  EXPECT_FALSE(table.Permits(Ip(1)));
  EXPECT_EQ(table.NextTimeout(), kStart + seconds(600));
  table.HandleTimeout(kStart + seconds(600));
  EXPECT_EQ(Changes(table), (Texts{"[0] none"}));
  EXPECT_EQ(table.NextTimeout(), kStart + seconds(900));
  table.HandleTimeout(kStart + seconds(900));
  EXPECT_EQ(table.NextTimeout(), std::nullopt);
}

TEST(PeerTable, AnExpiredChannelLeavesItsPermission) {
  PeerTable table;
  const IpAddress peer = Ip(1);
  ASSERT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  Changes(table);
  ASSERT_EQ(table.Permit(kStart + seconds(599), {&peer, 1}), Result::kDone);
  table.HandleTimeout(kStart + seconds(600));
  EXPECT_EQ(Changes(table), (Texts{"[0] 198.51.100.1:0 0 permitted"}));
}

TEST(PeerTable, NumberAndPeerBelongTogetherUntil300SecondsAfterTheEnd) {
  PeerTable table;
  ASSERT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  EXPECT_EQ(table.Bind(kStart, 0x4000, At(2)), Result::kChannelTaken);
  EXPECT_EQ(table.Bind(kStart, 0x4001, At(1)), Result::kChannelTaken);
  EXPECT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  table.HandleTimeout(kStart + seconds(600));
  EXPECT_EQ(table.channel_count(), 0u);
  EXPECT_EQ(table.Bind(kStart + seconds(899), 0x4000, At(2)), Result::kChannelTaken);
  EXPECT_EQ(table.Bind(kStart + seconds(899), 0x4001, At(1)), Result::kChannelTaken);
  table.HandleTimeout(kStart + seconds(900));
  EXPECT_EQ(table.Bind(kStart + seconds(900), 0x4000, At(2)), Result::kDone);
  EXPECT_EQ(table.Bind(kStart + seconds(900), 0x4001, At(1)), Result::kDone);
}

TEST(PeerTable, TheSameChannelMayComeBackWhileItRests) {
  PeerTable table;
  ASSERT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  table.HandleTimeout(kStart + seconds(600));
  Changes(table);
  EXPECT_EQ(table.Bind(kStart + seconds(700), 0x4000, At(1)), Result::kDone);
  EXPECT_EQ(Changes(table), (Texts{"[0] 198.51.100.1:4000 16384 permitted"}));
  EXPECT_EQ(table.NextTimeout(), kStart + seconds(1000));
}

TEST(PeerTable, HoldsAsManyEntriesAsTheWorker) {
  PeerTable table;
  std::vector<IpAddress> peers;
  for (int i = 0; i < 32; ++i) peers.push_back(Ip(i));
  EXPECT_EQ(table.Permit(kStart, peers), Result::kDone);
  const IpAddress one_more = Ip(99);
  EXPECT_EQ(table.Permit(kStart, {&one_more, 1}), Result::kFull);
  EXPECT_EQ(table.Bind(kStart, 0x4000, At(99)), Result::kFull);
  EXPECT_EQ(table.Bind(kStart, 0x4000, At(5)), Result::kDone);  // in the place of its permission
  EXPECT_EQ(table.Bind(kStart, 0x4001, At(5, 4001)), Result::kFull);
  EXPECT_EQ(Changes(table).size(), 32u);
  EXPECT_EQ(table.permission_count(), 32u);
}

TEST(PeerTable, AllOrNoneOfARequestsPeers) {
  PeerTable table;
  std::vector<IpAddress> peers;
  for (int i = 0; i < 33; ++i) peers.push_back(Ip(i));
  EXPECT_EQ(table.Permit(kStart, peers), Result::kFull);
  EXPECT_EQ(table.permission_count(), 0u);
}

TEST(PeerTable, RestingChannelsTakeNoEntry) {
  PeerTable table;
  for (int i = 0; i < 32; ++i) ASSERT_EQ(table.Bind(kStart, uint16_t(0x4000 + i), At(i)), Result::kDone);
  table.HandleTimeout(kStart + seconds(600));
  for (int i = 0; i < 32; ++i)
    ASSERT_EQ(table.Bind(kStart + seconds(600), uint16_t(0x4100 + i), At(i, 4001)), Result::kDone);
  EXPECT_EQ(table.Bind(kStart + seconds(600), 0x4000, At(0)), Result::kFull);
  EXPECT_EQ(table.channel_count(), 32u);
}

TEST(PeerTable, ForgetsAFamily) {
  PeerTable table;
  ASSERT_EQ(table.Bind(kStart, 0x4000, At(1)), Result::kDone);
  ASSERT_EQ(table.Bind(kStart, 0x4001, {*IpAddress::Parse("2001:db8::9"), 4000}), Result::kDone);
  Changes(table);
  table.RemoveFamily(IpFamily::kIpv4);
  EXPECT_EQ(Changes(table), (Texts{"[0] none"}));
  EXPECT_TRUE(table.Permits(*IpAddress::Parse("2001:db8::9")));
}

}  // namespace
}  // namespace linegate::turn
