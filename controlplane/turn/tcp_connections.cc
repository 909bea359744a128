#include "controlplane/turn/tcp_connections.h"

#include "dataplane/base/check.h"

namespace linegate::turn {

TcpConnection* TcpConnections::Add(TimePoint now, Rng& rng, AllocationId allocation, const Endpoint& peer) {
  std::vector<TcpConnectionId>& siblings = by_allocation_[allocation];
  if (siblings.size() >= kPerAllocation) return nullptr;
  TcpConnectionId id;
  do {
    id = TcpConnectionId(rng.U32());
  } while (id.value() == 0 || by_id_.contains(id));
  siblings.push_back(id);
  TcpConnection& connection = by_id_[id];
  connection.id = id;
  connection.allocation = allocation;
  connection.peer = peer;
  waits_.push_back({now + kPatience, id, TcpConnection::State::kConnecting});
  return &connection;
}

TcpConnection* TcpConnections::Find(TcpConnectionId id) {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? &found->second : nullptr;
}

const TcpConnection* TcpConnections::Find(TcpConnectionId id) const {
  return const_cast<TcpConnections*>(this)->Find(id);
}

TcpConnection* TcpConnections::FindPeer(AllocationId allocation, const Endpoint& peer) {
  for (const TcpConnectionId id : OfAllocation(allocation)) {
    if (TcpConnection& connection = by_id_.at(id); connection.peer == peer) return &connection;
  }
  return nullptr;
}

void TcpConnections::SetUnbound(TcpConnection& connection, TimePoint now) {
  connection.state = TcpConnection::State::kUnbound;
  connection.requester.reset();
  waits_.push_back({now + kPatience, connection.id, TcpConnection::State::kUnbound});
}

void TcpConnections::Erase(TcpConnectionId id) {
  const auto found = by_id_.find(id);
  LG_ASSERT(found != by_id_.end());
  const auto siblings = by_allocation_.find(found->second.allocation);
  std::erase(siblings->second, id);
  if (siblings->second.empty()) by_allocation_.erase(siblings);
  by_id_.erase(found);
}

std::vector<TcpConnectionId> TcpConnections::OfAllocation(AllocationId allocation) const {
  const auto found = by_allocation_.find(allocation);
  return found != by_allocation_.end() ? found->second : std::vector<TcpConnectionId>();
}

TcpConnection* TcpConnections::PopOverdue(TimePoint now) {
  while (!waits_.empty() && waits_.front().until <= now) {
    const Wait wait = waits_.front();
    waits_.pop_front();
    TcpConnection* connection = Find(wait.id);
    if (connection != nullptr && connection->state == wait.state) return connection;
  }
  return nullptr;
}

std::optional<TimePoint> TcpConnections::NextTimeout() const {
  if (waits_.empty()) return std::nullopt;
  return waits_.front().until;
}

}  // namespace linegate::turn
