#include "controlplane/ops/config.h"

#include <gmock/gmock.h>

#include "tests/support/temporary_folder.h"
#include "tests/support/test_certificate.h"

namespace linegate::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const auto kNow = std::chrono::system_clock::from_time_t(1'800'000'000);

// Line numbers matter: tests below name them.
constexpr std::string_view kGood = R"([[realm]]
name = "public"
interface = "lgw1"
addresses = ["10.90.1.1", "fd90:1::1"]
webrtc_port = 20000
stun_ports = [3478]
[[realm]]
name = "private"
interface = "lgs1"
addresses = ["10.90.2.1", "fd90:2::1"]
rtp_ports = [40000, 43999]
[web]
listen = ["10.90.1.1:443", "[fd90:1::1]:443"]
certificate = "cert.pem"
private_key = "key.pem"
root = "web"
realm = "public"
allowed_origins = []
[sip]
listen = ["10.90.2.1:5060"]
server = "10.90.2.2:5060"
allowed_sources = []
realm = "private"
[[domain]]
name = "lab.example"
mode = "local"
users = [ { name = "1001", password = "1001" }, { name = "1002", password = "1002" } ]
test_numbers = true
[[domain]]
name = "Relayed.example"
mode = "relay"
[registration]
min_expires_s = 60
max_expires_s = 3600
[state]
directory = "/var/lib/linegate"
[admin]
socket = "/run/linegate/control.sock"
[log]
level = "info"
)";

/// `text` with the first `from` replaced.
std::string With(std::string_view from, std::string_view to, std::string text = std::string(kGood)) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    WriteCertificate("IP:10.90.1.1,IP:fd90:1::1", 365);
    folder_.Write("web/index.html", "page");
  }
  void WriteCertificate(const std::string& names, int64_t days_left) {
    const int64_t now = std::chrono::system_clock::to_time_t(kNow);
    const auto made = test::MakeTestCertificate({.subject_alternative_names = names,
                                                 .not_before_unix_s = now - 86400,
                                                 .not_after_unix_s = now + days_left * 86400});
    folder_.Write("cert.pem", made.certificate_pem);
    folder_.Write("key.pem", made.private_key_pem);
  }
  Result<Config> Load(std::string_view text) {
    return LoadConfig(folder_.Write("linegate.toml", text), kNow);
  }

  test::TemporaryFolder folder_;
};

TEST_F(ConfigTest, ReadsEveryKey) {
  const auto config = Load(kGood);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_THAT(config->web.listen,
              ElementsAre(*Endpoint::Parse("10.90.1.1:443"), *Endpoint::Parse("[fd90:1::1]:443")));
  EXPECT_EQ(config->web.certificate, (folder_.path() / "cert.pem").string());
  EXPECT_EQ(config->web.root, (folder_.path() / "web").string());
  EXPECT_EQ(config->realm(config->web.realm).webrtc_port, 20000);
  ASSERT_TRUE(config->sip);
  EXPECT_EQ(config->sip->server, *Endpoint::Parse("10.90.2.2:5060"));
  EXPECT_EQ(config->sip->realm, "private");
  ASSERT_EQ(config->domains.size(), 2u);
  EXPECT_EQ(config->domains[0].mode, DomainMode::kLocal);
  EXPECT_EQ(config->domains[0].users.at(1).name, "1002");
  EXPECT_EQ(config->domains[0].users.at(1).password.reveal(), "1002");
  EXPECT_EQ(config->domains[0].test_numbers, TestNumbers::kOn);
  EXPECT_EQ(config->domains[1].name, "relayed.example");
  EXPECT_EQ(config->domains[1].mode, DomainMode::kRelay);
  EXPECT_EQ(config->registration.max_expires.count(), 3600);
  EXPECT_EQ(config->state_directory, "/var/lib/linegate");
  EXPECT_EQ(config->admin_socket, "/run/linegate/control.sock");
  EXPECT_EQ(config->log_level, LogLevel::kInfo);
}

TEST_F(ConfigTest, ReadsTheSrtpOfTheSipSide) {
  const auto off = Load(kGood);
  ASSERT_TRUE(off) << off.error().message();
  EXPECT_EQ(off->sip->srtp, SrtpUse::kOff);
  EXPECT_THAT(off->sip->srtp_suites,
              ElementsAre("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_32"));
  EXPECT_EQ(off->sip->srtp_mki_bytes, 0);
  const std::string srtp =
      "realm = \"private\"\nsrtp = \"required\"\nsrtp_mki_bytes = 4\n"
      "srtp_suites = [\"AES_192_CM_HMAC_SHA1_80\", \"AES_CM_128_HMAC_SHA1_80\"]";
  const auto required = Load(With("realm = \"private\"", srtp));
  ASSERT_TRUE(required) << required.error().message();
  EXPECT_EQ(required->sip->srtp, SrtpUse::kRequired);
  EXPECT_THAT(required->sip->srtp_suites, ElementsAre("AES_192_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"));
  EXPECT_EQ(required->sip->srtp_mki_bytes, 4);
  EXPECT_THAT(required->warnings, ElementsAre(HasSubstr("whoever reads the signalling can read the media")));
  const auto other_engine =
      Load(With("realm = \"private\"", srtp, std::string(kGood) + "[srtp]\nengine = \"libsrtp2\"\n"));
  ASSERT_FALSE(other_engine);
  EXPECT_THAT(other_engine.error().message(),
              HasSubstr("'AES_192_CM_HMAC_SHA1_80' is not served by [srtp] engine"));
}

TEST_F(ConfigTest, OptionalSectionsHaveDefaults) {
  std::string text(kGood);
  text = text.substr(0, text.find("[sip]")) + "[[domain]]\nname = \"a.example\"\nmode = \"local\"\n";
  const auto config = Load(text);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_FALSE(config->sip);
  EXPECT_EQ(config->registration.min_expires.count(), 60);
  EXPECT_EQ(config->domains[0].test_numbers, TestNumbers::kOff);
}

struct BadFile {
  std::string_view from;
  std::string_view to;
  std::string_view where;  ///< line and key
  std::string_view what;
};

TEST_F(ConfigTest, ErrorsNameFileLineAndKey) {
  const BadFile rows[] = {
      {"[log]\nlevel", "[log]\nlevle", ":40: [log] levle: ", "unknown key"},
      {"[log]", "[logs]", ":39: [logs]: ", "unknown key"},
      {"realm = \"public\"", "realm = \"pubic\"", ":17: [web] realm: ", "no [[realm]] has the name 'pubic'"},
      {"realm = \"public\"", "realm = \"private\"", ":17: [web] realm: ", "has no webrtc_port"},
      {"realm = \"private\"", "realm = \"public\"", ":23: [sip] realm: ", "has no rtp_ports"},
      {"\"10.90.1.1:443\"", "\"10.90.1.1\"", ":13: [web] listen: ", "'10.90.1.1' is no address with port"},
      {"\"10.90.1.1:443\"", "\"gateway:443\"",
       ":13: [web] listen: ", "'gateway:443' is no address with port"},
      {"\"10.90.1.1:443\"", "\"[fd90:1::1]:443\"",
       ":13: [web] listen: ", "listened on already ([web] listen)"},
      {"\"10.90.2.1:5060\"", "\"10.90.1.1:443\"",
       ":20: [sip] listen: ", "listened on already ([web] listen)"},
      {"\"10.90.2.1:5060\"", "\"10.90.2.1:41000\"",
       ":20: [sip] listen: ", "overlaps with rtp_ports of [[realm]] 'private'"},
      {"\"10.90.2.1:5060\"", "\"10.90.1.1:20000\"", ":20: [sip] listen: ", "overlaps with webrtc_port"},
      {"\"10.90.2.1:5060\"", "\"10.90.1.1:3478\"", ":20: [sip] listen: ", "overlaps with stun_ports"},
      {"\"10.90.2.1:5060\"", "\"0.0.0.0:5060\"", ":20: [sip] listen: ", "must be one address"},
      {"\"10.90.2.1:5060\"", "\"[fd90:2::1]:5060\"",
       ":20: [sip] listen: ", "no address of the server's family"},
      {"\"10.90.2.2:5060\"", "\"pbx.example:5060\"", ":21: [sip] server: ", "not a name"},
      {"allowed_sources = []", "allowed_sources = [\"10.90.2.0/24\"]",
       ":22: [sip] allowed_sources: ", "no IPv4 or IPv6"},
      {"realm = \"private\"", "realm = \"private\"\nsrtp = \"on\"",
       ":24: [sip] srtp: ", "one of \"off\", \"optional\", \"required\""},
      {"realm = \"private\"", "realm = \"private\"\nsrtp_suites = [\"F8_128_HMAC_SHA1_80\"]",
       ":24: [sip] srtp_suites: ", "no suite that is served"},
      {"realm = \"private\"",
       "realm = \"private\"\nsrtp_suites = [\"AEAD_AES_128_GCM\", \"AEAD_AES_128_GCM\"]",
       ":24: [sip] srtp_suites: ", "given twice"},
      {"realm = \"private\"", "realm = \"private\"\nsrtp_suites = []",
       ":24: [sip] srtp_suites: ", "at least one"},
      {"realm = \"private\"", "realm = \"private\"\nsrtp_mki_bytes = 9", ":24: [sip] srtp_mki_bytes: ", "8"},
      {"allowed_origins = []", "allowed_origins = [\"https://a.example/\"]",
       ":18: [web] allowed_origins: ", "no origin"},
      {"allowed_origins = []", "allowed_origins = \"any\"",
       ":18: [web] allowed_origins: ", "list of strings"},
      {"root = \"web\"", "root = \"absent\"", ":16: [web] root: ", "not a folder"},
      {"certificate = \"cert.pem\"", "certificate = \"absent.pem\"",
       ":14: [web] certificate: ", "No such file"},
      {"private_key = \"key.pem\"", "private_key = \"cert.pem\"",
       ":15: [web] private_key: ", "no private key"},
      {"private_key = \"key.pem\"", "private_key = 7", ":15: [web] private_key: ", "must be a string"},
      {"\"Relayed.example\"", "\"LAB.example\"",
       ":30: [[domain]] 'lab.example' name: ", "both local and relayed (see line 25)"},
      {"name = \"Relayed.example\"\nmode = \"relay\"", "name = \"lab.example\"\nmode = \"local\"",
       ":30: [[domain]] 'lab.example' name: ", "given already in line 25"},
      {"\"Relayed.example\"", "\"relayed example\"", ":30: [[domain]] name: ", "must be a domain name"},
      {"mode = \"relay\"", "mode = \"remote\"",
       ":31: [[domain]] 'relayed.example' mode: ", "one of \"local\", \"relay\""},
      {"mode = \"relay\"", "", "[[domain]] 'relayed.example' mode: ", "must be \"local\" or \"relay\""},
      {"mode = \"relay\"", "mode = \"relay\"\ntest_numbers = true",
       ":32: [[domain]] 'relayed.example' test_numbers: ", "local"},
      {"mode = \"relay\"", "mode = \"relay\"\nusers = []",
       ":32: [[domain]] 'relayed.example' users: ", "SIP Server knows"},
      {"test_numbers = true", "test_numbers = \"yes\"",
       ":28: [[domain]] 'lab.example' test_numbers: ", "true or false"},
      {"\"1002\", password = \"1002\"", "\"1001\", password = \"x\"",
       ":27: [[domain]] 'lab.example' users name: ", "given twice"},
      {"\"1002\", password = \"1002\"", "\"1002\", password = \"\"",
       ":27: [[domain]] 'lab.example' users password: ", "empty"},
      {"\"1002\", password", "\"echo\", password",
       ":27: [[domain]] 'lab.example' users name: ", "test number"},
      {"\"1002\", password", "\"a b\", password",
       ":27: [[domain]] 'lab.example' users name: ", "letters, digits"},
      {"password = \"1002\"", "pasword = \"1002\"",
       ":27: [[domain]] 'lab.example' users pasword: ", "unknown key"},
      {"min_expires_s = 60", "min_expires_s = 7200",
       ":33: [registration] min_expires_s: ", "larger than max_expires_s"},
      {"min_expires_s = 60", "min_expires_s = 0",
       ":33: [registration] min_expires_s: ", "whole number from 1"},
      {"level = \"info\"", "level = \"loud\"", ":40: [log] level: ", "must be one of"},
      {"socket = \"/run/linegate/control.sock\"", "socket = \"\"",
       ":38: [admin] socket: ", "must be the path"},
      {"webrtc_port = 20000", "webrtc_port = 3478", ": [[realm]] 'public' stun_ports: ", "overlaps"},
  };
  for (const BadFile& row : rows) {
    const auto config = Load(With(row.from, row.to));
    ASSERT_FALSE(config) << row.to;
    EXPECT_THAT(config.error().message(), StartsWith((folder_.path() / "linegate.toml").string() + ":"));
    EXPECT_THAT(config.error().message(), HasSubstr(row.where));
    EXPECT_THAT(config.error().message(), HasSubstr(row.what));
  }
}

TEST_F(ConfigTest, RelayedDomainNeedsTheSipSection) {
  std::string text(kGood);
  const size_t from = text.find("[sip]"), to = text.find("[[domain]]");
  const auto config = Load(text.erase(from, to - from));
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message(),
              HasSubstr(":26: [[domain]] 'relayed.example' mode: \"relay\" needs a [sip] section"));
}

TEST_F(ConfigTest, WebAndDomainSectionsAreNeeded) {
  std::string text(kGood);
  EXPECT_THAT(Load(text.substr(0, text.find("[web]"))).error().message(),
              HasSubstr("[web]: the file needs this section"));
  EXPECT_THAT(Load(text.substr(0, text.find("[[domain]]"))).error().message(),
              HasSubstr("[domain]: the file needs 1 to"));
}

TEST_F(ConfigTest, MismatchedKeyNamesTheKey) {
  folder_.Write("key.pem", test::MakeTestCertificate().private_key_pem);
  EXPECT_THAT(Load(kGood).error().message(), HasSubstr(":15: [web] private_key: "));
}

TEST_F(ConfigTest, ExpiredCertificateIsAnErrorSoonToExpireAWarning) {
  WriteCertificate("IP:10.90.1.1,IP:fd90:1::1", 0);
  EXPECT_THAT(Load(kGood).error().message(), HasSubstr(":14: [web] certificate: "));
  WriteCertificate("IP:10.90.1.1,IP:fd90:1::1", 13);
  const auto config = Load(kGood);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_THAT(config->warnings[0], HasSubstr("linegate.toml:14: [web] certificate: "));
  EXPECT_THAT(config->warnings[0], HasSubstr("expires on"));
}

TEST_F(ConfigTest, CertificateShouldNameTheAdvertisedAddress) {
  const auto warnings =
      Load(With("webrtc_port", "advertise = [\"203.0.113.5\", \"2001:db8::5\"]\nwebrtc_port"))->warnings;
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_THAT(warnings[0], HasSubstr("https://203.0.113.5:443"));
}

TEST_F(ConfigTest, MissingOrBrokenFileIsNamed) {
  EXPECT_THAT(LoadConfig("/nonexistent/linegate.toml", kNow).error().message(),
              HasSubstr("/nonexistent/linegate.toml"));
  EXPECT_THAT(Load("[web\n").error().message(), HasSubstr("linegate.toml:1"));
}

TEST_F(ConfigTest, EveryTruncationIsSurvived) {
  for (size_t length = 0; length < kGood.size(); length += 3) {
    const auto config = Load(kGood.substr(0, length));
    if (!config) {
      EXPECT_THAT(config.error().message(), HasSubstr("linegate.toml"));
    }
  }
}

}  // namespace
}  // namespace linegate::ops
