#include "controlplane/turn/allocation_table.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace linegate::turn {

Allocation& AllocationTable::Add(std::unique_ptr<Allocation> allocation) {
  Allocation& added = *allocation;
  LG_ASSERT(!by_client_.contains(KeyOf(added.client)));
  by_client_[KeyOf(added.client)] = added.id;
  if (added.client.connection != 0) by_connection_[added.client.connection] = added.id;
  accounts_[added.credential.account].push_back(added.id);
  by_id_[added.id] = std::move(allocation);
  ++live_count_;
  return added;
}

void AllocationTable::Retire(Allocation& allocation) {
  LG_ASSERT(allocation.state != Allocation::State::kEnding);
  allocation.state = Allocation::State::kEnding;
  const auto account = accounts_.find(allocation.credential.account);
  LG_ASSERT(account != accounts_.end());
  std::erase(account->second, allocation.id);
  if (account->second.empty()) accounts_.erase(account);
  if (allocation.ticket) by_ticket_.erase(*allocation.ticket);
  DropPreviousTicket(allocation);
  allocation.ticket.reset();
  SetDeadline(allocation.id, std::nullopt);
  --live_count_;
}

void AllocationTable::Erase(AllocationId id) {
  const auto found = by_id_.find(id);
  LG_ASSERT(found != by_id_.end() && found->second->state == Allocation::State::kEnding);
  by_client_.erase(KeyOf(found->second->client));
  by_connection_.erase(found->second->client.connection);
  by_id_.erase(found);
}

const Allocation* AllocationTable::Find(AllocationId id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? found->second.get() : nullptr;
}
Allocation* AllocationTable::Find(AllocationId id) {
  return const_cast<Allocation*>(static_cast<const AllocationTable*>(this)->Find(id));
}

const Allocation* AllocationTable::FindClient(const TurnClient& client) const {
  const auto found = by_client_.find(KeyOf(client));
  return found != by_client_.end() ? Find(found->second) : nullptr;
}
Allocation* AllocationTable::FindClient(const TurnClient& client) {
  return const_cast<Allocation*>(static_cast<const AllocationTable*>(this)->FindClient(client));
}

Allocation* AllocationTable::FindConnection(uint64_t connection) {
  const auto found = by_connection_.find(connection);
  return found != by_connection_.end() ? Find(found->second) : nullptr;
}

Allocation* AllocationTable::FindTicket(const MobilityTicket& ticket) {
  const auto found = by_ticket_.find(ticket);
  return found != by_ticket_.end() ? Find(found->second) : nullptr;
}

const std::vector<AllocationId>& AllocationTable::OfAccount(const std::string& account) const {
  static const std::vector<AllocationId> kNone;
  const auto found = accounts_.find(account);
  return found != accounts_.end() ? found->second : kNone;
}

void AllocationTable::Move(Allocation& allocation, const TurnClient& client) {
  LG_ASSERT(!by_client_.contains(KeyOf(client)));
  by_client_.erase(KeyOf(allocation.client));
  by_connection_.erase(allocation.client.connection);
  allocation.client = client;
  by_client_[KeyOf(client)] = allocation.id;
  if (client.connection != 0) by_connection_[client.connection] = allocation.id;
}

void AllocationTable::SetTicket(Allocation& allocation, const MobilityTicket& ticket) {
  DropPreviousTicket(allocation);
  allocation.previous_ticket = allocation.ticket;
  allocation.ticket = ticket;
  by_ticket_[ticket] = allocation.id;
}

void AllocationTable::DropPreviousTicket(Allocation& allocation) {
  if (allocation.previous_ticket) by_ticket_.erase(*allocation.previous_ticket);
  allocation.previous_ticket.reset();
}

void AllocationTable::SetDeadline(AllocationId id, std::optional<TimePoint> deadline) {
  if (const auto old = deadline_of_.find(id); old != deadline_of_.end()) {
    if (deadline == old->second) return;
    deadlines_.erase({old->second, id});
    deadline_of_.erase(old);
  }
  if (!deadline) return;
  deadlines_.insert({*deadline, id});
  deadline_of_[id] = *deadline;
}

std::optional<TimePoint> AllocationTable::NextDeadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::optional<AllocationId> AllocationTable::PopDue(TimePoint now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return std::nullopt;
  const AllocationId id = deadlines_.begin()->second;
  SetDeadline(id, std::nullopt);
  return id;
}

}  // namespace linegate::turn
