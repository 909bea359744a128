#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "controlplane/turn/allocation.h"

namespace linegate::turn {

/// Every allocation, found by identity, 5-tuple, connection, mobility ticket and account, and in the order of
/// deadlines. An allocation has one place among the deadlines, so nothing ever scans them all. Maps with order
/// and not by hash: their keys are strangers' addresses and names.
class AllocationTable {
 public:
  /// Adds `allocation` under its 5-tuple and account.
  Allocation& Add(std::unique_ptr<Allocation> allocation);
  /// Takes it out of accounts and tickets; identity and 5-tuple stay taken until Erase.
  void Retire(Allocation& allocation);
  void Erase(AllocationId id);

  Allocation* Find(AllocationId id);
  const Allocation* Find(AllocationId id) const;
  Allocation* FindClient(const TurnClient& client);
  const Allocation* FindClient(const TurnClient& client) const;
  Allocation* FindConnection(uint64_t connection);
  Allocation* FindTicket(const MobilityTicket& ticket);
  /// Of an account, those that are not retired.
  const std::vector<AllocationId>& OfAccount(const std::string& account) const;

  void Move(Allocation& allocation, const TurnClient& client);
  void SetTicket(Allocation& allocation, const MobilityTicket& ticket);
  void DropPreviousTicket(Allocation& allocation);

  /// nullopt: none.
  void SetDeadline(AllocationId id, std::optional<TimePoint> deadline);
  std::optional<TimePoint> NextDeadline() const;
  /// Removes and returns the first deadline at or before `now`.
  std::optional<AllocationId> PopDue(TimePoint now);

  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const auto& [id, allocation] : by_id_) visit(*allocation);
  }
  size_t size() const { return by_id_.size(); }
  size_t live_count() const { return live_count_; }
  size_t account_count() const { return accounts_.size(); }

 private:
  using FiveTuple = std::tuple<ClientTransport, uint64_t, Endpoint, Endpoint>;
  static FiveTuple KeyOf(const TurnClient& client) {
    return {client.transport, client.connection, client.local, client.remote};
  }
  std::map<AllocationId, std::unique_ptr<Allocation>> by_id_;
  std::map<FiveTuple, AllocationId> by_client_;
  std::map<uint64_t, AllocationId> by_connection_;
  std::map<MobilityTicket, AllocationId> by_ticket_;
  std::map<std::string, std::vector<AllocationId>> accounts_;
  std::set<std::pair<TimePoint, AllocationId>> deadlines_;
  std::map<AllocationId, TimePoint> deadline_of_;
  size_t live_count_ = 0;
};

}  // namespace linegate::turn
