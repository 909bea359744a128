#include "drivers/net/steering_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "drivers/net/rte_steering_rule.h"

namespace linegate::drivers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SteeredPorts Owned(const char* address, uint16_t first, uint16_t last, uint16_t queue) {
  return {{*IpAddress::Parse(address), first, last}, queue};
}
SteeredPorts Listener(const char* address, uint16_t port) {
  return {{*IpAddress::Parse(address), port, port}, std::nullopt};
}

/// A realm of two workers: a STUN listener, the WebRTC port of each worker, RTP ports in two shares.
std::vector<SteeredPorts> TwoWorkers() {
  return {Listener("10.90.1.1", 3478), Owned("10.90.1.1", 20000, 20000, 0),
          Owned("10.90.1.1", 20001, 20001, 1), Owned("fd90:2::1", 40000, 40002, 0),
          Owned("fd90:2::1", 40003, 40006, 1)};
}

std::vector<std::string> Texts(NicFamily family, const std::vector<SteeredPorts>& ports, uint16_t queues) {
  auto rules = MakeSteeringRules(family, ports, queues);
  if (!rules) return {rules.error().message()};
  std::vector<std::string> texts;
  for (const SteeringRule& rule : *rules) texts.push_back(rule.ToString(3));
  return texts;
}

TEST(SteeringRules, OfIntelCardsNameEveryOwnedPort) {
  for (NicFamily family : {NicFamily::kI40e, NicFamily::kIce}) {
    const std::string begin = "flow create 3 ingress pattern eth / ",
                      v4 = begin + "ipv4 dst is 10.90.1.1 / udp dst is ",
                      v6 = begin + "ipv6 dst is fd90:2::1 / udp dst is ";
    EXPECT_THAT(
        Texts(family, TwoWorkers(), 2),
        ElementsAre(
            v4 + "20000 / end actions queue index 0 / end", v4 + "20001 / end actions queue index 1 / end",
            v6 + "40000 / end actions queue index 0 / end", v6 + "40001 / end actions queue index 0 / end",
            v6 + "40002 / end actions queue index 0 / end", v6 + "40003 / end actions queue index 1 / end",
            v6 + "40004 / end actions queue index 1 / end", v6 + "40005 / end actions queue index 1 / end",
            v6 + "40006 / end actions queue index 1 / end"));
  }
}

TEST(SteeringRules, OfMlx5CoverRangesByMasksAndSpreadListeners) {
  const std::string begin = "flow create 3 ingress pattern eth / ",
                    v4 = begin + "ipv4 dst is 10.90.1.1 / udp dst ",
                    v6 = begin + "ipv6 dst is fd90:2::1 / udp dst ";
  EXPECT_THAT(Texts(NicFamily::kMlx5, TwoWorkers(), 2),
              ElementsAre(v4 + "is 3478 / end actions rss types ipv4-udp end queues 0 1 end / end",
                          v4 + "is 20000 / end actions queue index 0 / end",
                          v4 + "is 20001 / end actions queue index 1 / end",
                          v6 + "spec 40000 dst mask 65534 / end actions queue index 0 / end",
                          v6 + "is 40002 / end actions queue index 0 / end",
                          v6 + "is 40003 / end actions queue index 1 / end",
                          v6 + "spec 40004 dst mask 65534 / end actions queue index 1 / end",
                          v6 + "is 40006 / end actions queue index 1 / end"));
  EXPECT_THAT(
      Texts(NicFamily::kMlx5, {Listener("fd90::1", 443)}, 1),
      ElementsAre(
          "flow create 3 ingress pattern eth / ipv6 dst is fd90::1 / udp dst is 443 / end actions queue "
          "index 0 / end"));
}

TEST(SteeringRules, CoverEveryPortOnceWithWhateverRange) {
  for (auto [first, last] : {std::pair<uint16_t, uint16_t>{1, 65535},
                             {0, 65535},
                             {40000, 43999},
                             {4095, 4097},
                             {65535, 65535},
                             {32768, 65535}}) {
    auto rules = MakeSteeringRules(NicFamily::kMlx5, std::vector{Owned("10.0.0.1", first, last, 1)}, 2);
    ASSERT_TRUE(rules);
    std::multiset<uint32_t> covered;
    for (const SteeringRule& rule : *rules) {
      EXPECT_EQ(rule.port & ~rule.mask, 0) << "bits outside of the mask";
      for (uint32_t port = 0; port <= 65535; ++port) {
        if ((port & rule.mask) == rule.port) covered.insert(port);
      }
    }
    EXPECT_EQ(covered.size(), size_t(last - first) + 1);
    EXPECT_EQ(std::set(covered.begin(), covered.end()).size(), covered.size());
    EXPECT_EQ(*covered.begin(), first);
    EXPECT_EQ(*covered.rbegin(), last);
    EXPECT_LE(rules->size(), 30u);
  }
}

TEST(SteeringRules, RefuseWhatTheCardCannotHold) {
  EXPECT_THAT(Texts(NicFamily::kI40e, {Owned("10.0.0.1", 40000, 49999, 0)}, 1),
              ElementsAre(HasSubstr("10000 flow rules are more than i40e holds (8192)")));
  EXPECT_EQ(Texts(NicFamily::kIce, {Owned("10.0.0.1", 40000, 49999, 0)}, 1).size(), 10000u);
  EXPECT_THAT(Texts(NicFamily::kIce, {Owned("10.0.0.1", 20000, 49999, 0)}, 1), ElementsAre(HasSubstr("ice")));
  EXPECT_THAT(Texts(NicFamily::kMlx5, {Owned("10.0.0.1", 1, 1, 2)}, 2), ElementsAre("queue 2 of 2"));
  EXPECT_THAT(Texts(NicFamily::kMlx5, {}, 2), IsEmpty());
}

TEST(RteSteeringRule, IsThePatternAndActionThatDpdkTakes) {
  const RteSteeringRule rule({*IpAddress::Parse("10.90.2.1"), 40000, 0xfffc, {1}});
  EXPECT_EQ(rule.attributes().ingress, 1u);
  EXPECT_EQ(rule.attributes().egress, 0u);
  EXPECT_EQ(rule.pattern()[0].type, RTE_FLOW_ITEM_TYPE_ETH);
  EXPECT_EQ(rule.pattern()[0].spec, nullptr);
  ASSERT_EQ(rule.pattern()[1].type, RTE_FLOW_ITEM_TYPE_IPV4);
  const auto& v4 = *static_cast<const rte_flow_item_ipv4*>(rule.pattern()[1].spec);
  const auto& v4_mask = *static_cast<const rte_flow_item_ipv4*>(rule.pattern()[1].mask);
  const uint8_t address[] = {10, 90, 2, 1};
  EXPECT_EQ(std::memcmp(&v4.hdr.dst_addr, address, 4), 0);
  EXPECT_EQ(v4_mask.hdr.dst_addr, 0xffffffffu);
  EXPECT_EQ(v4_mask.hdr.src_addr, 0u);
  ASSERT_EQ(rule.pattern()[2].type, RTE_FLOW_ITEM_TYPE_UDP);
  const auto& udp = *static_cast<const rte_flow_item_udp*>(rule.pattern()[2].spec);
  const auto& udp_mask = *static_cast<const rte_flow_item_udp*>(rule.pattern()[2].mask);
  EXPECT_EQ(udp.hdr.dst_port, __builtin_bswap16(40000));
  EXPECT_EQ(udp_mask.hdr.dst_port, __builtin_bswap16(0xfffc));
  EXPECT_EQ(udp_mask.hdr.src_port, 0);
  EXPECT_EQ(rule.pattern()[3].type, RTE_FLOW_ITEM_TYPE_END);
  ASSERT_EQ(rule.actions()[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
  EXPECT_EQ(static_cast<const rte_flow_action_queue*>(rule.actions()[0].conf)->index, 1);
  EXPECT_EQ(rule.actions()[1].type, RTE_FLOW_ACTION_TYPE_END);
}

TEST(RteSteeringRule, SpreadsAListenerOfIpv6) {
  const IpAddress address = *IpAddress::Parse("fd90:2::1");
  const RteSteeringRule rule({address, 3478, 0xffff, {0, 1, 2}});
  ASSERT_EQ(rule.pattern()[1].type, RTE_FLOW_ITEM_TYPE_IPV6);
  const auto& v6 = *static_cast<const rte_flow_item_ipv6*>(rule.pattern()[1].spec);
  EXPECT_EQ(std::memcmp(v6.hdr.dst_addr, address.bytes().data(), 16), 0);
  ASSERT_EQ(rule.actions()[0].type, RTE_FLOW_ACTION_TYPE_RSS);
  const auto& rss = *static_cast<const rte_flow_action_rss*>(rule.actions()[0].conf);
  EXPECT_EQ(rss.queue_num, 3u);
  EXPECT_EQ(rss.queue[2], 2);
  EXPECT_NE(rss.types, 0u);
}

}  // namespace
}  // namespace linegate::drivers
