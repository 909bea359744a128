#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "controlplane/turn/allocation_table.h"
#include "controlplane/turn/authenticator.h"
#include "controlplane/turn/peer_policy.h"
#include "controlplane/turn/port_reservations.h"
#include "controlplane/turn/relay_port_pool.h"
#include "controlplane/turn/tcp_connections.h"
#include "controlplane/turn/turn_config.h"
#include "controlplane/turn/turn_service.h"
#include "dataplane/base/rng.h"

namespace linegate::turn {

/// The TURN server's control side: RFC 8656, with RFC 6062, 7635 and 8016 where the configuration asks for
/// them. Theory of operation: a request is parsed, authenticated (nothing is kept before that), checked for
/// unknown attributes and then for the rules of its method, in the order the RFC gives them, so that each
/// wrong request has one error code. What a request changes in a relay is told to its worker first; the
/// success answer leaves when the worker has confirmed, so a client that acts on an answer never runs ahead of
/// the data path. A request whose confirmation does not come within kConfirmation is forgotten (the client asks
/// again). An ended allocation keeps its ports and its 5-tuple until the worker has let go of them; requests
/// from that 5-tuple are dropped so long.
///
///   Allocate -> 401 with nonce; Allocate with credentials -> ProgramRelay change 1
///   HandleRelaySettled(1) -> SendToClient success
///   ChannelBind -> SetRelayPeer change 2; HandleRelaySettled(2) -> SendToClient success
///   Refresh 0 -> RemoveRelay; HandleRelayRemoved -> SendToClient success
class TurnServer final : public TurnService {
 public:
  static constexpr Duration kConfirmation = std::chrono::seconds(5);
  static constexpr size_t kMaxPending = 32;  ///< answers of one allocation that wait for its worker

  /// `crypto` and `rng` outlive the server. Pre: config.relay_realm_of points into config.relay_realms.
  TurnServer(TurnConfig config, TurnCrypto& crypto, Rng& rng);

  void HandleMessage(const TurnTime& time, const TurnClient& client, ByteView message) override;
  void HandleClientGone(TimePoint now, uint64_t connection) override;
  void HandleRelaySettled(TimePoint now, AllocationId allocation, uint64_t change, Outcome outcome) override;
  void HandleRelayRemoved(TimePoint now, AllocationId allocation) override;
  void HandleIcmpError(AllocationId allocation, const RelayIcmpError& error) override;
  void HandleTcpRelayOpened(TimePoint now, AllocationId allocation, Outcome outcome) override;
  std::optional<TcpConnectionId> HandleTcpPeerAccepted(TimePoint now, AllocationId allocation,
                                                       const Endpoint& source) override;
  void HandleTcpPeerConnected(TimePoint now, TcpConnectionId connection, Outcome outcome) override;
  void HandleTcpConnectionGone(TimePoint now, TcpConnectionId connection) override;
  void HandleTimeout(TimePoint now) override;
  std::optional<TimePoint> NextTimeout() const override;
  std::optional<Output> PollOutput() override;
  std::optional<AllocationId> FindAllocation(const TurnClient& client) const override;
  void ForEachAllocation(const std::function<void(const AllocationView&)>& visit) const override;
  void ForEachPeer(AllocationId allocation, const std::function<void(const PeerView&)>& visit) const override;
  size_t allocation_count() const override { return allocations_.live_count(); }
  const TurnCounters& counters() const override { return counters_; }

  // What must return to zero.
  size_t ports_in_use() const { return udp_ports_.in_use() + tcp_ports_.in_use(); }
  size_t known_allocations() const { return allocations_.size(); }  ///< with those that are ending
  size_t known_accounts() const { return allocations_.account_count(); }
  size_t reservation_count() const { return reservations_.size(); }
  size_t tcp_connection_count() const { return tcp_connections_.size(); }

 private:
  struct Request {
    const TurnTime& time;
    const wire::StunMessageView& message;
    Requester requester;
    Credential credential;
    Allocation* allocation = nullptr;
    bool Has(wire::StunAttribute attribute) const { return message.Has(attribute); }
  };
  /// What an Allocate asks for, once it is found free of contradictions.
  struct AllocateWish {
    bool tcp = false;
    std::array<bool, 2> families = {};
    bool additional = false;  ///< IPv6 was asked for in addition: its failure alone is no failure
    bool even = false, reserve_next = false, mobile = false;
  };
  using Pool = RelayPortPool;

  // turn_server.cc
  const Credential* KnownCredential(const Request& request) const;
  bool Authenticate(Request& request);
  void Refuse(const Request& request, uint16_t code);
  void RefuseRequester(const Requester& requester, uint16_t code);
  void Challenge(const Request& request, uint16_t code);
  void Send(const TurnClient& client, std::vector<uint8_t> message);
  void Dispatch(Request& request);
  void AnswerBinding(const Request& request);

  // turn_server_relays.cc: what workers are told, deadlines, and the end of allocations.
  void Program(Allocation& allocation);
  void SyncPeers(Allocation& allocation);
  void AnswerWhenSettled(TimePoint now, Allocation& allocation, const TurnClient& client,
                         std::vector<uint8_t> message);
  void Rebalance(const std::string& account);
  uint32_t RateOf(const std::string& account) const;
  void End(TimePoint now, Allocation& allocation);
  void ReleasePorts(Allocation& allocation);
  void ReleasePort(Allocation& allocation, size_t family);
  void EndFamily(Allocation& allocation, size_t family);
  void Schedule(Allocation& allocation);
  void HandleAllocationTimeout(TimePoint now, Allocation& allocation);
  Pool& PoolOf(const Allocation& allocation) { return allocation.tcp ? tcp_ports_ : udp_ports_; }
  const RelayRealm& RealmOf(const Allocation& allocation) const {
    return config_.relay_realms[allocation.relay_realm];
  }

  // turn_server_allocate.cc
  void HandleAllocate(Request& request);
  uint16_t ReadWish(const Request& request, AllocateWish& wish) const;
  uint16_t ReadFamilies(const Request& request, AllocateWish& wish) const;
  uint16_t CheckCapacity(const Request& request) const;
  std::optional<size_t> RelayRealmOf(const TurnClient& client) const;
  uint16_t WorkerFor(const TurnClient& client, const RelayRealm& realm) const;
  uint16_t ClaimPort(const Request& request, ByteView value, Allocation& allocation);
  uint16_t TakePorts(const AllocateWish& wish, Allocation& allocation);
  std::vector<uint8_t> AllocateAnswer(const Request& request, const AllocateWish& wish,
                                      const Allocation& allocation,
                                      const std::optional<PortReservations::Token>& token);

  // turn_server_refresh.cc
  std::chrono::seconds LifetimeFor(const Request& request) const;
  void HandleRefresh(Request& request);
  bool MoveTo(Request& request);
  bool IsOurRelayAddress(const IpAddress& address) const;
  MobilityTicket NewTicket(Allocation& allocation);

  // turn_server_peers.cc
  uint16_t CheckPeer(const Allocation& allocation, const Endpoint& peer) const;
  void HandleCreatePermission(Request& request);
  void HandleChannelBind(Request& request);

  // turn_server_tcp.cc
  std::optional<Endpoint> TcpTargetOf(const Allocation& allocation, const Endpoint& peer) const;
  Endpoint TcpPeerNameOf(const Endpoint& peer) const;
  void HandleConnect(Request& request);
  void HandleConnectionBind(Request& request);
  void CloseTcp(TcpConnectionId connection);
  void HandleTcpTimeouts(TimePoint now);

  TurnConfig config_;
  TurnCrypto& crypto_;
  Rng& rng_;
  Authenticator authenticator_;
  PeerPolicy policy_;
  Pool udp_ports_, tcp_ports_;
  AllocationTable allocations_;
  PortReservations reservations_;
  TcpConnections tcp_connections_;
  std::map<Endpoint, AllocationId> tcp_relays_;  ///< relayed addresses of TCP allocations, as bound
  std::deque<Output> outputs_;
  TurnCounters counters_;
  uint64_t next_allocation_ = 0;
  uint64_t next_change_ = 0;
};

}  // namespace linegate::turn
