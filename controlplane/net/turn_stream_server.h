#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/byte_stream.h"
#include "controlplane/net/source_limiter.h"
#include "controlplane/net/turn_stream_session.h"
#include "controlplane/turn/stream_framing.h"
#include "controlplane/turn/turn_client.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::net {

/// Called on the Runtime's thread, never from inside a call to TurnStreamServer. All may call TurnStreamServer.
class TurnStreamHandler {
 public:
  virtual ~TurnStreamHandler() = default;
  /// `frame` is valid during the call.
  virtual void OnStreamMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) = 0;
  /// Once per connection a message of which was handed over, unless it was closed or detached from this side.
  virtual void OnStreamClosed(uint64_t connection) = 0;
};

struct TurnStreamOptions {
  std::vector<Endpoint> tcp_listen;  ///< port 0: the kernel chooses, see TurnStreamServer::tcp_endpoints()
  std::vector<Endpoint> tls_listen;
  std::string certificate_path;  ///< needed with tls_listen
  std::string private_key_path;
  /// Media realm of the clients of a local address, for TurnClient::realm.
  std::function<uint16_t(const IpAddress& local)> realm_of = [](const IpAddress&) { return uint16_t(0); };
  SourceLimiter::Limits connections = {.total = 8192, .per_source = 1024};
  TurnStreamLimits limits;
};

struct TurnStreamCounters {
#define LG_TURN_STREAM_COUNTER(name, text) uint64_t name = 0;
#include "controlplane/net/turn_stream_counters.def"
#undef LG_TURN_STREAM_COUNTER
  void ForEach(const std::function<void(std::string_view, std::string_view, uint64_t)>& visit) const;
};

/// TURN over TCP and TLS (RFC 8656 section 3.1) on kernel sockets. Theory of operation: a connection is a ByteStream and a
/// TurnStreamSession; reads feed the session, its messages go to the handler, what is queued for the client leaves in one
/// write whenever the last one is done, so a burst of relayed packets costs one system call and one TLS record. Each
/// connection has one timer, moved only when it fires: traffic sets no timers.
///
///   accept -> (TLS) ----+
///   web listener ->  Adopt -> messages ... -> closed
///                                      `----> Detach: the stream goes on as something else (RFC 6062 section 5.4)
class TurnStreamServer {
 public:
  /// Binds every endpoint. Errors name the endpoint or the file. `runtime` and `handler` outlive the server.
  static Result<std::unique_ptr<TurnStreamServer>> Start(Runtime& runtime, TurnStreamOptions options,
                                                         TurnStreamHandler& handler);
  /// Cuts all connections; no callbacks after this.
  ~TurnStreamServer();

  /// Takes over an established TLS stream whose first bytes are TURN. Limits hold as for accepted ones.
  void Adopt(std::unique_ptr<ByteStream> stream, const Endpoint& local, const Endpoint& remote);
  /// A STUN message of the server's own. Unknown connection: nothing happens.
  void SendAnswer(uint64_t connection, ByteView message);
  /// ChannelData or a Data indication from a worker; dropped when the client reads too slowly.
  void SendRelayed(uint64_t connection, ByteView message);
  /// With an allocation a connection may be idle for as long as the allocation lives.
  void SetAllocation(uint64_t connection, TurnStreamSession::Allocation allocation);
  /// What is queued leaves first. No OnStreamClosed.
  void Close(uint64_t connection);
  /// From inside OnStreamMessage of this connection alone. When what is queued has left, the stream is given away with the
  /// bytes behind the message; null if it broke before. `admission` is its place among the connections: held as long as
  /// the stream.
  struct DetachedStream {
    std::unique_ptr<ByteStream> stream;
    std::vector<uint8_t> unread;
    std::shared_ptr<void> admission;
  };
  using Detached = std::function<void(DetachedStream)>;
  void Detach(uint64_t connection, Detached detached);
  /// Reads certificate and key again; on error everything stays as it was. Open connections stay.
  Status Reload();

  const TurnStreamCounters& counters() const;
  size_t connection_count() const;
  std::vector<Endpoint> tcp_endpoints() const;
  std::vector<Endpoint> tls_endpoints() const;

  class Core;  ///< of the implementation

 private:
  explicit TurnStreamServer(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace linegate::net
