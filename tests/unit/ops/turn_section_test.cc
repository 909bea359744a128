#include "controlplane/ops/turn_section.h"

#include <gmock/gmock.h>

#include "dataplane/base/base64.h"

namespace linegate::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Line numbers matter: tests below name them.
constexpr std::string_view kGood = R"([turn]
realm = "lab.example"
tcp_listen = ["10.90.1.1:3478", "[fd90:1::1]:3478"]
tls_listen = ["10.90.1.1:5349"]
dtls_listen = ["10.90.1.1:5350"]
share_web_port = false
users = [{ name = "lab", password = "lab" }, { name = "second", password = "two" }]
shared_secret = "lab-secret"
previous_shared_secret = "older"
oauth_keys = [{ kid = "north", key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" }, { kid = "old", key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }]
oauth_server = "auth.example"
password_algorithms = ["sha256", "md5"]
nonce_lifetime_s = 600
relay_realm = "public"
max_lifetime_s = 7200
quota_per_user = 10
max_allocations = 1000
bytes_per_second_per_allocation = 100000
bytes_per_second_per_user = 200000
allowed_peers = ["10.90.2.0/24", "fd90:2::/64"]
denied_peers = ["192.0.2.1"]
nat64_prefixes = ["2001:db8:64::/96"]
mobility = true
tcp_relay = true
max_connections = 100
max_connections_per_source = 10
page_credentials = true
page_credentials_lifetime_s = 3600
)";

std::string With(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

settings::DataplaneSettings Media() {
  settings::DataplaneSettings media;
  settings::Realm realm;
  realm.name = "public";
  realm.addresses = {*IpAddress::Parse("10.90.1.1"), *IpAddress::Parse("fd90:1::1")};
  realm.webrtc_port = 20000;
  realm.turn_ports = {3478};
  realm.relay_ports = {49152, 53247};
  media.realms.push_back(realm);
  settings::Realm inside;
  inside.name = "private";
  inside.addresses = {*IpAddress::Parse("10.90.2.1")};
  media.realms.push_back(inside);
  return media;
}

Result<TurnSection> Load(std::string_view text) {
  const toml::table root = toml::parse(text);
  settings::ErrorSink sink("linegate.toml");
  ListenAddresses listen_addresses;
  auto section = ReadTurnSection(sink, *root["turn"].as_table(), Media(), listen_addresses);
  if (sink.failed()) return MakeUnexpected(*sink.error());
  return section;
}

TEST(TurnSection, ReadsEveryKey) {
  const auto turn = Load(kGood);
  ASSERT_TRUE(turn) << turn.error().message();
  const turn::TurnConfig& server = turn->server;
  EXPECT_EQ(server.realm, "lab.example");
  EXPECT_THAT(turn->server.listeners.tcp,
              ElementsAre(*Endpoint::Parse("10.90.1.1:3478"), *Endpoint::Parse("[fd90:1::1]:3478")));
  EXPECT_THAT(turn->server.listeners.tls, ElementsAre(*Endpoint::Parse("10.90.1.1:5349")));
  EXPECT_THAT(turn->server.listeners.dtls, ElementsAre(*Endpoint::Parse("10.90.1.1:5350")));
  EXPECT_FALSE(turn->server.listeners.share_web_port);
  ASSERT_EQ(server.users.size(), 2u);
  EXPECT_EQ(server.users[1].name, "second");
  EXPECT_EQ(server.users[1].password, "two");
  EXPECT_THAT(server.shared_secrets, ElementsAre("lab-secret", "older"));
  ASSERT_EQ(server.oauth_keys.size(), 2u);
  EXPECT_EQ(server.oauth_keys[0].kid, "north");
  EXPECT_EQ(AsText(server.oauth_keys[0].key.view()), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(server.oauth_server_name, "auth.example");
  EXPECT_THAT(server.password_algorithms,
              ElementsAre(turn::PasswordAlgorithm::kSha256, turn::PasswordAlgorithm::kMd5));
  EXPECT_EQ(server.nonce_lifetime.count(), 600);
  EXPECT_EQ(turn->relay_realm, "public");
  EXPECT_EQ(server.max_lifetime.count(), 7200);
  EXPECT_EQ(server.quota_per_user, 10u);
  EXPECT_EQ(server.max_allocations, 1000u);
  EXPECT_EQ(server.bytes_per_second_per_allocation, 100'000u);
  EXPECT_EQ(server.bytes_per_second_per_user, 200'000u);
  EXPECT_THAT(server.allowed_peers,
              ElementsAre(*turn::IpPrefix::Parse("10.90.2.0/24"), *turn::IpPrefix::Parse("fd90:2::/64")));
  EXPECT_THAT(server.denied_peers, ElementsAre(*turn::IpPrefix::Parse("192.0.2.1/32")));
  EXPECT_THAT(server.nat64_prefixes, ElementsAre(*turn::IpPrefix::Parse("2001:db8:64::/96")));
  EXPECT_TRUE(server.mobility);
  EXPECT_TRUE(server.tcp_relay);
  EXPECT_EQ(turn->max_connections, 100u);
  EXPECT_EQ(turn->max_connections_per_source, 10u);
  EXPECT_TRUE(turn->page_credentials);
  EXPECT_EQ(turn->page_credentials_lifetime.count(), 3600);
}

TEST(TurnSection, NeedsOnlyRealmAndCredentials) {
  const auto turn = Load("[turn]\nrealm = \"a\"\nshared_secret = \"s\"\n");
  ASSERT_TRUE(turn) << turn.error().message();
  EXPECT_TRUE(turn->server.listeners.share_web_port);
  EXPECT_FALSE(turn->page_credentials);
  EXPECT_FALSE(turn->server.tcp_relay);
  EXPECT_FALSE(turn->server.mobility);
  EXPECT_EQ(turn->server.max_lifetime.count(), 3600);
}

struct BadSection {
  std::string_view from;
  std::string_view to;
  std::string_view where;  ///< line and key
  std::string_view what;
};

TEST(TurnSection, ErrorsNameFileLineAndKey) {
  const BadSection rows[] = {
      {"mobility", "mobiltiy", ":23: [turn] mobiltiy: ", "unknown key"},
      {"\"lab.example\"", "\"\"", ":2: [turn] realm: ", "must be the name clients see"},
      {"\"lab.example\"", "\"a \\\" b\"", ":2: [turn] realm: ", "must be the name clients see"},
      {"\"10.90.1.1:3478\"", "\"10.90.1.1\"", ":3: [turn] tcp_listen: ", "is no address with port"},
      {"10.90.1.1:5349", "10.90.1.1:3478",
       ":4: [turn] tls_listen: ", "listened on already ([turn] tcp_listen)"},
      {"10.90.1.1:5350", "10.90.1.1:3478", ":5: [turn] dtls_listen: ", "overlaps with turn_ports"},
      {"name = \"second\"", "name = \"lab\"", ":7: [turn] users name: ", "given twice"},
      {"name = \"second\"", "name = \"a:b\"", ":7: [turn] users name: ", "printable ASCII"},
      {"password = \"two\"", "password = \"\"", ":7: [turn] users password: ", "must not be empty"},
      {"password = \"two\"", "pasword = \"two\"", ":7: [turn] users pasword: ", "unknown key"},
      {"\"lab-secret\"", "\"\"", ":8: [turn] shared_secret: ", "must not be empty"},
      {"\"lab-secret\"", "7", ":8: [turn] shared_secret: ", "must be a string"},
      {"\"older\"", "\"\"", ":9: [turn] previous_shared_secret: ", "must not be empty"},
      {"kid = \"old\"", "kid = \"north\"", ":10: [turn] oauth_keys kid: ", "given twice"},
      {"\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"", "\"MDEyMw==\"",
       ":10: [turn] oauth_keys key: ", "must be 16 or 32 bytes in base64"},
      {"\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"", "\"MDEyMw\"",
       ":10: [turn] oauth_keys key: ", "must be 16 or 32 bytes in base64"},
      {"[\"sha256\", \"md5\"]", "[\"sha1\"]", ":12: [turn] password_algorithms: ", "\"md5\" and \"sha256\""},
      {"[\"sha256\", \"md5\"]", "[\"md5\", \"md5\"]", ":12: [turn] password_algorithms: ", "at most once"},
      {"[\"sha256\", \"md5\"]", "[]", ":12: [turn] password_algorithms: ", "must not be empty"},
      {"nonce_lifetime_s = 600", "nonce_lifetime_s = 1",
       ":13: [turn] nonce_lifetime_s: ", "whole number from 60"},
      {"relay_realm = \"public\"", "relay_realm = \"pubic\"",
       ":14: [turn] relay_realm: ", "no [[realm]] has the name 'pubic'"},
      {"relay_realm = \"public\"", "relay_realm = \"private\"",
       ":14: [turn] relay_realm: ", "'private' has no relay_ports"},
      {"max_lifetime_s = 7200", "max_lifetime_s = 60",
       ":15: [turn] max_lifetime_s: ", "whole number from 600"},
      {"quota_per_user = 10", "quota_per_user = -1", ":16: [turn] quota_per_user: ", "whole number from 0"},
      {"\"10.90.2.0/24\"", "\"10.90.2.1/24\"", ":20: [turn] allowed_peers: ", "'10.90.2.1/24' is no range"},
      {"\"192.0.2.1\"", "\"host\"", ":21: [turn] denied_peers: ", "'host' is no range"},
      {"2001:db8:64::/96", "2001:db8:64::/64", ":22: [turn] nat64_prefixes: ", "IPv6 /96"},
      {"tcp_relay = true", "tcp_relay = 1", ":24: [turn] tcp_relay: ", "true or false"},
      {"max_connections = 100", "max_connections = 0",
       ":25: [turn] max_connections: ", "whole number from 1"},
      {"shared_secret = \"lab-secret\"\nprevious_shared_secret = \"older\"", "",
       ":26: [turn] page_credentials: ", "made from shared_secret, which is not given"},
  };
  for (const BadSection& row : rows) {
    const auto turn = Load(With(row.from, row.to));
    ASSERT_FALSE(turn) << row.to;
    EXPECT_THAT(turn.error().message(), StartsWith("linegate.toml:"));
    EXPECT_THAT(turn.error().message(), HasSubstr(row.where));
    EXPECT_THAT(turn.error().message(), HasSubstr(row.what));
    EXPECT_THAT(turn.error().message(), ::testing::Not(HasSubstr("lab-secret")));
  }
}

TEST(TurnSection, WithoutAnyCredentialsNobodyCouldUseIt) {
  EXPECT_THAT(Load("[turn]\nrealm = \"a\"\n").error().message(), HasSubstr("nobody could use this server"));
}

}  // namespace
}  // namespace linegate::ops
