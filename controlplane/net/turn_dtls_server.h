#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/dtls_association.h"
#include "controlplane/net/source_limiter.h"
#include "controlplane/net/turn_stream_server.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"
#include "dataplane/base/rng.h"
#include "dataplane/base/secret.h"

namespace linegate::net {

struct TurnDtlsOptions {
  std::vector<Endpoint> listen;
  std::string certificate_path;
  std::string private_key_path;
  std::function<uint16_t(const IpAddress& local)> realm_of = [](const IpAddress&) { return uint16_t(0); };
  SourceLimiter::Limits associations = {.total = 8192, .per_source = 1024};
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(60);  ///< nothing received, and no allocation
};

struct TurnDtlsCounters {
  uint64_t cookies_sent = 0;
  uint64_t associations_opened = 0;
  uint64_t associations_closed = 0;
  uint64_t refused = 0;  ///< over a limit
  uint64_t strays = 0;   ///< from addresses without association, and no ClientHello
  uint64_t handshake_timeouts = 0;
  uint64_t idle_timeouts = 0;
  uint64_t messages_received = 0;
  uint64_t messages_sent = 0;
  uint64_t send_failures = 0;  ///< the kernel would not take it: dropped, as on any datagram path
};

/// TURN over DTLS (RFC 7350) on kernel UDP sockets. Theory of operation: one socket per listening address; associations are
/// told apart by the peer's address, and exist only once the peer has returned the cookie. Every record carries one
/// message. Timers: one per association, for its handshake and its idleness. Connection numbers have the top bit set, so
/// that they are never those of TurnStreamServer.
class TurnDtlsServer {
 public:
  static constexpr uint64_t kConnectionBit = uint64_t{1} << 63;
  static constexpr bool Owns(uint64_t connection) { return (connection & kConnectionBit) != 0; }

  /// `runtime`, `handler` and `rng` outlive the server. Errors name the endpoint or the file.
  static Result<std::unique_ptr<TurnDtlsServer>> Start(Runtime& runtime, TurnDtlsOptions options,
                                                       TurnStreamHandler& handler, Rng& rng);
  ~TurnDtlsServer();
  TurnDtlsServer(const TurnDtlsServer&) = delete;

  void Send(uint64_t connection, ByteView message);
  void SetAllocation(uint64_t connection, TurnStreamSession::Allocation allocation);
  /// No OnStreamClosed.
  void Close(uint64_t connection);
  /// Certificate and key again, for new associations; on error everything stays as it was.
  Status Reload();

  const TurnDtlsCounters& counters() const { return counters_; }
  size_t association_count() const { return associations_.size(); }
  std::vector<Endpoint> endpoints() const;

 private:
  struct Socket {
    int fd = -1;
    Endpoint local;
    WatchId watch;
  };
  struct Association {
    turn::TurnClient client;
    const Socket* socket;
    std::shared_ptr<SSL_CTX> context;  ///< the one it was made from
    std::unique_ptr<DtlsAssociation> dtls;
    TimePoint opened_at, heard_at;
    bool up = false;
    bool known_to_handler = false;
    TurnStreamSession::Allocation allocation = TurnStreamSession::Allocation::kNone;
    std::optional<TimerId> timer;
  };
  using Key = std::pair<int, Endpoint>;  ///< socket, peer

  TurnDtlsServer(Runtime& runtime, TurnDtlsOptions options, TurnStreamHandler& handler, Rng& rng);
  Status Bind(const Endpoint& endpoint);
  void Drain(const Socket& socket);
  void OnDatagram(const Socket& socket, const Endpoint& remote, ByteView datagram);
  void Listen(const Socket& socket, const Endpoint& remote, ByteView datagram);
  void Follow(uint64_t connection, DtlsAssociation::Progress progress);
  void SendAll(const Socket& socket, const Endpoint& remote,
               const std::vector<std::vector<uint8_t>>& datagrams);
  void ArmTimer(uint64_t connection);
  void OnTimer(uint64_t connection);
  enum class Tell : uint8_t { kNobody, kHandler };
  void Remove(uint64_t connection, Tell tell);
  std::array<uint8_t, 16> CookieOf(const Endpoint& remote) const;

  Runtime& runtime_;
  const TurnDtlsOptions options_;
  TurnStreamHandler& handler_;
  SecretBytes<16> cookie_key_;
  std::shared_ptr<SSL_CTX> context_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  SourceLimiter limiter_;
  std::unordered_map<uint64_t, Association> associations_;
  std::map<Key, uint64_t> by_peer_;
  uint64_t last_connection_ = kConnectionBit;
  TurnDtlsCounters counters_;
};

}  // namespace linegate::net
