#include "dataplane/settings/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace linegate::settings {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A configuration file that goes away with the test.
class File {
 public:
  explicit File(const std::string& text) {
    path_ = ::testing::TempDir() + "settings_test_" + std::to_string(getpid()) + ".toml";
    std::ofstream(path_) << text;
  }
  ~File() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<DataplaneSettings> Load(const std::string& text) { return LoadDataplaneSettings(File(text).path()); }

constexpr char kFull[] = R"([dataplane]
workers = 2
idle = "poll"
flows_per_worker = 1024
hugepages = "off"
runtime_directory = "/run/lg"
xdp_mode = "native"
cores = [1, 3]
[srtp]
engine = "libsrtp2"
[[realm]]
name = "public"
interface = "lgw1"
addresses = ["10.90.1.1", "fd90:1::1"]
advertise = ["203.0.113.5", "2001:db8::5"]
webrtc_port = 20000
stun_ports = [3478, 443]
[[realm]]
name = "private"
interface = "lgs1"
addresses = ["10.90.2.1"]
rtp_ports = [40000, 43999]
[[realm]]
name = "discovery"
interface = "lgw1"
addresses = ["10.90.1.3"]
turn_ports = [3479, 3480]
stun_ports = [5000]
relay_ports = [49152, 53247]
other_realm = "discovery-other"
[[realm]]
name = "discovery-other"
interface = "lgw1"
addresses = ["10.90.1.4"]
stun_ports = [3479, 3480]
[stun]
requests_per_second_per_source = 7
new_clients_per_second = 8
[sip]
anything = "is the control plane's"
)";

TEST(Settings, ReadsEveryKey) {
  auto settings = Load(kFull);
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->workers, 2);
  EXPECT_EQ(settings->idle, IdleMode::kPoll);
  EXPECT_EQ(settings->flows_per_worker, 1024u);
  EXPECT_EQ(settings->hugepages, HugepageMode::kOff);
  EXPECT_EQ(settings->runtime_directory, "/run/lg");
  EXPECT_EQ(settings->xdp_mode, "native");
  EXPECT_THAT(settings->cores, ElementsAre(1, 3));
  EXPECT_EQ(settings->srtp_engine, SrtpEngine::kLibsrtp2);
  ASSERT_EQ(settings->realms.size(), 4u);
  const Realm& realm = settings->realms[0];
  EXPECT_EQ(realm.name, "public");
  EXPECT_EQ(realm.interface, "lgw1");
  EXPECT_THAT(realm.addresses, ElementsAre(*IpAddress::Parse("10.90.1.1"), *IpAddress::Parse("fd90:1::1")));
  EXPECT_THAT(realm.advertise,
              ElementsAre(*IpAddress::Parse("203.0.113.5"), *IpAddress::Parse("2001:db8::5")));
  EXPECT_EQ(realm.webrtc_port, 20000);
  EXPECT_THAT(realm.stun_ports, ElementsAre(3478, 443));
  EXPECT_TRUE(realm.rtp_ports.empty());
  EXPECT_EQ(settings->realms[1].rtp_ports.first, 40000);
  EXPECT_EQ(settings->realms[1].rtp_ports.last, 43999);
  EXPECT_THAT(InterfacesOf(*settings), ElementsAre("lgw1", "lgs1"));
  EXPECT_THAT(settings->realms[2].turn_ports, ElementsAre(3479, 3480));
  EXPECT_THAT(ListenerPortsOf(settings->realms[2]), ElementsAre(3479, 3480, 5000));
  EXPECT_EQ(settings->realms[2].relay_ports.first, 49152);
  EXPECT_EQ(settings->realms[2].relay_ports.last, 53247);
  EXPECT_EQ(settings->realms[2].other_realm, "discovery-other");
  EXPECT_EQ(settings->relays_per_worker, 1024u) << "the default where a realm has relay ports";
  EXPECT_EQ(settings->stun.requests_per_second_per_source, 7u);
  EXPECT_EQ(settings->stun.new_clients_per_second, 8u);
}

TEST(Settings, DefaultsServeWithOneRealm) {
  auto settings = Load("[[realm]]\nname='a'\ninterface='eth0'\naddresses=['192.0.2.1']\nwebrtc_port=20000\n");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->workers, 1);
  EXPECT_EQ(settings->idle, IdleMode::kAdaptive);
  EXPECT_EQ(settings->relays_per_worker, 0u);
  EXPECT_EQ(settings->stun.requests_per_second_per_source, 100u);
  EXPECT_EQ(settings->stun.new_clients_per_second, 2000u);
  EXPECT_EQ(settings->runtime_directory, "/run/linegate");
  EXPECT_EQ(settings->xdp_mode, "generic");
  EXPECT_EQ(settings->srtp_engine, SrtpEngine::kIpsecMb);
}

TEST(Settings, TwoRealmsShareOneInterfaceAndAddressWithDifferentPorts) {
  auto settings = Load(
      "[[realm]]\nname='a'\ninterface='eth0'\naddresses=['192.0.2.1']\nwebrtc_port=20000\n"
      "[[realm]]\nname='b'\ninterface='eth0'\naddresses=['192.0.2.1']\nrtp_ports=[40000,40001]\n");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_THAT(InterfacesOf(*settings), ElementsAre("eth0"));
}

TEST(Settings, HashFollowsMeaningNotLayout) {
  std::string text = kFull;
  const uint64_t hash = Load(text)->hash;
  EXPECT_EQ(Load("# a comment\n" + text)->hash, hash);
  text.replace(text.find("20000"), 5, "20002");
  EXPECT_NE(Load(text)->hash, hash);
}

TEST(Settings, MemifPortIsNamedByItsSocket) {
  std::string text = kFull;
  text.replace(text.find("lgw1"), 4, "memif:/run/linegate/public.sock");
  const auto settings = Load(text);
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(MemifPathOf(settings->realms[0].interface), "/run/linegate/public.sock");
  EXPECT_EQ(MemifPathOf(settings->realms[1].interface), "");
}

std::string TwoRealmsOn(const std::string& interface, const std::string& first, const std::string& second) {
  return "[[realm]]\nname='a'\ninterface='" + interface + "'\naddresses=['192.0.2.1']\nwebrtc_port=20000\n" +
         first + "\n[[realm]]\nname='b'\ninterface='" + interface +
         "'\naddresses=['192.0.2.2']\nwebrtc_port=20000\n" + second + "\n";
}

TEST(Settings, VlanIsOneForAllRealmsOfAMemifPort) {
  const std::string memif = "memif:/run/a";
  const auto tagged = Load(TwoRealmsOn(memif, "vlan=100", "vlan=100"));
  ASSERT_TRUE(tagged) << tagged.error().message();
  EXPECT_EQ(tagged->realms[1].vlan, 100);
  EXPECT_EQ(VlanOf(*tagged, memif), 100);
  EXPECT_EQ(VlanOf(*tagged, "lgw1"), 0);
  const auto plain = Load(TwoRealmsOn(memif, "", ""));
  ASSERT_TRUE(plain);
  EXPECT_EQ(VlanOf(*plain, memif), 0);
  EXPECT_NE(plain->hash, tagged->hash);
  const struct {
    std::string text;
    const char* says;
  } faults[] = {
      {TwoRealmsOn(memif, "vlan=100", "vlan=101"), ":12: [[realm]] 'b' vlan: must be the same"},
      {TwoRealmsOn(memif, "vlan=100", ""), "[[realm]] 'b' vlan: must be the same"},
      {TwoRealmsOn(memif, "vlan=0", ""), ":6: [[realm]] 'a' vlan: must be a whole number from 1 to 4094"},
      {TwoRealmsOn(memif, "vlan=4095", ""), "from 1 to 4094"},
      {TwoRealmsOn("eth0", "vlan=100", "vlan=100"), "name the VLAN device"},
  };
  for (const auto& fault : faults) {
    const auto settings = Load(fault.text);
    ASSERT_FALSE(settings) << fault.text;
    EXPECT_THAT(settings.error().message(), HasSubstr(fault.says));
  }
}

TEST(Settings, UnreadableFileIsNamed) {
  auto settings = LoadDataplaneSettings("/nonexistent/linegate.toml");
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message(), HasSubstr("/nonexistent/linegate.toml"));
}

struct Fault {
  const char* description;
  const char* find;     ///< in kFull
  const char* replace;  ///< with
  int line;
  const char* key;
  const char* says;
};

const Fault kFaults[] = {
    {"SyntaxError", "workers = 2", "workers = = 2", 2, "", ""},
    {"UnknownKey", "workers = 2", "wokers = 2", 2, "[dataplane] wokers", "unknown key"},
    {"UnknownKeyInRealm", "webrtc_port", "webrtc_prot", 16, "[[realm]] 'public' webrtc_prot", "unknown key"},
    {"WrongType", "workers = 2", "workers = \"2\"", 2, "[dataplane] workers", "whole number from 1 to 64"},
    {"OutOfRange", "workers = 2", "workers = 0", 2, "[dataplane] workers", "from 1 to 64"},
    {"NoPowerOfTwo", "= 1024", "= 1000", 4, "[dataplane] flows_per_worker", "power of two"},
    {"UnknownChoice", "\"poll\"", "\"busy\"", 3, "[dataplane] idle", "one of \"poll\", \"adaptive\""},
    {"RelativeDirectory", "\"/run/lg\"", "\"run/lg\"", 6, "[dataplane] runtime_directory", "absolute"},
    {"CoresPerWorker", "[1, 3]", "[1]", 8, "[dataplane] cores", "one core per worker"},
    {"CoreTwice", "[1, 3]", "[1, 1]", 8, "[dataplane] cores", "twice"},
    {"UnknownEngine", "libsrtp2", "openssl", 10, "[srtp] engine", "one of"},
    {"RealmName", "\"public\"", "\"Public!\"", 12, "[[realm]] name", "a-z"},
    {"DuplicateRealm", "\"private\"", "\"public\"", 19, "[[realm]] 'public' name", "another realm"},
    {"InterfaceName", "\"lgw1\"", "\"much-too-long-name\"", 13, "[[realm]] 'public' interface",
     "network interface"},
    {"MemifPathNotAbsolute", "\"lgw1\"", "\"memif:socket\"", 13, "[[realm]] 'public' interface", "memif:"},
    {"MemifPathForDpdk", "\"lgw1\"", "\"memif:/run/a,b\"", 13, "[[realm]] 'public' interface", "memif:"},
    {"BadAddress", "10.90.1.1", "10.90.1.256", 14, "[[realm]] 'public' addresses", "'10.90.1.256'"},
    {"MulticastAddress", "10.90.1.1", "239.1.1.1", 14, "[[realm]] 'public' addresses", "'239.1.1.1'"},
    {"TwoOfOneFamily", "fd90:1::1", "10.90.1.2", 14, "[[realm]] 'public' addresses", "one of each family"},
    {"AdvertiseShape", "\"203.0.113.5\", ", "", 15, "[[realm]] 'public' advertise", "match"},
    {"PortPastTheEnd", "= 20000", "= 65535", 16, "[[realm]] 'public' webrtc_port", "every worker"},
    {"StunPortRange", "[3478, 443]", "[3478, 65536]", 17, "[[realm]] 'public' stun_ports", "from 1 to 65535"},
    {"WorkersPortOverlap", "[3478, 443]", "[20001]", 17, "[[realm]] 'public' stun_ports",
     "overlaps on 10.90.1.1 with [[realm]] 'public' webrtc_port of line 16"},
    {"SamePortTwice", "[3478, 443]", "[443, 443]", 17, "[[realm]] 'public' stun_ports", "overlaps"},
    {"OddRtpStart", "[40000, 43999]", "[40001, 43999]", 22, "[[realm]] 'private' rtp_ports", "even first"},
    {"RtpTooSmallForWorkers", "[40000, 43999]", "[40000, 40001]", 22, "[[realm]] 'private' rtp_ports",
     "every worker"},
    {"RtpNotAPair", "[40000, 43999]", "[40000]", 22, "[[realm]] 'private' rtp_ports", "[first, last]"},
    {"OverlapAcrossRealms", "10.90.2.1\"]\nrtp_ports = [40000", "10.90.1.1\"]\nrtp_ports = [20000", 22,
     "[[realm]] 'private' rtp_ports", "with [[realm]] 'public' webrtc_port"},
    {"RelaysNoPowerOfTwo", "workers = 2", "relays_per_worker = 100", 2, "[dataplane] relays_per_worker",
     "power of two"},
    {"OddRelayStart", "[49152, 53247]", "[49153, 53247]", 29, "[[realm]] 'discovery' relay_ports",
     "even first"},
    {"RelayOverlap", "[49152, 53247]", "[3480, 3483]", 29, "[[realm]] 'discovery' relay_ports",
     "overlaps on 10.90.1.3 with [[realm]] 'discovery' turn_ports of line 27"},
    {"TurnIsStun", "[3479, 3480]\nstun_ports = [5000]", "[3479, 5000]\nstun_ports = [5000]", 27,
     "[[realm]] 'discovery' turn_ports", "overlaps"},
    {"TurnPortRange", "turn_ports = [3479, 3480]", "turn_ports = [0]", 27, "[[realm]] 'discovery' turn_ports",
     "from 1 to 65535"},
    {"NoOtherRealm", "\"discovery-other\"\n[[", "\"nobody\"\n[[", 30, "[[realm]] 'discovery' other_realm",
     "'nobody'"},
    {"OtherRealmElsewhere", "\"discovery-other\"\n[[", "\"private\"\n[[", 30,
     "[[realm]] 'discovery' other_realm", "same interface"},
    {"OtherRealmItself", "\"discovery-other\"\n[[", "\"discovery\"\n[[", 30,
     "[[realm]] 'discovery' other_realm", "other addresses"},
    {"OtherRealmPorts", "\"10.90.1.4\"]\nstun_ports = [3479, 3480]", "\"10.90.1.4\"]\nstun_ports = [3479]",
     30, "[[realm]] 'discovery' other_realm", "the same two"},
    {"StunRate", "= 7", "= -1", 37, "[stun] requests_per_second_per_source", "from 0"},
    {"UnknownStunKey", "new_clients_per_second", "new_clients", 38, "[stun] new_clients", "unknown key"},
};

class SettingsFault : public ::testing::TestWithParam<Fault> {};

TEST_P(SettingsFault, NamesFileLineAndKey) {
  const Fault& fault = GetParam();
  std::string text = kFull;
  const size_t at = text.find(fault.find);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(fault.find).size(), fault.replace);
  const File file(text);
  auto settings = LoadDataplaneSettings(file.path());
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message(), StartsWith(file.path() + ":" + std::to_string(fault.line) + ": "));
  EXPECT_THAT(settings.error().message(), HasSubstr(fault.key));
  EXPECT_THAT(settings.error().message(), HasSubstr(fault.says));
}

INSTANTIATE_TEST_SUITE_P(Table, SettingsFault, ::testing::ValuesIn(kFaults),
                         [](const auto& instance) { return instance.param.description; });

TEST(RtpShare, SplitsPairsEvenlyAndGivesTheRestToTheLastWorker) {
  const PortRange range{40000, 40013};  // 7 pairs
  EXPECT_EQ(RtpShareOf(range, 0, 3).first, 40000);
  EXPECT_EQ(RtpShareOf(range, 0, 3).last, 40003);
  EXPECT_EQ(RtpShareOf(range, 1, 3).first, 40004);
  EXPECT_EQ(RtpShareOf(range, 2, 3).first, 40008);
  EXPECT_EQ(RtpShareOf(range, 2, 3).last, 40013);
  EXPECT_TRUE(RtpShareOf({}, 0, 3).empty());
}

TEST(Settings, FileWithoutRealmIsRefused) {
  auto settings = Load("[dataplane]\nworkers = 1\n");
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message(), HasSubstr("[[realm]]"));
}

TEST(Settings, RealmWithoutAddressesNamesItsFirstLine) {
  auto settings = Load("\n[[realm]]\nname='a'\ninterface='eth0'\n");
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message(), HasSubstr(":2: [[realm]] 'a' addresses"));
}

}  // namespace
}  // namespace linegate::settings
