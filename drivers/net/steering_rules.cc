#include "drivers/net/steering_rules.h"

#include <bit>
#include <numeric>

namespace linegate::drivers {
namespace {

// Flow Director's tables. The device has the last word: other functions of the card share them.
constexpr size_t kI40eTable = 8192;
constexpr size_t kIceTable = 16384;

/// The largest block that begins at `first` and ends at `last` or before: a power of two, aligned to itself.
uint32_t BlockAt(uint32_t first, uint32_t last) {
  const uint32_t alignment = first == 0 ? 0x10000u : first & (~first + 1u);
  return std::min(alignment, std::bit_floor(last - first + 1));
}

void AddExact(const SteeredPorts& ports, std::vector<SteeringRule>& rules) {
  if (!ports.queue) return;
  for (uint32_t port = ports.ports.first; port <= ports.ports.last; ++port)
    rules.push_back({ports.ports.address, uint16_t(port), 0xffff, {*ports.queue}});
}

void AddBlocks(const SteeredPorts& ports, uint16_t queue_count, std::vector<SteeringRule>& rules) {
  std::vector<uint16_t> queues = {ports.queue.value_or(0)};
  if (!ports.queue) {
    queues.resize(queue_count);
    std::iota(queues.begin(), queues.end(), uint16_t{0});
  }
  for (uint32_t port = ports.ports.first; port <= ports.ports.last;) {
    const uint32_t block = BlockAt(port, ports.ports.last);
    rules.push_back({ports.ports.address, uint16_t(port), uint16_t(~(block - 1)), queues});
    port += block;
  }
}

size_t TableOf(NicFamily family) {
  switch (family) {
    case NicFamily::kI40e:
      return kI40eTable;
    case NicFamily::kIce:
      return kIceTable;
    case NicFamily::kMlx5:
      break;
  }
  return SIZE_MAX;
}

}  // namespace

std::string_view NicFamilyName(NicFamily family) {
  switch (family) {
    case NicFamily::kI40e:
      return "i40e";
    case NicFamily::kIce:
      return "ice";
    case NicFamily::kMlx5:
      break;
  }
  return "mlx5";
}

std::string SteeringRule::ToString(uint16_t ethdev) const {
  const bool v4 = destination.is_v4();
  std::string text = "flow create " + std::to_string(ethdev) + " ingress pattern eth / " +
                     (v4 ? "ipv4" : "ipv6") + " dst is " + destination.ToString() + " / udp dst ";
  text += mask == 0xffff ? "is " + std::to_string(port)
                         : "spec " + std::to_string(port) + " dst mask " + std::to_string(mask);
  text += " / end actions ";
  if (queues.size() == 1) return text + "queue index " + std::to_string(queues[0]) + " / end";
  text += v4 ? "rss types ipv4-udp end queues" : "rss types ipv6-udp end queues";
  for (uint16_t queue : queues) text += " " + std::to_string(queue);
  return text + " end / end";
}

Result<std::vector<SteeringRule>> MakeSteeringRules(NicFamily family, std::span<const SteeredPorts> ports,
                                                    uint16_t queue_count) {
  std::vector<SteeringRule> rules;
  for (const SteeredPorts& steered : ports) {
    if (steered.queue && *steered.queue >= queue_count)
      return Fail("queue " + std::to_string(*steered.queue) + " of " + std::to_string(queue_count));
    if (family == NicFamily::kMlx5) {
      AddBlocks(steered, queue_count, rules);
    } else {
      AddExact(steered, rules);
    }
  }
  if (rules.size() > TableOf(family))
    return Fail(std::to_string(rules.size()) + " flow rules are more than " +
                std::string(NicFamilyName(family)) + " holds (" + std::to_string(TableOf(family)) +
                "): fewer ports, or let owned ports follow the card's hash");
  return rules;
}

}  // namespace linegate::drivers
