#include "controlplane/app/turn_terms.h"

#include <gmock/gmock.h>

#include "controlplane/app/openssl_turn_crypto.h"
#include "dataplane/base/base64.h"

namespace linegate::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

IpAddress At(const char* text) { return *IpAddress::Parse(text); }

class ZeroRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override { std::fill(out.begin(), out.end(), uint8_t(0)); }
};

/// A public realm with 1:1 NAT and relay ports, and a private one without.
ops::Config MakeConfig() {
  ops::Config config;
  config.media.workers = 2;
  settings::Realm outside;
  outside.name = "public";
  outside.addresses = {At("10.90.1.1"), At("fd90:1::1")};
  outside.advertise = {At("203.0.113.5"), At("2001:db8::5")};
  outside.turn_ports = {3478};
  outside.relay_ports = {49152, 49159};
  settings::Realm inside;
  inside.name = "private";
  inside.addresses = {At("10.90.2.1")};
  config.media.realms = {outside, inside};
  config.web.realm = "public";
  config.web.listen = {*Endpoint::Parse("10.90.1.1:443"), *Endpoint::Parse("10.90.9.1:443")};
  config.turn.emplace();
  config.turn->server.realm = "lab.example";
  config.turn->server.shared_secrets = {"secret"};
  config.turn->server.listeners.tcp = {*Endpoint::Parse("10.90.1.1:3478")};
  return config;
}

TEST(TurnTerms, RelaysOnlyWhereARealmHasPorts) {
  const ops::Config config = MakeConfig();
  const turn::TurnConfig terms = MakeTurnConfig(config, {At("192.0.2.1"), At("10.90.1.1")});
  ASSERT_EQ(terms.relay_realms.size(), 1u);
  EXPECT_THAT(terms.relay_realm_of, ElementsAre(0, -1));
  const turn::RelayRealm& realm = terms.relay_realms[0];
  EXPECT_EQ(realm.realm, 0);
  EXPECT_THAT(realm.bound, ElementsAre(At("10.90.1.1"), At("fd90:1::1")));
  EXPECT_THAT(realm.advertised, ElementsAre(At("203.0.113.5"), At("2001:db8::5")));
  ASSERT_EQ(realm.shares.size(), 2u);
  EXPECT_EQ(realm.shares[0].first, 49152);
  EXPECT_EQ(realm.shares[0].last, 49155);
  EXPECT_EQ(realm.shares[1].last, 49159);
}

TEST(TurnTerms, RelayRealmServesListenersOfAllRealms) {
  ops::Config config = MakeConfig();
  config.turn->relay_realm = "public";
  EXPECT_THAT(MakeTurnConfig(config, {}).relay_realm_of, ElementsAre(0, 0));
}

TEST(TurnTerms, KnowsOurOwnAddresses) {
  const ops::Config config = MakeConfig();
  const turn::TurnConfig terms = MakeTurnConfig(config, {At("192.0.2.1"), At("0.0.0.0")});
  EXPECT_THAT(terms.media_addresses, ElementsAre(At("10.90.1.1"), At("fd90:1::1"), At("203.0.113.5"),
                                                 At("2001:db8::5"), At("10.90.2.1")));
  EXPECT_THAT(terms.management_addresses, Contains(At("192.0.2.1")));
  EXPECT_THAT(terms.management_addresses, Contains(At("10.90.9.1")));
  EXPECT_THAT(terms.management_addresses, Not(Contains(At("0.0.0.0"))));
}

TEST(TurnTerms, MoreWorkersThanPortsLeavesSomeWithout) {
  ops::Config config = MakeConfig();
  config.media.workers = 3;
  config.media.realms[0].relay_ports = {49152, 49153};
  const auto shares = MakeTurnConfig(config, {}).relay_realms.at(0).shares;
  EXPECT_LT(shares.at(0).last, shares.at(0).first);
  EXPECT_EQ(shares.at(2).first, 49152);
}

TEST(TurnTerms, LocalAddressesIncludeLoopback) { EXPECT_THAT(LocalAddresses(), Contains(At("127.0.0.1"))); }

TEST(TurnTerms, RealmOfAnAddress) {
  const ops::Config config = MakeConfig();
  EXPECT_EQ(RealmOfAddress(config.media, At("10.90.2.1")), 1);
  EXPECT_EQ(RealmOfAddress(config.media, At("192.0.2.1")), 0);
}

TEST(TurnTerms, PageCredentialsAreTimeLimitedOnes) {
  const ops::Config config = MakeConfig();
  OpenSslTurnCrypto crypto;
  ZeroRng rng;
  const IceServer server = MakeIceServer(config, crypto, rng, 1'800'000'000);
  EXPECT_THAT(server.urls,
              ElementsAre("turn:203.0.113.5:3478?transport=udp", "turn:[2001:db8::5]:3478?transport=udp",
                          "turn:203.0.113.5:3478?transport=tcp", "turns:203.0.113.5:443?transport=tcp",
                          "turns:10.90.9.1:443?transport=tcp"));
  EXPECT_EQ(server.username, "1800000000:00000000");
  std::array<uint8_t, 20> tag;
  crypto.hmac_sha1().Compute(AsBytes("secret"), AsBytes(server.username), {}, tag);
  EXPECT_EQ(server.credential, EncodeBase64(tag));
}

}  // namespace
}  // namespace linegate::app
