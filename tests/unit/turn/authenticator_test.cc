// Who is believed: RFC 8489 section 9.2, time-limited credentials, RFC 7635.
#include <gtest/gtest.h>

#include "dataplane/base/base64.h"
#include "tests/support/turn_bench.h"

namespace linegate::turn {
namespace {

using std::chrono::seconds;
using test::TurnBench;
using wire::StunAttribute;
using wire::StunMethod;

const TurnClient kClient = TurnBench::Client(1);

std::string TimeLimitedPassword(TurnBench& bench, std::string_view secret, std::string_view name) {
  std::array<uint8_t, 20> tag;
  bench.crypto.hmac_sha1().Compute(AsBytes(secret), AsBytes(name), {}, tag);
  return EncodeBase64(tag);
}

TEST(TurnAuthentication, ChallengesWithoutKeepingAnything) {
  TurnBench bench;
  bench.proof = TurnBench::Proof::kNone;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(bench.Allocate(TurnBench::Client(i)), 401);
  EXPECT_EQ(bench.server().known_allocations(), 0u);
  EXPECT_EQ(bench.server().NextTimeout(), std::nullopt);
  EXPECT_EQ(bench.server().counters().challenges_sent, 1000u);
  const auto answer = bench.last_answer();
  EXPECT_EQ(answer.realm(), "lab.example");
  EXPECT_EQ(answer.nonce()->substr(0, 13), "obMatJos2gAAA");  // password algorithms; names are not all known
  EXPECT_TRUE(std::ranges::equal(*answer.Find(StunAttribute::kPasswordAlgorithms),
                                 std::vector<uint8_t>{0, 1, 0, 0, 0, 2, 0, 0}));
  EXPECT_FALSE(answer.Has(StunAttribute::kSoftware));
  EXPECT_LE(bench.last_message().size(), 96u);  // what a stranger's 28 bytes can make us send
}

TEST(TurnAuthentication, AnswersWithTheIntegrityOfTheRequest) {
  for (const auto proof : {TurnBench::Proof::kSha1, TurnBench::Proof::kSha256}) {
    for (const bool fingerprint : {false, true}) {
      TurnBench bench;
      bench.proof = proof;
      bench.fingerprint = fingerprint;
      ASSERT_EQ(bench.Allocate(kClient), 0);
      const auto answer = bench.last_answer();
      EXPECT_EQ(answer.has_fingerprint(), fingerprint);
      if (proof == TurnBench::Proof::kSha1) {
        EXPECT_TRUE(answer.VerifyIntegrity(bench.crypto.hmac_sha1(), bench.Key()));
        EXPECT_FALSE(answer.has_integrity_sha256());
      } else {
        EXPECT_TRUE(answer.VerifyIntegrity(bench.crypto.hmac_sha256(), bench.Key()));
        EXPECT_FALSE(answer.has_integrity());
      }
    }
  }
}

TEST(TurnAuthentication, RefusesWhatIsNotProved) {
  struct Row {
    const char *user, *password, *realm;
    int code;
  };
  const Row rows[] = {{"lab", "lab", "lab.example", 0},      {"lab", "wrong", "lab.example", 401},
                      {"nobody", "lab", "lab.example", 401}, {"lab", "lab", "other.example", 401},
                      {"", "", "lab.example", 401},          {"%s%n/../\"{}", "x", "lab.example", 401}};
  for (const Row& row : rows) {
    TurnBench bench;
    bench.user = row.user, bench.password = row.password, bench.realm = row.realm;
    EXPECT_EQ(bench.Allocate(kClient), row.code) << row.user;
    EXPECT_EQ(bench.server().known_allocations(), row.code == 0 ? 1u : 0u);
    EXPECT_EQ(bench.server().counters().auth_failures, row.code == 0 ? 0u : 1u);
  }
}

TEST(TurnAuthentication, AGuessCostsAConnection) {
  TurnBench bench;
  const TurnClient stream = TurnBench::Client(1, ClientTransport::kTls);
  bench.password = "guess";
  bench.Ask(stream, StunMethod::kAllocate);
  EXPECT_EQ(bench.Settle(),
            (std::vector<std::string>{"answer 203.0.113.1:5000 Allocate 401 nonce", "close 1"}));
  bench.realm = "other.example";  // an honest client tries again with the realm of the challenge
  bench.Ask(stream, StunMethod::kAllocate);
  EXPECT_EQ(bench.Settle(), (std::vector<std::string>{"answer 203.0.113.1:5000 Allocate 401 nonce"}));
  bench.realm = "lab.example", bench.password = "lab";
  ASSERT_EQ(bench.Allocate(stream), 0);
  bench.password = "guess";  // nor is an allocation lost by a request in its name
  bench.Ask(stream, StunMethod::kRefresh);
  EXPECT_EQ(bench.Settle(), (std::vector<std::string>{"answer 203.0.113.1:5000 Refresh 401 nonce"}));
  EXPECT_EQ(bench.server().allocation_count(), 1u);
}

TEST(TurnAuthentication, WantsAllOfTheCredentials) {
  for (const auto missing : {StunAttribute::kUsername, StunAttribute::kRealm, StunAttribute::kNonce}) {
    TurnBench bench;
    const auto whole = bench.Request(kClient, StunMethod::kAllocate);
    const auto view = *wire::StunMessageView::Parse(whole);
    std::array<uint8_t, 512> buffer;
    wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, StunMethod::kAllocate,
                                   view.transaction_id());
    view.ForEachAttribute([&](StunAttribute attribute, ByteView value) {
      if (attribute != missing) writer.AddBytes(attribute, value);
    });
    writer.AddMessageIntegrity(bench.crypto.hmac_sha1(), bench.Key());
    bench.Deliver(kClient, writer.Finish());
    bench.Settle();
    EXPECT_EQ(bench.last_answer().error_code()->code, 400);
  }
}

TEST(TurnAuthentication, NoncesAreGoodForOneAddressAndOneLifetime) {
  TurnBench bench;
  const auto request = bench.Request(kClient, StunMethod::kRefresh);
  const auto code_of = [&](const TurnClient& client) {
    bench.Deliver(client, request);
    bench.Settle();
    return bench.last_answer().error_code()->code;
  };
  EXPECT_EQ(code_of(kClient), 437);
  TurnClient other_port = kClient;
  other_port.remote.port = 9;
  EXPECT_EQ(code_of(other_port), 437);
  EXPECT_EQ(code_of(TurnBench::Client(2)), 438);
  bench.Pass(seconds(3600));
  EXPECT_EQ(code_of(kClient), 437);
  bench.Pass(seconds(1));
  EXPECT_EQ(code_of(kClient), 438);
  EXPECT_TRUE(bench.last_answer().Has(StunAttribute::kNonce));
  EXPECT_EQ(bench.server().counters().stale_nonces, 2u);
}

TEST(TurnAuthentication, RefusesEveryAlteredNonce) {
  TurnBench bench;
  const std::string nonce = bench.Nonce(kClient);
  test::CountingRng rng;
  (void)rng.U32();  // another key than the server's
  NonceMaker maker(bench.crypto, rng, seconds(60), kFeaturePasswordAlgorithms);
  const std::string good = maker.Make(bench.now(), kClient);
  EXPECT_TRUE(maker.IsFresh(bench.now(), kClient, good));
  EXPECT_FALSE(maker.IsFresh(bench.now() - seconds(2), kClient, good));  // not before it was made
  for (size_t i = 0; i < good.size(); ++i) {
    std::string altered = good;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(maker.IsFresh(bench.now(), kClient, altered)) << i;
    EXPECT_FALSE(maker.IsFresh(bench.now(), kClient, good.substr(0, i)));
  }
  EXPECT_FALSE(maker.IsFresh(bench.now(), kClient, nonce));  // another life's key
}

TEST(TurnAuthentication, Sha256PasswordsNeedTheOfferUnchanged) {
  TurnBench bench;
  bench.algorithm = PasswordAlgorithm::kSha256;
  bench.names_algorithm = true;
  bench.proof = TurnBench::Proof::kSha256;
  EXPECT_EQ(bench.Allocate(kClient), 0);
  bench.names_algorithm = false;  // a key of SHA-256 that claims nothing is taken for MD5
  EXPECT_EQ(bench.Allocate(TurnBench::Client(2)), 401);
  // One of the two attributes alone, or another list: somebody in between took an algorithm away.
  for (const bool list_alone : {false, true}) {
    const int code =
        bench.Code(TurnBench::Client(3), StunMethod::kAllocate, [&](wire::StunMessageWriter& writer) {
          if (list_alone) {
            writer.AddBytes(StunAttribute::kPasswordAlgorithms,
                            std::array<uint8_t, 8>{0, 1, 0, 0, 0, 2, 0, 0});
          } else {
            writer.AddBytes(StunAttribute::kPasswordAlgorithm, std::array<uint8_t, 4>{0, 1, 0, 0});
          }
        });
    EXPECT_EQ(code, 400);
  }
  EXPECT_EQ(
      bench.Code(TurnBench::Client(3), StunMethod::kAllocate,
                 [&](wire::StunMessageWriter& writer) {
                   writer.AddBytes(StunAttribute::kPasswordAlgorithms, std::array<uint8_t, 4>{0, 1, 0, 0});
                   writer.AddBytes(StunAttribute::kPasswordAlgorithm, std::array<uint8_t, 4>{0, 1, 0, 0});
                 }),
      400);
}

TEST(TurnAuthentication, MayForbidMd5) {
  TurnConfig config = TurnBench::Config();
  config.password_algorithms = {PasswordAlgorithm::kSha256};
  TurnBench bench(config);
  EXPECT_EQ(bench.Allocate(kClient), 401);
}

TEST(TurnAuthentication, FindsUsersByHash) {
  TurnConfig config = TurnBench::Config();
  config.shared_secrets.clear();
  TurnBench bench(config);
  EXPECT_EQ(bench.Nonce(kClient).substr(0, 13), "obMatJos2wAAA");  // both features
  std::array<uint8_t, 512> buffer;
  constexpr std::array<uint8_t, 12> kId = {7};
  wire::StunMessageWriter writer(buffer, wire::StunClass::kRequest, StunMethod::kAllocate, kId);
  writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24);
  writer.AddBytes(StunAttribute::kUserhash, bench.crypto.Sha256(AsBytes("lab:lab.example")));
  writer.AddText(StunAttribute::kRealm, "lab.example");
  writer.AddText(StunAttribute::kNonce, bench.Nonce(kClient));
  writer.AddMessageIntegritySha256(bench.crypto.hmac_sha256(), bench.Key());
  bench.Deliver(kClient, writer.Finish());
  bench.Settle();
  EXPECT_FALSE(bench.last_answer().error_code());
  EXPECT_EQ(bench.server().allocation_count(), 1u);
}

TEST(TurnAuthentication, TimeLimitedNames) {
  TurnConfig config = TurnBench::Config();
  config.shared_secrets = {"new-secret", "lab-secret"};
  TurnBench bench(config);
  const int64_t now = bench.time().unix_s;
  struct Row {
    std::string name;
    const char* secret;
    int code;
  };
  const Row rows[] = {{std::to_string(now + 60) + ":alice", "lab-secret", 0},
                      {std::to_string(now + 60), "new-secret", 0},
                      {std::to_string(now + 60) + ":", "lab-secret", 0},
                      {std::to_string(now), "lab-secret", 401},
                      {std::to_string(now - 1) + ":alice", "lab-secret", 401},
                      {std::to_string(now + 60), "other", 401},
                      {"alice", "lab-secret", 401},
                      {"-5:alice", "lab-secret", 401},
                      {"99999999999999999999:x", "lab-secret", 401},
                      {":alice", "lab-secret", 401}};
  int number = 1;
  for (const Row& row : rows) {
    bench.user = row.name;
    bench.password = TimeLimitedPassword(bench, row.secret, row.name);
    EXPECT_EQ(bench.Allocate(TurnBench::Client(number++)), row.code) << row.name;
  }
}

TEST(TurnAuthentication, ATimeLimitedNameStaysGoodForItsOwnAllocation) {
  TurnBench bench;
  bench.user = std::to_string(bench.time().unix_s + 60) + ":alice";
  bench.password = TimeLimitedPassword(bench, "lab-secret", bench.user);
  ASSERT_EQ(bench.Allocate(kClient), 0);
  bench.Pass(seconds(120));
  EXPECT_EQ(bench.Refresh(kClient, 600), 0);
  EXPECT_EQ(bench.Allocate(TurnBench::Client(2)), 401);
  // Renewed for the same user: taken on the old allocation; somebody else's is not.
  bench.user = std::to_string(bench.time().unix_s + 60) + ":alice";
  bench.password = TimeLimitedPassword(bench, "lab-secret", bench.user);
  EXPECT_EQ(bench.Refresh(kClient, 600), 0);
  bench.user = std::to_string(bench.time().unix_s + 60) + ":bob";
  bench.password = TimeLimitedPassword(bench, "lab-secret", bench.user);
  EXPECT_EQ(bench.Refresh(kClient, 600), 441);
}

class TurnOauth : public testing::Test {
 protected:
  static TurnConfig Config() {
    TurnConfig config = TurnBench::Config();
    config.oauth_server_name = "turn.example";
    config.tcp_relay = true;
    config.oauth_keys = {{"north", SecretBytes<32>(std::vector<uint8_t>(32, 0x5a))},
                         {"union", SecretBytes<32>(std::vector<uint8_t>(16, 0x5b))}};
    return config;
  }
  std::vector<uint8_t> Token(int64_t issued, uint32_t lifetime, std::string_view server_name = "turn.example",
                             size_t key = 0) {
    std::vector<uint8_t> plain = {0, 20};
    plain.insert(plain.end(), mac_key_.begin(), mac_key_.end());
    plain.resize(plain.size() + 12);
    StoreBe64(plain.data() + 22, uint64_t(issued) << 16);
    StoreBe32(plain.data() + 30, lifetime);
    const std::vector<uint8_t> nonce(12, 0x11);
    std::vector<uint8_t> token = {0, 12};
    token.insert(token.end(), nonce.begin(), nonce.end());
    const auto sealed =
        bench_.crypto.SealAesGcm(Config().oauth_keys[key].key.view(), nonce, AsBytes(server_name), plain);
    token.insert(token.end(), sealed.begin(), sealed.end());
    return token;
  }
  int AllocateWith(const std::vector<uint8_t>& token, int client = 1) {
    bench_.user = "north";
    bench_.key = mac_key_;
    return bench_.Allocate(TurnBench::Client(client), [&](wire::StunMessageWriter& writer) {
      writer.AddBytes(StunAttribute::kAccessToken, token);
    });
  }
  TurnBench bench_{Config()};
  std::vector<uint8_t> mac_key_ = std::vector<uint8_t>(20, 0x77);
};

TEST_F(TurnOauth, TakesTokensAndEndsWithThem) {
  EXPECT_EQ(AllocateWith(Token(bench_.time().unix_s - 100, 1000)), 0);
  EXPECT_EQ(bench_.last_answer().FindU32(StunAttribute::kLifetime), 600u);
  EXPECT_TRUE(bench_.last_answer().VerifyIntegrity(bench_.crypto.hmac_sha1(), mac_key_));
  EXPECT_EQ(AllocateWith(Token(bench_.time().unix_s - 100, 300), 2), 0);
  EXPECT_EQ(bench_.last_answer().FindU32(StunAttribute::kLifetime), 200u);  // what is left of the token
  EXPECT_EQ(bench_.Refresh(TurnBench::Client(2), 600), 0);  // without the token: its key is known
  EXPECT_EQ(bench_.last_answer().FindU32(StunAttribute::kLifetime), 200u);
}

/// What coturn's client does: a fresh token with each Refresh, of whichever key.
TEST_F(TurnOauth, ARefreshMayShowANewTokenOfAnotherKey) {
  const int64_t now = bench_.time().unix_s;
  ASSERT_EQ(AllocateWith(Token(now, 1000)), 0);
  const std::vector<uint8_t> old_key = mac_key_;
  mac_key_.assign(20, 0x78);
  const auto renewed = Token(now, 1000, "turn.example", 1);
  bench_.user = "union";
  bench_.key = mac_key_;
  EXPECT_EQ(bench_.Refresh(kClient, 600, [&](auto& w) { w.AddBytes(StunAttribute::kAccessToken, renewed); }),
            0);
  EXPECT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 0);  // by the new token's key, without the token
  bench_.user = "north";
  bench_.key = old_key;
  EXPECT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 401);
  // The same key ID and the same end, another key inside.
  mac_key_.assign(20, 0x79);
  const auto again = Token(now, 1000, "turn.example", 1);
  bench_.user = "union";
  bench_.key = mac_key_;
  EXPECT_EQ(bench_.Refresh(kClient, 600, [&](auto& w) { w.AddBytes(StunAttribute::kAccessToken, again); }),
            0);
  EXPECT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 0);
}

/// What coturn's clients do: they know a longer key and use its beginning. All later requests do, too.
TEST_F(TurnOauth, TakesTheFirstSixteenBytesOfATokensKeyAndNoFewer) {
  const auto good = Token(bench_.time().unix_s, 1000);
  const auto allocate = [&](size_t key_bytes, int client) {
    bench_.user = "north";
    bench_.key = std::vector<uint8_t>(mac_key_.begin(), mac_key_.begin() + ptrdiff_t(key_bytes));
    return bench_.Allocate(TurnBench::Client(client), [&](wire::StunMessageWriter& w) {
      w.AddBytes(StunAttribute::kAccessToken, good);
    });
  };
  EXPECT_EQ(allocate(15, 2), 401);
  EXPECT_EQ(allocate(17, 3), 401);
  EXPECT_EQ(allocate(16, 1), 0);
  EXPECT_TRUE(bench_.last_answer().VerifyIntegrity(bench_.crypto.hmac_sha1(), *bench_.key));
  EXPECT_EQ(bench_.Permit(kClient, {"198.51.100.1"}), 0);
}

/// On a connection of its own, and its client shows the token only with Allocate and Refresh.
TEST_F(TurnOauth, ConnectionBindGoesOnWithTheTokenOfItsAllocation) {
  const TurnClient control = TurnBench::Client(1, ClientTransport::kTcp);
  const auto good = Token(bench_.time().unix_s, 1000);
  bench_.user = "north";
  bench_.key = mac_key_;
  ASSERT_EQ(bench_.Code(control, StunMethod::kAllocate,
                        [&](wire::StunMessageWriter& w) {
                          w.AddU32(StunAttribute::kRequestedTransport, 6u << 24);
                          w.AddBytes(StunAttribute::kAccessToken, good);
                        }),
            0);
  bench_.Ask(control, StunMethod::kConnect, [](wire::StunMessageWriter& w) {
    w.AddXorAddress(StunAttribute::kXorPeerAddress, *Endpoint::Parse("198.51.100.1:80"));
  });
  const auto id = std::get<ConnectTcpPeer>(*bench_.server().PollOutput()).connection;
  bench_.server().HandleTcpPeerConnected(bench_.now(), id, Outcome::kDone);
  bench_.Settle();
  const auto bind = [&](int client, uint32_t connection) {
    return bench_.Code(
        TurnBench::Client(client, ClientTransport::kTcp), StunMethod::kConnectionBind,
        [&](wire::StunMessageWriter& w) { w.AddU32(StunAttribute::kConnectionId, connection); });
  };
  EXPECT_EQ(bind(2, id.value() + 1), 401);  // nobody's connection vouches for nothing
  bench_.key = std::vector<uint8_t>(20, 1);
  EXPECT_EQ(bind(3, id.value()), 401);
  bench_.key = mac_key_;
  EXPECT_EQ(bind(4, id.value()), 0);
}

TEST_F(TurnOauth, APasswordIsNoTokenNorATokenAPassword) {
  ASSERT_EQ(AllocateWith(Token(bench_.time().unix_s, 1000)), 0);
  bench_.user = bench_.password = "lab";
  bench_.key.reset();
  EXPECT_EQ(bench_.Refresh(kClient, 600), 441);
}

TEST_F(TurnOauth, RefusesOtherTokens) {
  const int64_t now = bench_.time().unix_s;
  EXPECT_EQ(AllocateWith(Token(now - 1000, 100)), 401);              // over
  EXPECT_EQ(AllocateWith(Token(now + 1000, 100)), 401);              // not begun
  EXPECT_EQ(AllocateWith(Token(now, 100, "other.example")), 401);    // for another server
  EXPECT_EQ(AllocateWith(Token(now, 100, "turn.example", 1)), 401);  // sealed with another key than it says
  const auto good = Token(now, 100);
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_EQ(AllocateWith({good.begin(), good.begin() + ptrdiff_t(length)}), 401) << length;
  for (size_t i = 0; i < good.size(); ++i) {
    auto altered = good;
    altered[i] ^= 1;
    EXPECT_EQ(AllocateWith(altered), 401) << i;
  }
  EXPECT_EQ(bench_.server().known_allocations(), 0u);
}

TEST_F(TurnOauth, SaysWhereTokensComeFrom) {
  bench_.proof = TurnBench::Proof::kNone;
  EXPECT_EQ(bench_.Allocate(kClient), 401);
  EXPECT_EQ(AsText(*bench_.last_answer().Find(StunAttribute::kThirdPartyAuthorization)), "turn.example");
}

}  // namespace
}  // namespace linegate::turn
