#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/byte_stream.h"
#include "controlplane/turn/turn_client.h"
#include "controlplane/turn/turn_service.h"
#include "dataplane/base/net_address.h"

namespace linegate::net {

/// Called on the Runtime's thread, never from inside a call to TurnTcpRelay. All may call TurnTcpRelay.
class TurnTcpRelayHandler {
 public:
  virtual ~TurnTcpRelayHandler() = default;
  virtual void OnTcpRelayOpened(turn::AllocationId allocation, turn::Outcome outcome) = 0;
  /// nullopt: the peer is not welcome.
  virtual std::optional<turn::TcpConnectionId> OnTcpPeerAccepted(turn::AllocationId allocation,
                                                                 const Endpoint& peer) = 0;
  virtual void OnTcpPeerConnected(turn::TcpConnectionId connection, turn::Outcome outcome) = 0;
  /// Not after Close of the same connection.
  virtual void OnTcpConnectionGone(turn::TcpConnectionId connection) = 0;
};

struct TurnTcpRelayCounters {
  uint64_t listeners_refused = 0;  ///< the relayed address could not be bound
  uint64_t accept_errors = 0;
  uint64_t peers_accepted = 0;
  uint64_t peers_refused = 0;  ///< no permission, or over the limit
  uint64_t peers_connected = 0;
  uint64_t connect_failures = 0;
  uint64_t bytes_to_peers = 0;
  uint64_t bytes_to_clients = 0;
};

/// What a bound connection has carried.
struct TurnTcpTraffic {
  uint64_t to_peer_bytes = 0;
  uint64_t to_client_bytes = 0;
};

/// Relayed TCP transport addresses (RFC 6062) on kernel sockets. Theory of operation: an allocation's relayed address is a
/// listening socket; connections leave from the same address and port. A peer's connection is not read until the client
/// has bound it, so what the peer sends meanwhile waits in the kernel. A bound pair is copied piece by piece, the next read
/// only after the last write: memory is one piece per direction, and the slower side sets the pace.
///
///   Open -> listening -> OnTcpPeerAccepted -+-> Bind(client stream) -> copied both ways -> OnTcpConnectionGone
///           Connect   -> OnTcpPeerConnected -'
class TurnTcpRelay {
 public:
  static constexpr size_t kMaxConnections = 8192;  ///< towards peers, of all allocations

  TurnTcpRelay(Runtime& runtime, TurnTcpRelayHandler& handler);
  /// Closes all; no callbacks after this.
  ~TurnTcpRelay();

  void Open(turn::AllocationId allocation, const Endpoint& local);
  /// Connections stay.
  void Close(turn::AllocationId allocation);
  void Connect(turn::AllocationId allocation, turn::TcpConnectionId connection, const Endpoint& local,
               const Endpoint& peer);
  /// `unread` came with the client's stream and is the first data for the peer; `admission` is kept as long as the stream.
  void Bind(turn::TcpConnectionId connection, std::unique_ptr<ByteStream> client, std::vector<uint8_t> unread,
            std::shared_ptr<void> admission);
  void CloseConnection(turn::TcpConnectionId connection);

  /// Zero until bound.
  TurnTcpTraffic TrafficOf(turn::TcpConnectionId connection) const;
  const TurnTcpRelayCounters& counters() const;
  size_t listener_count() const;
  size_t connection_count() const;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace linegate::net
