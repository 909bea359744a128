#include "dataplane/nodes/stun_request.h"

#include <algorithm>
#include <cstring>

#include "dataplane/nodes/transmit.h"

namespace linegate::nodes {
namespace {

/// RFC 8445 section 5.1.2.1 for a peer-reflexive candidate (type preference 110), component 1.
constexpr uint32_t kPeerReflexivePriority = 110u << 24 | 65535u << 8 | 255u;

std::string_view RemoteUfrag(const abi::IceCredentials& set) {
  return {set.remote_ufrag, set.remote_ufrag_length};
}
std::string_view RemotePassword(const abi::IceCredentials& set) {
  return {set.remote_pwd, set.remote_pwd_length};
}

}  // namespace

void SendBindingRequest(uint32_t flow, uint8_t path_index, ByteView transaction_id, NodeContext& context) {
  const abi::FlowSlot& slot = context.slots[flow];
  const abi::ValidatedPath& path = slot.ice.paths[path_index];
  const abi::IceCredentials& ice = slot.config.ingress.ice[0];
  if (ice.remote_ufrag_length == 0 || ice.remote_pwd_length == 0) return;
  if (path.next_hop.port_id >= context.ports.size()) return;
  io::PacketPort& port = *context.ports[path.next_hop.port_id];
  io::Packet packet;
  if (!port.Allocate(packet)) return;

  // USERNAME = receiver's fragment, colon, ours (RFC 8445 section 7.2.2).
  char username[abi::kUfragMax + 1 + abi::kLocalUfragLength];
  std::memcpy(username, ice.remote_ufrag, ice.remote_ufrag_length);
  username[ice.remote_ufrag_length] = ':';
  std::memcpy(username + ice.remote_ufrag_length + 1, ice.local_ufrag, abi::kLocalUfragLength);
  uint8_t* const payload = packet.data + wire::kMaxFrameHeaderBytes;
  packet.length = 0;
  wire::StunMessageWriter writer({payload, packet.tailroom - wire::kMaxFrameHeaderBytes},
                                 wire::StunClass::kRequest, wire::StunMethod::kBinding,
                                 transaction_id.first<wire::kStunTransactionIdBytes>());
  writer.AddText(wire::StunAttribute::kUsername,
                 {username, RemoteUfrag(ice).size() + 1 + abi::kLocalUfragLength});
  writer.AddU32(wire::StunAttribute::kPriority, kPeerReflexivePriority);
  writer.AddU64(wire::StunAttribute::kIceControlled, context.tie_breaker);
  writer.AddMessageIntegrity(context.hmac, AsBytes(RemotePassword(ice)));
  writer.AddFingerprint();
  const ByteView message = writer.Finish();
  LG_ASSERT(!message.empty());

  wire::FrameHeader header;
  header.source = slot.config.ingress.local[path.local_index].ToEndpoint();
  header.destination = path.remote.ToEndpoint();
  header.source_mac = port.mac();
  std::copy_n(path.next_hop.mac, sizeof path.next_hop.mac, header.destination_mac.bytes.begin());
  header.tagged = path.next_hop.vlan != 0;
  header.vlan_tci = path.next_hop.vlan;
  TransmitOne(packet, payload, message.size(), header, path.next_hop.port_id, context);
}

}  // namespace linegate::nodes
