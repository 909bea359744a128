#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/net/asio_runtime.h"
#include "controlplane/net/byte_stream.h"
#include "controlplane/net/http_static_site.h"
#include "controlplane/net/source_limiter.h"
#include "controlplane/sip/transport_events.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::net {

/// Called on the Runtime's thread, never from inside a call to WssServer. Per flow: one OnFlowOpened, any
/// number of OnText, one OnFlowClosed. All may call WssServer.
class WssHandler {
 public:
  virtual ~WssHandler() = default;
  virtual void OnFlowOpened(sip::FlowToken flow, Endpoint source) = 0;
  /// One WebSocket message, which is one SIP message (RFC 7118 section 5). Valid during the call; keep-alives
  /// never come here.
  virtual void OnText(sip::FlowToken flow, std::string_view message) = 0;
  virtual void OnFlowClosed(sip::FlowToken flow) = 0;
};

struct WssOptions {
  std::vector<Endpoint> listen;  ///< port 0: the kernel chooses, see WssServer::endpoints()
  std::string certificate_path;
  std::string private_key_path;
  std::vector<std::string> allowed_origins;  ///< empty: any
  /// Builds the site at start and at each reload.
  std::function<Result<StaticSite>()> load_site = [] { return Result<StaticSite>(StaticSite()); };

  /// Takes connections whose first decrypted byte belongs to TURN (RFC 7983); unset: they get 400 like other garbage.
  std::function<void(std::unique_ptr<ByteStream> stream, const Endpoint& local, const Endpoint& remote)>
      on_turn;

  Duration handshake_timeout = std::chrono::seconds(10);  ///< accept to complete HTTP request, TLS included
  Duration http_idle_timeout =
      std::chrono::seconds(15);  ///< between and during requests on a kept connection
  /// A sleeping tab runs its timers once a minute, its network process still answers pings.
  Duration ping_interval = std::chrono::seconds(30);
  Duration idle_timeout =
      std::chrono::seconds(120);  ///< without a message, ping or pong; looked at once per ping
  Duration close_timeout = std::chrono::seconds(5);  ///< to drain the queue and hear the peer's close frame

  size_t max_request_bytes = 16 * 1024;
  size_t max_message_bytes = 64 * 1024;
  size_t max_queue_bytes = 512 * 1024;  ///< unsent bytes per flow
  SourceLimiter::Limits connections = {.total = 16384, .per_source = 4096};
  SourceLimiter::Limits flows = {.total = 12288, .per_source = 3072};
};

struct WssCounters {
#define LG_WSS_COUNTER(name, text) uint64_t name = 0;
#include "controlplane/net/wss_counters.def"
#undef LG_WSS_COUNTER
  /// Each counter's name, text and value, in a fixed order.
  void ForEach(const std::function<void(std::string_view, std::string_view, uint64_t)>& visit) const;
};

/// Theory of operation
/// HTTPS and WSS on one origin: a browser that accepted the page's certificate has accepted the WSS one,
/// which shows no warning of its own. On every path `Upgrade: websocket` becomes SIP over WebSocket (RFC
/// 7118), anything else is a file of the site (GET and HEAD).
///   connection -> TLS -> HTTP request -> answer, keep alive
///                                     -> 101 -> flow: OnFlowOpened, OnText..., OnFlowClosed
///                     -> first byte is TURN's: `on_turn` has it from there
/// A flow's token is never used again. Order of messages is kept both ways. What a stranger can grow is
/// limited: connections and flows in total and per source, request, message and queue size, time for each
/// step. Everything runs on the Runtime's thread.
class WssServer {
 public:
  /// Binds every endpoint. Errors name the endpoint, the file or the folder. `runtime` and `handler` outlive
  /// the server.
  static Result<std::unique_ptr<WssServer>> Start(Runtime& runtime, WssOptions options, WssHandler& handler);
  /// Cuts all connections; no callbacks after this.
  ~WssServer();

  /// Queues one SIP message. False if the flow is gone or closing, or if its reader is too slow (then it is
  /// cut and OnFlowClosed follows).
  bool Send(sip::FlowToken flow, std::string message);
  /// Sends what is queued, then closes with `code` (RFC 6455 section 7.4). OnText comes no more; OnFlowClosed
  /// follows.
  void Close(sip::FlowToken flow, uint16_t code);
  /// Reads certificate, key and site again; on error everything stays as it was. Open connections stay.
  Status Reload();
  /// Accepts no more and closes all flows with 1001 (going away).
  void Drain();

  const WssCounters& counters() const;
  size_t flow_count() const;
  size_t connection_count() const;
  std::vector<Endpoint> endpoints() const;

  class Core;  ///< of the implementation

 private:
  explicit WssServer(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace linegate::net
