#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "controlplane/turn/turn_counters.h"
#include "controlplane/turn/turn_output.h"
#include "dataplane/base/byte_view.h"
#include "dataplane/base/time.h"

namespace linegate::turn {

enum class Outcome : uint8_t { kDone, kRefused };

/// Both clocks, read together: lifetimes follow the monotonic one, credentials expire by the calendar.
struct TurnTime {
  TimePoint now;
  int64_t unix_s = 0;
};

/// An ICMP error about a datagram that an allocation sent to `peer` (RFC 8656 section 18.13).
struct RelayIcmpError {
  Endpoint peer;
  uint8_t type = 0;
  uint8_t code = 0;
  std::array<uint8_t, 4> data = {};
};

/// One allocation as an operator sees it. Views are valid during the visit.
struct AllocationView {
  AllocationId id;
  std::string_view user;  ///< bytes of a stranger: escape before printing, never a label
  const TurnClient* client = nullptr;
  std::array<Endpoint, 2> relayed;  ///< as bound; kNone: none
  bool tcp = false;                 ///< RFC 6062
  uint32_t permissions = 0;
  uint32_t channels = 0;
  TimePoint expires_at;
};

/// One peer of an allocation as an operator sees it.
struct PeerView {
  enum class Kind : uint8_t {
    kPermission,  ///< of an address: `peer` has port 0
    kChannel,     ///< with `channel`
    kConnecting,  ///< RFC 6062, with `connection`: Connect was asked for
    kUnbound,     ///< connected; the client has not bound it yet
    kBound,       ///< carries data
  } kind = Kind::kPermission;
  Endpoint peer;  ///< as the client names it
  uint16_t channel = 0;
  TcpConnectionId connection;
  std::optional<TimePoint> expires_at;  ///< of permissions and channels
};

/// What the rest of the control plane sees of the TURN server (TurnServer implements it). Sans-IO: every event
/// may leave outputs, which PollOutput hands out in order; the caller waits until NextTimeout at most.
///
/// Datagrams and frames: STUN messages go to HandleMessage; ChannelData and Send indications of a connection
/// belong to FindAllocation(client) and go to its worker directly (session::RelayProgrammer::RelayOf). A
/// connection bound by BindTcpConnection carries neither.
class TurnService {
 public:
  virtual ~TurnService() = default;

  virtual void HandleMessage(const TurnTime& time, const TurnClient& client, ByteView message) = 0;
  /// A TCP, TLS or DTLS connection has ended; its allocation ends with it (unless it is mobile, RFC 8016).
  virtual void HandleClientGone(TimePoint now, uint64_t connection) = 0;

  /// The worker has done every command of the allocation up to `change`; kRefused: one of them it could not.
  virtual void HandleRelaySettled(TimePoint now, AllocationId allocation, uint64_t change,
                                  Outcome outcome) = 0;
  virtual void HandleRelayRemoved(TimePoint now, AllocationId allocation) = 0;

  /// Told to the client in a Data indication, if the peer is permitted; anybody can forge an ICMP error, so the caller
  /// limits them.
  virtual void HandleIcmpError(AllocationId allocation, const RelayIcmpError& error) = 0;

  // RFC 6062.
  virtual void HandleTcpRelayOpened(TimePoint now, AllocationId allocation, Outcome outcome) = 0;
  /// A peer has connected from `source` to the relayed address. nullopt: close it.
  virtual std::optional<TcpConnectionId> HandleTcpPeerAccepted(TimePoint now, AllocationId allocation,
                                                               const Endpoint& source) = 0;
  virtual void HandleTcpPeerConnected(TimePoint now, TcpConnectionId connection, Outcome outcome) = 0;
  /// The peer, or the client's bound connection, has closed.
  virtual void HandleTcpConnectionGone(TimePoint now, TcpConnectionId connection) = 0;

  virtual void HandleTimeout(TimePoint now) = 0;
  virtual std::optional<TimePoint> NextTimeout() const = 0;
  virtual std::optional<Output> PollOutput() = 0;

  /// The allocation of a 5-tuple; nullopt: none, or not confirmed by its worker yet.
  virtual std::optional<AllocationId> FindAllocation(const TurnClient& client) const = 0;
  virtual void ForEachAllocation(const std::function<void(const AllocationView&)>& visit) const = 0;
  /// Permissions, channels and connections of an allocation.
  virtual void ForEachPeer(AllocationId allocation,
                           const std::function<void(const PeerView&)>& visit) const = 0;
  virtual size_t allocation_count() const = 0;
  virtual const TurnCounters& counters() const = 0;
};

}  // namespace linegate::turn
