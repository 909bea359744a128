#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <unordered_map>

#include "controlplane/app/openssl_turn_crypto.h"
#include "controlplane/app/turn_terms.h"
#include "controlplane/link/shm_link.h"
#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/icmp_errors.h"
#include "controlplane/net/turn_dtls_server.h"
#include "controlplane/net/turn_stream_server.h"
#include "controlplane/net/turn_tcp_relay.h"
#include "controlplane/ops/config.h"
#include "controlplane/session/next_hop_table.h"
#include "controlplane/session/relay_programmer.h"
#include "controlplane/turn/turn_service.h"
#include "dataplane/base/rng.h"

namespace linegate::app {

struct TurnGatewayCounters {
  uint64_t answers_dropped = 0;      ///< an answer to a UDP client: the worker's ring was full
  uint64_t client_data_dropped = 0;  ///< of a stream client: no allocation, or the worker's ring was full
  uint64_t icmp_passed_on = 0;       ///< to the machine, which tells the client if the peer is permitted
  uint64_t icmp_limited = 0;         ///< over kIcmpErrorsPerSecond
  uint64_t client_data_unknown = 0;  ///< from a worker for a relay whose client is gone
};

/// The TURN server, wired. Theory of operation: three edges (the link's punted messages, the stream server, relayed TCP)
/// feed the sans-IO machine; its outputs go back to them and, as commands, through the RelayProgrammer to the workers.
/// Media of UDP clients never comes here; that of stream clients crosses as whole messages, looked up in two tables
/// (connection -> relay, relay -> connection) that follow the machine's ProgramRelay and RemoveRelay. `wake` is called
/// after each event that did not come through the link: the Gateway then pumps.
class TurnGateway final : private net::TurnStreamHandler, private net::TurnTcpRelayHandler {
 public:
  /// Errors: ports taken, certificate. References outlive the object. Pre: `config.turn`.
  static Result<std::unique_ptr<TurnGateway>> Start(net::Runtime& runtime, const ops::Config& config,
                                                    link::ShmLink& link, session::NextHopTable& next_hops,
                                                    Rng& rng, std::function<void()> wake);
  ~TurnGateway() override;

  /// A web connection whose first byte was TURN.
  void Adopt(std::unique_ptr<net::ByteStream> stream, const Endpoint& local, const Endpoint& remote);
  /// Certificate and key again.
  Status Reload();
  /// Pre: `page_credentials`.
  IceServer MakePageCredentials();

  // From the link.
  void HandleCommandDone(const abi::CommandDone& done);
  void HandlePunt(TimePoint now, uint16_t worker, const abi::TurnPuntRecord& record, ByteView message);
  void HandleRelayToClient(const abi::RelayRef& relay, ByteView message);
  void HandleNextHopChanged();
  void ReprogramAll();

  /// Carries outputs to where they belong; true if there were any.
  bool Pump(TimePoint now);
  void HandleTimeout(TimePoint now);
  std::optional<TimePoint> NextTimeout() const;
  /// Allocations that live or whose end the workers have not confirmed.
  size_t relay_count() const;

  // What linegatectl shows (turn_gateway_views.cc): users masked, a bounded number of allocations.
  nlohmann::json AllocationsJson() const;
  nlohmann::json TotalsJson() const;
  nlohmann::json CountersJson() const;

 private:
  nlohmann::json PeersJson(TimePoint now, const turn::AllocationView& view, nlohmann::json& row) const;
  TurnGateway(const ops::Config& config, link::ShmLink& link, session::NextHopTable& next_hops, Rng& rng,
              std::function<void()> wake);

  // net::TurnStreamHandler
  void OnStreamMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) override;
  void OnStreamClosed(uint64_t connection) override;
  // net::TurnTcpRelayHandler
  void OnTcpRelayOpened(turn::AllocationId allocation, turn::Outcome outcome) override;
  std::optional<turn::TcpConnectionId> OnTcpPeerAccepted(turn::AllocationId allocation,
                                                         const Endpoint& peer) override;
  void OnTcpPeerConnected(turn::TcpConnectionId connection, turn::Outcome outcome) override;
  void OnTcpConnectionGone(turn::TcpConnectionId connection) override;

  void Deliver(turn::Output& output);
  void Tell(TimePoint now, const session::RelayEvent& event);
  void Answer(const turn::SendToClient& answer);
  void Send(session::RelayCommand& command);
  void OnIcmpError(const net::IcmpError& error);
  void FollowClient(const turn::ProgramRelay& program);
  void ForgetClient(turn::AllocationId allocation);
  Status StartDtls(net::Runtime& runtime);
  void CloseClient(uint64_t connection);
  void SetAllocation(uint64_t connection, net::TurnStreamSession::Allocation allocation);
  void RelayFromClient(uint64_t connection, ByteView message);

  const ops::Config& config_;
  link::ShmLink& link_;
  Rng& rng_;
  std::function<void()> wake_;
  OpenSslTurnCrypto crypto_;
  std::unique_ptr<turn::TurnService> server_;
  session::RelayProgrammer programmer_;
  std::unique_ptr<net::TurnStreamServer> streams_;
  std::unique_ptr<net::TurnDtlsServer> dtls_;     ///< absent without dtls_listen
  std::unique_ptr<net::TurnTcpRelay> tcp_relay_;  ///< absent without tcp_relay
  std::unordered_map<uint64_t, abi::RelayRef> relay_of_connection_;
  std::unordered_map<uint64_t, uint64_t>
      connection_of_relay_;  ///< by worker and index; checked by generation
  std::unordered_map<turn::AllocationId, uint64_t> connection_of_allocation_;
  std::unique_ptr<net::IcmpErrorSocket> icmp_;  ///< absent where raw sockets are not permitted
  std::unordered_map<Endpoint, turn::AllocationId> allocation_of_relayed_;
  std::unordered_map<turn::AllocationId, std::array<Endpoint, 2>> relayed_of_allocation_;
  uint32_t icmp_this_second_ = 0;
  TimePoint icmp_second_began_{};
  TurnGatewayCounters counters_;
};

}  // namespace linegate::app
