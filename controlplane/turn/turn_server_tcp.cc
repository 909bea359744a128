// TCP allocations: RFC 6062 section 5.
#include "controlplane/turn/turn_server.h"

namespace linegate::turn {

using wire::StunAttribute;

void TurnServer::HandleTcpRelayOpened(TimePoint now, AllocationId id, Outcome outcome) {
  Allocation* allocation = allocations_.Find(id);
  if (allocation == nullptr || !allocation->tcp) return;
  HandleRelaySettled(now, id, allocation->last_change, outcome);
}

/// Where the kernel connects to for `peer`: behind 1:1 NAT a client names another relay of ours by the advertised address,
/// and its socket is on the bound one. nullopt: an address of ours, and no relay but the client's own is there.
std::optional<Endpoint> TurnServer::TcpTargetOf(const Allocation& allocation, const Endpoint& peer) const {
  if (policy_.Check(peer.address, PeerPolicy::Protocol::kTcp) != PeerPolicy::Verdict::kRelayOnly) return peer;
  const size_t family = peer.address.is_v4() ? 0 : 1;
  for (const RelayRealm& realm : config_.relay_realms) {
    if (realm.bound[family] != peer.address && realm.advertised[family] != peer.address) continue;
    const Endpoint bound{realm.bound[family], peer.port};
    const auto relay = tcp_relays_.find(bound);
    if (relay == tcp_relays_.end() || relay->second == allocation.id) continue;
    if (allocations_.Find(relay->second)->state == Allocation::State::kLive) return bound;
  }
  return std::nullopt;
}

/// As clients know it: relays of ours connect from the bound address.
Endpoint TurnServer::TcpPeerNameOf(const Endpoint& peer) const {
  const size_t family = peer.address.is_v4() ? 0 : 1;
  for (const RelayRealm& realm : config_.relay_realms) {
    if (realm.bound[family] == peer.address) return {realm.advertised[family], peer.port};
  }
  return peer;
}

/// Section 5.2.
void TurnServer::HandleConnect(Request& request) {
  Allocation& allocation = *request.allocation;
  if (!allocation.tcp) return Refuse(request, 437);
  const auto peer = request.message.FindXorAddress(StunAttribute::kXorPeerAddress);
  if (!peer || peer->port == 0) return Refuse(request, 400);
  if (const uint16_t code = CheckPeer(allocation, *peer); code != 0) return Refuse(request, code);
  const auto target = TcpTargetOf(allocation, *peer);
  if (!target) return Refuse(request, 403);
  if (const TcpConnection* held = tcp_connections_.FindPeer(allocation.id, *peer)) {
    const bool repeated = held->requester && held->requester->transaction == request.requester.transaction;
    return repeated ? void() : Refuse(request, 446);
  }
  TcpConnection* connection = tcp_connections_.Add(request.time.now, rng_, allocation.id, *peer);
  if (connection == nullptr) return Refuse(request, 508);
  connection->requester = request.requester;
  const size_t family = peer->address.is_v4() ? 0 : 1;
  outputs_.push_back(ConnectTcpPeer{
      allocation.id, connection->id, {RealmOf(allocation).bound[family], allocation.ports[family]}, *target});
}

void TurnServer::HandleTcpPeerConnected(TimePoint now, TcpConnectionId id, Outcome outcome) {
  TcpConnection* connection = tcp_connections_.Find(id);
  if (connection == nullptr || connection->state != TcpConnection::State::kConnecting) return;
  if (outcome == Outcome::kRefused) {
    RefuseRequester(*connection->requester, 447);
    return tcp_connections_.Erase(id);
  }
  ++counters_.tcp_connections;
  Answer answer(*connection->requester, wire::StunClass::kSuccess);
  answer.writer().AddU32(StunAttribute::kConnectionId, id.value());
  Send(connection->requester->client, answer.Finish(crypto_));
  tcp_connections_.SetUnbound(*connection, now);
}

/// Section 5.3.
std::optional<TcpConnectionId> TurnServer::HandleTcpPeerAccepted(TimePoint now, AllocationId id,
                                                                 const Endpoint& source) {
  const Endpoint peer = TcpPeerNameOf(source);
  Allocation* allocation = allocations_.Find(id);
  if (allocation == nullptr || allocation->state != Allocation::State::kLive || !allocation->tcp ||
      tcp_connections_.FindPeer(id, peer) != nullptr) {
    return std::nullopt;
  }
  const PeerTable& peers = allocation->peers;
  if (!peers.Permits(peer.address) && !peers.Permits(source.address)) return std::nullopt;
  TcpConnection* connection = tcp_connections_.Add(now, rng_, id, peer);
  if (connection == nullptr) return std::nullopt;
  tcp_connections_.SetUnbound(*connection, now);
  ++counters_.tcp_connections;
  std::array<uint8_t, 128> buffer;
  std::array<uint8_t, wire::kStunTransactionIdBytes> transaction;
  rng_.Fill(transaction);
  wire::StunMessageWriter writer(buffer, wire::StunClass::kIndication, wire::StunMethod::kConnectionAttempt,
                                 transaction);
  writer.AddXorAddress(StunAttribute::kXorPeerAddress, peer);
  writer.AddU32(StunAttribute::kConnectionId, connection->id.value());
  const ByteView message = writer.Finish();
  Send(allocation->client, {message.begin(), message.end()});
  return connection->id;
}

/// Section 5.4: on a connection of its own, which then carries the peer's bytes.
void TurnServer::HandleConnectionBind(Request& request) {
  const TurnClient& client = request.requester.client;
  const auto id = request.message.FindU32(StunAttribute::kConnectionId);
  if (!id || !IsStream(client.transport) || request.allocation != nullptr) return Refuse(request, 400);
  TcpConnection* connection = tcp_connections_.Find(TcpConnectionId(*id));
  if (connection == nullptr || connection->state != TcpConnection::State::kUnbound)
    return Refuse(request, 400);
  const Allocation& allocation = *allocations_.Find(connection->allocation);
  if (allocation.credential.account != request.credential.account) return Refuse(request, 441);
  connection->state = TcpConnection::State::kBound;
  Answer answer(request.requester, wire::StunClass::kSuccess);
  Send(client, answer.Finish(crypto_));
  outputs_.push_back(BindTcpConnection{connection->id, client.connection});
}

void TurnServer::CloseTcp(TcpConnectionId id) {
  outputs_.push_back(CloseTcpConnection{id});
  tcp_connections_.Erase(id);
}

void TurnServer::HandleTcpConnectionGone(TimePoint, TcpConnectionId id) {
  if (tcp_connections_.Find(id) != nullptr) tcp_connections_.Erase(id);
}

void TurnServer::HandleTcpTimeouts(TimePoint now) {
  while (TcpConnection* overdue = tcp_connections_.PopOverdue(now)) {
    if (overdue->requester) RefuseRequester(*overdue->requester, 447);
    CloseTcp(overdue->id);
  }
}

}  // namespace linegate::turn
