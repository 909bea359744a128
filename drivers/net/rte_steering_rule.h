#pragma once
#include <rte_flow.h>

#include <array>

#include "drivers/net/steering_rules.h"

namespace linegate::drivers {

/// A SteeringRule as rte_flow_validate and rte_flow_create take it: attributes, pattern Ethernet / IP / UDP / end, one
/// action. Its parts point at each other.
class RteSteeringRule {
 public:
  explicit RteSteeringRule(const SteeringRule& rule);
  RteSteeringRule(const RteSteeringRule&) = delete;
  RteSteeringRule& operator=(const RteSteeringRule&) = delete;

  const rte_flow_attr& attributes() const { return attributes_; }
  const rte_flow_item* pattern() const { return pattern_.data(); }
  const rte_flow_action* actions() const { return actions_.data(); }

 private:
  SteeringRule rule_;
  rte_flow_attr attributes_ = {};
  rte_flow_item_ipv4 v4_ = {}, v4_mask_ = {};
  rte_flow_item_ipv6 v6_ = {}, v6_mask_ = {};
  rte_flow_item_udp udp_ = {}, udp_mask_ = {};
  rte_flow_action_queue queue_ = {};
  rte_flow_action_rss rss_ = {};
  std::array<rte_flow_item, 4> pattern_ = {};
  std::array<rte_flow_action, 2> actions_ = {};
};

}  // namespace linegate::drivers
