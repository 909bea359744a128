#include "dataplane/app/port_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linegate::app {
namespace {

using ::testing::HasSubstr;

settings::Realm MakeRealm(const char* interface, const char* address, uint16_t webrtc_port,
                          std::vector<uint16_t> stun_ports, settings::PortRange rtp_ports) {
  settings::Realm realm;
  realm.interface = interface;
  realm.addresses = {*IpAddress::Parse(address)};
  realm.webrtc_port = webrtc_port;
  realm.stun_ports = std::move(stun_ports);
  realm.rtp_ports = rtp_ports;
  return realm;
}

TEST(Claims, CoverEveryPortOfEveryRealmOnTheInterface) {
  settings::DataplaneSettings settings;
  settings.workers = 3;
  settings.realms = {MakeRealm("eth0", "10.0.0.1", 20000, {3478}, {}),
                     MakeRealm("eth1", "10.0.1.1", 0, {}, {40000, 40999}),
                     MakeRealm("eth0", "fd00::1", 0, {}, {30000, 30001})};
  settings.realms[0].addresses.push_back(*IpAddress::Parse("fd00::2"));
  settings.realms[1].turn_ports = {3478};
  settings.realms[1].relay_ports = {49152, 50175};
  std::string text;
  for (const auto& claim : ClaimsOf(settings, "eth0")) {
    text += Endpoint{claim.address, claim.first}.ToString() + "-" + std::to_string(claim.last) + " ";
  }
  EXPECT_EQ(text,
            "10.0.0.1:20000-20002 10.0.0.1:3478-3478 [fd00::2]:20000-20002 [fd00::2]:3478-3478 "
            "[fd00::1]:30000-30001 ");
  text.clear();
  for (const auto& claim : ClaimsOf(settings, "eth1")) {
    text += Endpoint{claim.address, claim.first}.ToString() + "-" + std::to_string(claim.last) + " ";
  }
  EXPECT_EQ(text, "10.0.1.1:3478-3478 10.0.1.1:40000-40999 10.0.1.1:49152-50175 ");
  EXPECT_TRUE(ClaimsOf(settings, "eth2").empty());
}

TEST(SteeredPorts, BringEveryOwnedPortToItsWorkersQueue) {
  settings::DataplaneSettings settings;
  settings.workers = 2;
  settings.realms = {MakeRealm("eth0", "10.0.0.1", 20000, {3478}, {}),
                     MakeRealm("eth1", "10.0.1.1", 0, {}, {40000, 40005})};
  const auto text = [&](const std::string& interface) {
    std::string lines;
    auto rules =
        drivers::MakeSteeringRules(drivers::NicFamily::kMlx5, SteeredPortsOf(settings, interface), 2);
    for (const auto& rule : *rules) {
      lines += rule.destination.ToString() + ":" + std::to_string(rule.port) + "/" +
               std::to_string(rule.mask) + "->";
      for (uint16_t queue : rule.queues) lines += std::to_string(queue);
      lines += " ";
    }
    return lines;
  };
  EXPECT_EQ(text("eth0"), "10.0.0.1:3478/65535->01 10.0.0.1:20000/65535->0 10.0.0.1:20001/65535->1 ");
  EXPECT_EQ(text("eth1"), "10.0.1.1:40000/65534->0 10.0.1.1:40002/65534->1 10.0.1.1:40004/65534->1 ");
}

TEST(ReceiveQueues, OnePerWorkerOrTheCommandThatMakesItSo) {
  EXPECT_TRUE(CheckReceiveQueues("eth0", 2, 2));
  for (uint32_t queues : {1u, 4u}) {
    const Status status = CheckReceiveQueues("eth0", queues, 2);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message(), HasSubstr("ethtool -L eth0 combined 2"));
  }
}

TEST(NetworkMemory, GrowsWithInterfacesAndWorkers) {
  settings::DataplaneSettings settings;
  settings.realms = {MakeRealm("eth0", "10.0.0.1", 20000, {}, {})};
  const size_t one = NetworkMegabytes(settings);
  EXPECT_GE(one << 20, drivers::DpdkPool::BuffersFor(1) * 2368);
  settings.workers = 4;
  EXPECT_GT(NetworkMegabytes(settings), one);
}

}  // namespace
}  // namespace linegate::app
