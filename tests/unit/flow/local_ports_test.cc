#include "dataplane/flow/local_ports.h"

#include <gtest/gtest.h>

#include "tests/support/dataplane_bench.h"

namespace linegate::flow {
namespace {

using test::At;

settings::DataplaneSettings TwoRealms(uint16_t workers) {
  settings::DataplaneSettings settings;
  settings.workers = workers;
  settings::Realm outside;
  outside.interface = "eth1";
  outside.addresses = {*IpAddress::Parse("10.0.0.1"), *IpAddress::Parse("fd00::1")};
  outside.advertise = {*IpAddress::Parse("192.0.2.1")};
  outside.webrtc_port = 20000;
  outside.stun_ports = {3478};
  outside.turn_ports = {443};
  outside.relay_ports = {49152, 49163};
  settings::Realm inside;
  inside.interface = "eth2";
  inside.addresses = {*IpAddress::Parse("10.1.0.1")};
  inside.rtp_ports = {40001, 40022};
  settings.realms = {outside, inside};
  return settings;
}

TEST(LocalPorts, NameKindOwnerAndInterface) {
  const LocalPorts ports(TwoRealms(3));
  struct Row {
    const char* endpoint;
    bool found;
    LocalPortKind kind;
    uint16_t owner;
    uint16_t port_id;
  };
  const Row rows[] = {
      {"10.0.0.1:3478", true, LocalPortKind::kStunListener, 0, 0},
      {"[fd00::1]:443", true, LocalPortKind::kTurnListener, 0, 0},
      {"10.1.0.1:443", false, {}, 0, 0},
      {"10.0.0.1:49152", true, LocalPortKind::kRelay, 0, 0},
      {"10.0.0.1:49155", true, LocalPortKind::kRelay, 0, 0},
      {"[fd00::1]:49156", true, LocalPortKind::kRelay, 1, 0},
      {"10.0.0.1:49163", true, LocalPortKind::kRelay, 2, 0},
      {"10.0.0.1:49164", false, {}, 0, 0},
      {"10.0.0.1:20000", true, LocalPortKind::kWebRtc, 0, 0},
      {"[fd00::1]:20002", true, LocalPortKind::kWebRtc, 2, 0},
      {"10.0.0.1:20003", false, {}, 0, 0},
      {"10.0.0.1:40002", false, {}, 0, 0},
      {"10.1.0.1:20000", false, {}, 0, 0},
      // 40001 is odd: 40002 is the first pair. 10 pairs: 3 each, the rest with the last worker.
      {"10.1.0.1:40001", false, {}, 0, 0},
      {"10.1.0.1:40002", true, LocalPortKind::kRtp, 0, 1},
      {"10.1.0.1:40007", true, LocalPortKind::kRtp, 0, 1},
      {"10.1.0.1:40008", true, LocalPortKind::kRtp, 1, 1},
      {"10.1.0.1:40014", true, LocalPortKind::kRtp, 2, 1},
      {"10.1.0.1:40021", true, LocalPortKind::kRtp, 2, 1},
      {"10.1.0.1:40023", false, {}, 0, 0},
      {"10.9.9.9:3478", false, {}, 0, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.endpoint);
    LocalPort port;
    ASSERT_EQ(ports.Find(At(row.endpoint), port), row.found);
    if (!row.found) continue;
    EXPECT_EQ(port.kind, row.kind);
    EXPECT_EQ(port.owner, row.owner);
    EXPECT_EQ(port.port_id, row.port_id);
  }
}

TEST(LocalPorts, AgreesWithTheShareThatTheControlPlaneComputes) {
  for (uint16_t workers = 1; workers <= 7; ++workers) {
    const settings::DataplaneSettings settings = TwoRealms(workers);
    const LocalPorts ports(settings);
    size_t shared = 0;
    for (uint16_t worker = 0; worker < workers; ++worker) {
      const settings::PortRange share = settings::RtpShareOf(settings.realms[1].rtp_ports, worker, workers);
      for (uint32_t port = share.first; !share.empty() && port <= share.last; ++port, ++shared) {
        LocalPort found;
        ASSERT_TRUE(ports.Find({settings.realms[1].addresses[0], uint16_t(port)}, found));
        EXPECT_EQ(found.owner, worker) << port << " of " << workers;
      }
    }
    EXPECT_EQ(shared, 20u);
  }
}

TEST(LocalPorts, KnowTheOtherAddressOfAListener) {
  settings::DataplaneSettings settings = TwoRealms(1);
  settings::Realm other = settings.realms[0];
  settings.realms[0].name = "a";
  settings.realms[0].other_realm = "b";
  other.name = "b";
  other.addresses = {*IpAddress::Parse("10.0.0.2")};
  other.advertise = {*IpAddress::Parse("192.0.2.2")};
  settings.realms.push_back(other);
  const LocalPorts ports(settings);
  LocalPort port;
  ASSERT_TRUE(ports.Find(At("10.0.0.1:443"), port));
  ASSERT_NE(port.discovery, nullptr);
  EXPECT_EQ(port.discovery->advertised, *IpAddress::Parse("192.0.2.1"));
  EXPECT_EQ(port.discovery->other_address, *IpAddress::Parse("10.0.0.2"));
  EXPECT_EQ(port.discovery->other_advertised, *IpAddress::Parse("192.0.2.2"));
  EXPECT_EQ(port.discovery->other_port, 3478);
  ASSERT_TRUE(ports.Find(At("10.0.0.1:3478"), port));
  ASSERT_NE(port.discovery, nullptr);
  EXPECT_EQ(port.discovery->other_port, 443);
  ASSERT_TRUE(ports.Find(At("[fd00::1]:443"), port));
  EXPECT_EQ(port.discovery, nullptr) << "the other realm has no IPv6 address";
  ASSERT_TRUE(ports.Find(At("10.0.0.2:443"), port));
  EXPECT_EQ(port.discovery, nullptr) << "it names none itself";
}

TEST(LocalPorts, TranslatesAnAdvertisedAddress) {
  const LocalPorts ports(TwoRealms(1));
  EXPECT_EQ(ports.Unadvertised(*IpAddress::Parse("192.0.2.1")), *IpAddress::Parse("10.0.0.1"));
  EXPECT_EQ(ports.Unadvertised(*IpAddress::Parse("192.0.2.2")), *IpAddress::Parse("192.0.2.2"));
  EXPECT_TRUE(ports.IsOurAddress(*IpAddress::Parse("fd00::1")));
  EXPECT_FALSE(ports.IsOurAddress(*IpAddress::Parse("192.0.2.1")));
}

}  // namespace
}  // namespace linegate::flow
