#include "dataplane/nodes/stun_discovery.h"

#include <algorithm>

namespace linegate::nodes {
namespace {

using wire::StunAttribute;

// RFC 5780 section 7.2
constexpr uint32_t kChangeIp = 0x4;
constexpr uint32_t kChangePort = 0x2;
constexpr size_t kMostPaddingBytes = 1200;  // a response is never fragmented

}  // namespace

std::optional<DiscoveryReply> ReadDiscovery(const wire::StunMessageView& request, const Endpoint& arrived,
                                            const Endpoint& requester, const flow::Discovery& discovery) {
  const uint32_t change = request.FindU32(StunAttribute::kChangeRequest).value_or(0);
  const bool change_ip = (change & kChangeIp) != 0;
  const bool change_port = (change & kChangePort) != 0;
  const auto response_port = request.FindU16(StunAttribute::kResponsePort);
  const auto padding = request.Find(StunAttribute::kPadding);
  if (response_port && (padding || *response_port == 0)) return std::nullopt;
  DiscoveryReply reply;
  const uint16_t port = change_port ? discovery.other_port : arrived.port;
  reply.source = {change_ip ? discovery.other_address : arrived.address, port};
  reply.origin = {change_ip ? discovery.other_advertised : discovery.advertised, port};
  reply.other = {discovery.other_advertised, discovery.other_port};
  reply.destination_port = response_port.value_or(requester.port);
  reply.padding_bytes = padding ? std::min(padding->size(), kMostPaddingBytes) : 0;
  return reply;
}

void AddDiscovery(wire::StunMessageWriter& writer, const DiscoveryReply& reply) {
  static constexpr uint8_t kPadding[kMostPaddingBytes] = {};
  writer.AddAddress(StunAttribute::kResponseOrigin, reply.origin);
  writer.AddAddress(StunAttribute::kOtherAddress, reply.other);
  if (reply.padding_bytes != 0) writer.AddBytes(StunAttribute::kPadding, {kPadding, reply.padding_bytes});
}

}  // namespace linegate::nodes
