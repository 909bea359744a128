#pragma once
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "controlplane/turn/requester.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/time.h"

namespace linegate::turn {

/// One peer connection of a TCP allocation (RFC 6062 section 5).
struct TcpConnection {
  enum class State : uint8_t {
    kConnecting,  ///< Connect was asked for; `requester` waits
    kUnbound,     ///< waits for ConnectionBind
    kBound,
  };
  TcpConnectionId id;
  AllocationId allocation;
  Endpoint peer;
  State state = State::kConnecting;
  std::optional<Requester> requester;
};

/// Peer connections by CONNECTION-ID and by allocation. Whoever waits, waits at most kPatience: for the peer to
/// answer, then for the client to bind.
class TcpConnections {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(30);  // RFC 6062 sections 5.2 and 5.4
  static constexpr size_t kPerAllocation = 16;

  /// nullptr: the allocation has as many as it may.
  TcpConnection* Add(TimePoint now, Rng& rng, AllocationId allocation, const Endpoint& peer);
  TcpConnection* Find(TcpConnectionId id);
  const TcpConnection* Find(TcpConnectionId id) const;
  TcpConnection* FindPeer(AllocationId allocation, const Endpoint& peer);
  /// Connected: the client has kPatience from `now` to bind.
  void SetUnbound(TcpConnection& connection, TimePoint now);
  void Erase(TcpConnectionId id);
  std::vector<TcpConnectionId> OfAllocation(AllocationId allocation) const;

  /// One connection that waited too long; the caller erases it.
  TcpConnection* PopOverdue(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  size_t size() const { return by_id_.size(); }

 private:
  struct Wait {
    TimePoint until;
    TcpConnectionId id;
    TcpConnection::State state;  ///< overdue if the connection is still there
  };
  std::map<TcpConnectionId, TcpConnection> by_id_;
  std::map<AllocationId, std::vector<TcpConnectionId>> by_allocation_;
  std::deque<Wait> waits_;  ///< in order: all wait equally long
};

}  // namespace linegate::turn
