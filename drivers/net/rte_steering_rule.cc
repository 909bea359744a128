#include "drivers/net/rte_steering_rule.h"

#include <rte_ethdev.h>

#include <cstring>

namespace linegate::drivers {

RteSteeringRule::RteSteeringRule(const SteeringRule& rule) : rule_(rule) {
  attributes_.ingress = 1;
  const ByteView address = rule_.destination.bytes();
  pattern_[0].type = RTE_FLOW_ITEM_TYPE_ETH;
  if (rule_.destination.is_v4()) {
    std::memcpy(&v4_.hdr.dst_addr, address.data(), address.size());
    v4_mask_.hdr.dst_addr = 0xffffffff;
    pattern_[1] = {RTE_FLOW_ITEM_TYPE_IPV4, &v4_, nullptr, &v4_mask_};
  } else {
    std::memcpy(v6_.hdr.dst_addr, address.data(), address.size());
    std::memset(v6_mask_.hdr.dst_addr, 0xff, sizeof v6_mask_.hdr.dst_addr);
    pattern_[1] = {RTE_FLOW_ITEM_TYPE_IPV6, &v6_, nullptr, &v6_mask_};
  }
  udp_.hdr.dst_port = __builtin_bswap16(rule_.port);
  udp_mask_.hdr.dst_port = __builtin_bswap16(rule_.mask);
  pattern_[2] = {RTE_FLOW_ITEM_TYPE_UDP, &udp_, nullptr, &udp_mask_};
  pattern_[3].type = RTE_FLOW_ITEM_TYPE_END;
  if (rule_.queues.size() == 1) {
    queue_.index = rule_.queues[0];
    actions_[0] = {RTE_FLOW_ACTION_TYPE_QUEUE, &queue_};
  } else {
    rss_.types = rule_.destination.is_v4() ? RTE_ETH_RSS_NONFRAG_IPV4_UDP : RTE_ETH_RSS_NONFRAG_IPV6_UDP;
    rss_.queue_num = uint32_t(rule_.queues.size());
    rss_.queue = rule_.queues.data();
    actions_[0] = {RTE_FLOW_ACTION_TYPE_RSS, &rss_};
  }
  actions_[1].type = RTE_FLOW_ACTION_TYPE_END;
}

}  // namespace linegate::drivers
