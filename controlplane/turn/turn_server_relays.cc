// What workers are told of allocations, when answers may leave, and how allocations end.
#include <algorithm>

#include "controlplane/turn/turn_server.h"

namespace linegate::turn {

/// The account's share, and never more than an allocation may have; 0: no limit.
uint32_t TurnServer::RateOf(const std::string& account) const {
  uint32_t rate = config_.bytes_per_second_per_allocation;
  if (config_.bytes_per_second_per_user != 0) {
    const auto allocations = uint32_t(std::max<size_t>(1, allocations_.OfAccount(account).size()));
    const uint32_t share = std::max<uint32_t>(1, config_.bytes_per_second_per_user / allocations);
    rate = rate == 0 ? share : std::min(rate, share);
  }
  return rate;
}

void TurnServer::Program(Allocation& allocation) {
  if (allocation.tcp) return;  // nothing of it passes through a worker
  allocation.bytes_per_second = RateOf(allocation.credential.account);
  allocation.last_change = ++next_change_;
  RelayTerms terms;
  terms.client = allocation.client;
  terms.realm = RealmOf(allocation).realm;
  terms.bytes_per_second = allocation.bytes_per_second;
  for (size_t family = 0; family < 2; ++family) {
    if (allocation.ports[family] == 0) continue;
    terms.relayed[family] = {RealmOf(allocation).bound[family], allocation.ports[family]};
  }
  outputs_.push_back(ProgramRelay{allocation.id, allocation.last_change, allocation.worker, terms});
}

/// The number of an account's allocations has changed, and with it everyone's share.
void TurnServer::Rebalance(const std::string& account) {
  if (config_.bytes_per_second_per_user == 0) return;
  const uint32_t rate = RateOf(account);
  for (const AllocationId id : allocations_.OfAccount(account)) {
    Allocation& allocation = *allocations_.Find(id);
    if (allocation.bytes_per_second != rate) Program(allocation);
  }
}

void TurnServer::SyncPeers(Allocation& allocation) {
  if (!allocation.tcp) {
    allocation.peers.Sync([&](uint32_t index, const RelayPeerTerms& terms) {
      allocation.last_change = ++next_change_;
      outputs_.push_back(SetRelayPeer{allocation.id, allocation.last_change, index, terms});
    });
  }
  Schedule(allocation);
}

void TurnServer::AnswerWhenSettled(TimePoint now, Allocation& allocation, const TurnClient& client,
                                   std::vector<uint8_t> message) {
  if (allocation.settled_change == allocation.last_change) return Send(client, std::move(message));
  if (allocation.pending.size() < kMaxPending) {
    allocation.pending.push_back({allocation.last_change, client, std::move(message), now + kConfirmation});
  } else {
    ++counters_.unconfirmed;
  }
  Schedule(allocation);
}

void TurnServer::HandleRelaySettled(TimePoint now, AllocationId id, uint64_t change, Outcome outcome) {
  Allocation* allocation = allocations_.Find(id);
  if (allocation == nullptr || allocation->state == Allocation::State::kEnding) return;
  if (outcome == Outcome::kRefused) {
    ++counters_.allocations_refused;
    if (allocation->starting) RefuseRequester(*allocation->starting, 508);
    return End(now, *allocation);
  }
  allocation->settled_change =
      std::max(allocation->settled_change, std::min(change, allocation->last_change));
  if (allocation->state == Allocation::State::kStarting) {
    allocation->state = Allocation::State::kLive;
    allocation->starting.reset();
    ++counters_.allocations_created;
  }
  while (!allocation->pending.empty() && allocation->pending.front().change <= allocation->settled_change) {
    Send(allocation->pending.front().client, std::move(allocation->pending.front().message));
    allocation->pending.pop_front();
  }
  Schedule(*allocation);
}

void TurnServer::HandleRelayRemoved(TimePoint, AllocationId id) {
  Allocation* allocation = allocations_.Find(id);
  if (allocation == nullptr || allocation->state != Allocation::State::kEnding) return;
  ReleasePorts(*allocation);
  for (PendingAnswer& answer : allocation->pending) Send(answer.client, std::move(answer.message));
  allocations_.Erase(id);
}

void TurnServer::ReleasePort(Allocation& allocation, size_t family) {
  if (allocation.ports[family] == 0) return;
  const Pool::Place place{allocation.relay_realm, allocation.worker,
                          family == 0 ? IpFamily::kIpv4 : IpFamily::kIpv6};
  PoolOf(allocation).Release(place, allocation.ports[family]);
  allocation.ports[family] = 0;
}

void TurnServer::ReleasePorts(Allocation& allocation) {
  ReleasePort(allocation, 0);
  ReleasePort(allocation, 1);
}

/// From here on the allocation serves nobody. An answer to the request that ended it is put into `pending`
/// afterwards and leaves with the worker's confirmation.
void TurnServer::End(TimePoint now, Allocation& allocation) {
  const AllocationId id = allocation.id;
  const std::string account = allocation.credential.account;
  allocation.pending.clear();
  allocation.starting.reset();
  allocations_.Retire(allocation);
  if (allocation.tcp) {
    for (const TcpConnectionId connection : tcp_connections_.OfAllocation(id)) CloseTcp(connection);
    for (size_t family = 0; family < 2; ++family)
      tcp_relays_.erase({RealmOf(allocation).bound[family], allocation.ports[family]});
    outputs_.push_back(CloseTcpRelay{id});
    HandleRelayRemoved(now, id);
  } else {
    outputs_.push_back(RemoveRelay{id});
  }
  Rebalance(account);
}

/// One half of a dual allocation ends (RFC 8656 section 8.1). Its port rests in the pool, so that the worker has
/// let go of it long before it has another holder.
void TurnServer::EndFamily(Allocation& allocation, size_t family) {
  allocation.peers.RemoveFamily(family == 0 ? IpFamily::kIpv4 : IpFamily::kIpv6);
  SyncPeers(allocation);
  ReleasePort(allocation, family);
  Program(allocation);
}

void TurnServer::Schedule(Allocation& allocation) {
  std::optional<TimePoint> next = allocation.peers.NextTimeout();
  const auto consider = [&](TimePoint t) { next = next ? std::min(*next, t) : t; };
  for (size_t family = 0; family < 2; ++family) {
    if (allocation.ports[family] != 0) consider(allocation.expires_at[family]);
  }
  if (!allocation.pending.empty()) consider(allocation.pending.front().give_up_at);
  allocations_.SetDeadline(allocation.id, next);
}

void TurnServer::HandleAllocationTimeout(TimePoint now, Allocation& allocation) {
  for (; !allocation.pending.empty() && allocation.pending.front().give_up_at <= now;
       allocation.pending.pop_front()) {
    ++counters_.unconfirmed;
    if (allocation.state == Allocation::State::kStarting) return End(now, allocation);
  }
  if (allocation.expires_last() <= now) {
    ++counters_.allocations_expired;
    return End(now, allocation);
  }
  for (size_t family = 0; family < 2; ++family) {
    if (allocation.ports[family] != 0 && allocation.expires_at[family] <= now) EndFamily(allocation, family);
  }
  allocation.peers.HandleTimeout(now);
  SyncPeers(allocation);
}

void TurnServer::HandleTimeout(TimePoint now) {
  while (const auto due = allocations_.PopDue(now)) HandleAllocationTimeout(now, *allocations_.Find(*due));
  while (const auto lapsed = reservations_.PopLapsed(now)) {
    ++counters_.reservations_lapsed;
    udp_ports_.Release(lapsed->place, lapsed->port);
  }
  HandleTcpTimeouts(now);
}

std::optional<TimePoint> TurnServer::NextTimeout() const {
  std::optional<TimePoint> next;
  for (const auto& candidate :
       {allocations_.NextDeadline(), reservations_.NextTimeout(), tcp_connections_.NextTimeout()}) {
    if (candidate) next = next ? std::min(*next, *candidate) : *candidate;
  }
  return next;
}

void TurnServer::HandleClientGone(TimePoint now, uint64_t connection) {
  Allocation* allocation = allocations_.FindConnection(connection);
  if (allocation == nullptr || allocation->state == Allocation::State::kEnding) return;
  if (allocation->ticket) return;  // it may come back from elsewhere, until its lifetime is over
  ++counters_.allocations_dropped;
  End(now, *allocation);
}

}  // namespace linegate::turn
