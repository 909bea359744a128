// CreatePermission and ChannelBind: RFC 8656 sections 10 and 12.
#include "controlplane/turn/turn_server.h"
#include "dataplane/wire/turn_channel_data.h"

namespace linegate::turn {

using wire::StunAttribute;

/// 0 or the error code.
uint16_t TurnServer::CheckPeer(const Allocation& allocation, const Endpoint& peer) const {
  if (!allocation.HasFamily(peer.address.family())) return 443;
  const auto protocol = allocation.tcp ? PeerPolicy::Protocol::kTcp : PeerPolicy::Protocol::kUdp;
  return policy_.Check(peer.address, protocol) == PeerPolicy::Verdict::kDenied ? 403 : 0;
}

void TurnServer::HandleCreatePermission(Request& request) {
  Allocation& allocation = *request.allocation;
  std::vector<IpAddress> peers;
  uint16_t code = 0;
  request.message.ForEachAttribute([&](StunAttribute attribute, ByteView value) {
    if (attribute != StunAttribute::kXorPeerAddress || code != 0) return;
    const auto peer = request.message.DecodeXorAddress(value);
    code = !peer ? 400 : peers.size() == PeerTable::kEntries ? 508 : CheckPeer(allocation, *peer);
    if (code == 0) peers.push_back(peer->address);
  });
  if (code == 0 && peers.empty()) code = 400;
  if (code != 0) return Refuse(request, code);
  if (allocation.peers.Permit(request.time.now, peers) != PeerTable::Result::kDone)
    return Refuse(request, 508);
  counters_.permissions_installed += peers.size();
  SyncPeers(allocation);
  Answer answer(request.requester, wire::StunClass::kSuccess);
  AnswerWhenSettled(request.time.now, allocation, request.requester.client, answer.Finish(crypto_));
}

void TurnServer::HandleChannelBind(Request& request) {
  Allocation& allocation = *request.allocation;
  const auto channel = request.message.FindU16(StunAttribute::kChannelNumber);
  const auto peer = request.message.FindXorAddress(StunAttribute::kXorPeerAddress);
  if (!channel || !peer || peer->port == 0 || allocation.tcp || *channel < wire::kMinChannelNumber ||
      *channel > wire::kMaxChannelNumber) {
    return Refuse(request, 400);
  }
  if (const uint16_t code = CheckPeer(allocation, *peer); code != 0) return Refuse(request, code);
  const auto result = allocation.peers.Bind(request.time.now, *channel, *peer);
  if (result != PeerTable::Result::kDone) {
    return Refuse(request, result == PeerTable::Result::kFull ? 508 : 400);
  }
  ++counters_.channels_bound;
  SyncPeers(allocation);
  Answer answer(request.requester, wire::StunClass::kSuccess);
  AnswerWhenSettled(request.time.now, allocation, request.requester.client, answer.Finish(crypto_));
}

}  // namespace linegate::turn
