#include "dataplane/settings/receive_steering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linegate::settings {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Microsoft's "Verifying the RSS Hash Calculation": the key and all of its vectors.
const std::vector<uint8_t> kKey = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                   0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                   0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                   0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct Vector {
  const char* destination;
  const char* source;
  uint32_t addresses;            ///< hash over the addresses alone
  uint32_t addresses_and_ports;  ///< and over the ports
};
constexpr Vector kVectors[] = {
    {"161.142.100.80:1766", "66.9.149.187:2794", 0x323e8fc2, 0x51ccc178},
    {"65.69.140.83:4739", "199.92.111.2:14230", 0xd718262a, 0xc626b0ea},
    {"12.22.207.184:38024", "24.19.198.95:12898", 0xd2d0a5de, 0x5c2b394a},
    {"209.142.163.6:2217", "38.27.205.30:48228", 0x82989176, 0xafc7327f},
    {"202.188.127.2:1303", "153.39.163.191:44251", 0x5d1809c5, 0x10e828a2},
    {"[3ffe:2501:200:3::1]:1766", "[3ffe:2501:200:1fff::7]:2794", 0x2cc18cd5, 0x40207d3d},
    {"[ff02::1]:4739", "[3ffe:501:8::260:97ff:fe40:efab]:14230", 0x0f0c461c, 0xdde51bbf},
    {"[fe80::200:f8ff:fe21:67cf]:38024", "[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", 0x4b61e985,
     0x02d1feef},
};

Endpoint At(const char* text) { return *Endpoint::Parse(text); }

ReceiveSteering Spread(size_t entries, uint16_t queues) {
  ReceiveSteering steering;
  steering.key = kKey;
  for (size_t i = 0; i < entries; ++i) steering.reta.push_back(uint16_t(i % queues));
  return steering;
}

/// As cards do with RTE_ETH_RSS_L4_DST_ONLY.
ReceiveSteering ByDestinationPort(size_t entries, uint16_t queues) {
  ReceiveSteering steering = Spread(entries, queues);
  steering.fields = {false, false, false, true};
  return steering;
}

TEST(ReceiveSteering, HashesThePublishedVectors) {
  const ReceiveSteering with_ports = Spread(128, 4);
  ReceiveSteering addresses = with_ports;
  addresses.fields = {true, true, false, false};
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(addresses.HashOf(At(vector.source), At(vector.destination)), vector.addresses) << vector.source;
    EXPECT_EQ(with_ports.HashOf(At(vector.source), At(vector.destination)), vector.addresses_and_ports)
        << vector.source;
  }
}

TEST(ReceiveSteering, TakesTheLowBitsIntoTheTable) {
  ReceiveSteering steering = Spread(128, 128);
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(steering.QueueOf(At(vector.source), At(vector.destination)), vector.addresses_and_ports & 127);
  }
  steering.reta = {3, 1};
  EXPECT_EQ(steering.QueueOf(At("66.9.149.187:2794"), At("161.142.100.80:1766")), 3);
  EXPECT_EQ(steering.QueueOf(At("38.27.205.30:48228"), At("209.142.163.6:2217")), 1);
}

TEST(ReceiveSteering, AbsentFieldsMakeWayOrHoldTheirPlace) {
  ReceiveSteering steering = ByDestinationPort(128, 4);
  const Endpoint source = At("66.9.149.187:2794"), destination = At("161.142.100.80:1766");
  const std::vector<uint8_t> port = {0x06, 0xe6};
  EXPECT_EQ(steering.HashOf(source, destination), ToeplitzHash(kKey, port));
  steering.absent = ReceiveSteering::Absent::kZero;
  const std::vector<uint8_t> in_its_place = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x06, 0xe6};
  EXPECT_EQ(steering.HashOf(source, destination), ToeplitzHash(kKey, in_its_place));
  EXPECT_NE(ToeplitzHash(kKey, port), ToeplitzHash(kKey, in_its_place));
}

TEST(PortOwners, ByNumberAreTheSharesThatBothProcessesCompute) {
  for (uint16_t workers = 1; workers <= 5; ++workers) {
    const PortRange range = {40001, 40022};
    const PortOwners owners = PortOwners::ByNumber(range, workers);
    EXPECT_EQ(owners.pairs(), 10u);
    size_t pairs = 0;
    for (uint16_t worker = 0; worker < workers; ++worker) {
      const PortRange share = RtpShareOf(range, worker, workers);
      for (uint16_t port : owners.PairsOf(worker)) {
        EXPECT_TRUE(share.Contains(port) && share.Contains(uint16_t(port + 1))) << port;
        EXPECT_EQ(owners.OwnerOf(port), worker);
        EXPECT_EQ(owners.OwnerOf(uint16_t(port + 1)), worker);
        ++pairs;
      }
    }
    EXPECT_EQ(pairs, 10u);
  }
  EXPECT_EQ(PortOwners::ByNumber({}, 2).pairs(), 0u);
}

TEST(PortOwners, ByHashAreWhereTheCardDelivers) {
  const PortRange range = {40000, 43999};
  for (uint16_t workers : {uint16_t(1), uint16_t(2), uint16_t(4), uint16_t(28)}) {
    const ReceiveSteering steering = ByDestinationPort(512, workers);
    const IpAddress address = *IpAddress::Parse("10.90.2.1");
    auto owners = PortOwners::ByHash(range, workers, address, steering);
    ASSERT_TRUE(owners) << owners.error().message();
    size_t pairs = 0;
    for (uint16_t worker = 0; worker < workers; ++worker) {
      const auto mine = owners->PairsOf(worker);
      pairs += mine.size();
      // No worker is left without ports, and none has twice its share.
      EXPECT_GT(mine.size(), owners->pairs() / workers / 3) << worker << " of " << workers;
      EXPECT_LT(mine.size(), owners->pairs() * 2 / workers + 1) << worker << " of " << workers;
      for (uint16_t port : mine) {
        for (const char* phone : {"10.90.2.2:6000", "192.0.2.77:41000"})
          ASSERT_EQ(steering.QueueOf(At(phone), {address, port}), worker) << port;
      }
    }
    EXPECT_EQ(pairs, 2000u);
  }
}

TEST(PortOwners, SayWhyTheyCannotFollowAHash) {
  const PortRange range = {40000, 40003};
  const IpAddress address = *IpAddress::Parse("10.90.2.1");
  const auto refusal = [&](const ReceiveSteering& steering, uint16_t workers) {
    auto owners = PortOwners::ByHash(range, workers, address, steering);
    return owners ? std::string() : owners.error().message();
  };
  EXPECT_EQ(refusal(ByDestinationPort(128, 2), 2), "");
  EXPECT_THAT(refusal(Spread(128, 2), 2), HasSubstr("depends on who sends"));
  EXPECT_THAT(refusal(ByDestinationPort(128, 4), 2), HasSubstr("queue 3, which none of 2 workers serves"));
  EXPECT_THAT(refusal(ByDestinationPort(100, 2), 2), HasSubstr("100 entries is no power of two"));
  EXPECT_THAT(refusal(ByDestinationPort(0, 2), 2), HasSubstr("0 entries"));
  ReceiveSteering short_key = ByDestinationPort(128, 2);
  short_key.key.resize(39);
  EXPECT_THAT(refusal(short_key, 2), HasSubstr("39 bytes is shorter than the 40"));
}

}  // namespace
}  // namespace linegate::settings
