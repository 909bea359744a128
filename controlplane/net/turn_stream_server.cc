#include "controlplane/net/turn_stream_server.h"

#include <netinet/tcp.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <unordered_map>
#include <unordered_set>

#include "controlplane/net/asio_byte_stream.h"
#include "controlplane/net/asio_endpoint.h"
#include "controlplane/net/tcp_acceptors.h"
#include "controlplane/net/tls_server_context.h"
#include "controlplane/net/turn_stream_connection.h"

namespace linegate::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using turn::ClientTransport;
using TlsSocket = asio::ssl::stream<tcp::socket>;

/// What the kernel may hold unsent before it calls the socket full: the queue where packets can be dropped is ours.
constexpr int kUnsentInKernel_bytes = 32 * 1024;

/// A connection before TLS is up.
struct TlsOpening {
  TlsOpening(tcp::socket socket, asio::ssl::context& tls)
      : stream(std::move(socket), tls), timer(stream.get_executor()) {}
  TlsSocket stream;
  asio::steady_timer timer;
  Endpoint local, remote;
  std::shared_ptr<void> admission;
  TimePoint accepted_at;
  bool timed_out = false;
};

void PrepareSocket(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentInKernel_bytes,
             sizeof kUnsentInKernel_bytes);
}

}  // namespace

/// Outlives the TurnStreamServer until Asio has let go of the last operation.
class TurnStreamServer::Core final : public TurnStreamConnections, public std::enable_shared_from_this<Core> {
 public:
  Core(Runtime& runtime, TurnStreamOptions server_options, TurnStreamHandler& server_handler)
      : context(runtime.context()),
        options(std::move(server_options)),
        handler(&server_handler),
        acceptors(std::make_shared<TcpAcceptors>(context, counters.accept_errors)),
        limiter(std::make_shared<SourceLimiter>(options.connections)) {}

  Status Load();
  Status Bind(const Endpoint& endpoint, ClientTransport transport);
  /// Null: over a limit (counted).
  std::shared_ptr<void> Admit(const IpAddress& source);
  void Open(std::unique_ptr<ByteStream> stream, std::shared_ptr<void> admission, ClientTransport transport,
            const Endpoint& local, const Endpoint& remote, TimePoint accepted_at);
  TurnStreamConnection* Find(uint64_t connection) const;
  void StopAll();

  // TurnStreamConnections
  void OnMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) override {
    if (handler != nullptr) handler->OnStreamMessage(client, frame);
  }
  void Remove(uint64_t connection, Tell tell) override;
  bool Holds(uint64_t connection) const override { return connections.contains(connection); }

  asio::io_context& context;
  const TurnStreamOptions options;
  TurnStreamHandler* handler;  ///< null once the TurnStreamServer is gone
  TurnStreamCounters counters;
  std::shared_ptr<asio::ssl::context> tls;
  const std::shared_ptr<TcpAcceptors> acceptors;
  std::vector<Endpoint> tcp_endpoints, tls_endpoints;
  std::shared_ptr<SourceLimiter> limiter;
  uint64_t last_connection = 0;
  std::unordered_map<uint64_t, std::shared_ptr<TurnStreamConnection>> connections;
  std::unordered_set<std::shared_ptr<TlsOpening>> openings;

 private:
  void OnAccepted(ClientTransport transport, tcp::socket socket, const Endpoint& remote);
  void StartTls(tcp::socket socket, std::shared_ptr<void> admission, const Endpoint& local,
                const Endpoint& remote);
  void OnTlsUp(const std::shared_ptr<TlsOpening>& opening, error_code error);
};

Status TurnStreamServer::Core::Load() {
  if (options.tls_listen.empty()) return {};
  auto loaded =
      MakeTlsServerContext(options.certificate_path, options.private_key_path, TlsApplications::kTurn);
  if (!loaded) return MakeUnexpected(std::move(loaded).error());
  tls = std::make_shared<asio::ssl::context>(loaded->release());
  return {};
}

Status TurnStreamServer::Core::Bind(const Endpoint& endpoint, ClientTransport transport) {
  const auto bound =
      acceptors->Listen(endpoint, [this, transport](tcp::socket socket, const Endpoint& remote) {
        OnAccepted(transport, std::move(socket), remote);
      });
  if (!bound) return MakeUnexpected(bound.error());
  (transport == ClientTransport::kTls ? tls_endpoints : tcp_endpoints).push_back(*bound);
  return {};
}

std::shared_ptr<void> TurnStreamServer::Core::Admit(const IpAddress& source) {
  const auto admission = limiter->Admit(source);
  if (admission == SourceLimiter::Admission::kAdmitted) {
    return {static_cast<void*>(limiter.get()), [held = limiter, source](void*) { held->Release(source); }};
  }
  ++(admission == SourceLimiter::Admission::kTotalReached ? counters.connections_refused_total
                                                          : counters.connections_refused_source);
  return nullptr;
}

void TurnStreamServer::Core::OnAccepted(ClientTransport transport, tcp::socket socket,
                                        const Endpoint& remote) {
  const auto keep = shared_from_this();
  error_code gone;
  const Endpoint local = ToEndpoint(socket.local_endpoint(gone));
  if (gone) return;
  auto admission = Admit(remote.address);
  if (!admission) return;
  ++counters.connections_accepted;
  PrepareSocket(socket);
  if (transport == ClientTransport::kTls)
    return StartTls(std::move(socket), std::move(admission), local, remote);
  Open(std::make_unique<AsioByteStream<tcp::socket>>(std::move(socket)), std::move(admission), transport,
       local, remote, MonotonicNow());
}

void TurnStreamServer::Core::StartTls(tcp::socket socket, std::shared_ptr<void> admission,
                                      const Endpoint& local, const Endpoint& remote) {
  const auto opening = std::make_shared<TlsOpening>(std::move(socket), *tls);
  opening->local = local, opening->remote = remote;
  opening->admission = std::move(admission);
  opening->accepted_at = MonotonicNow();
  openings.insert(opening);
  opening->timer.expires_after(options.limits.first_message);
  opening->timer.async_wait([opening](error_code cancelled) {
    if (cancelled) return;
    opening->timed_out = true;
    error_code ignored;
    opening->stream.lowest_layer().close(ignored);
  });
  opening->stream.async_handshake(asio::ssl::stream_base::server,
                                  [core = shared_from_this(), context_used = tls, opening](error_code error) {
                                    opening->timer.cancel();
                                    if (core->openings.erase(opening) != 0) core->OnTlsUp(opening, error);
                                  });
}

void TurnStreamServer::Core::OnTlsUp(const std::shared_ptr<TlsOpening>& opening, error_code error) {
  if (error || opening->timed_out) {
    ++(opening->timed_out ? counters.first_message_timeouts : counters.tls_failed);
    ++counters.connections_closed;
    return;
  }
  Open(std::make_unique<AsioByteStream<TlsSocket>>(std::move(opening->stream)), std::move(opening->admission),
       ClientTransport::kTls, opening->local, opening->remote, opening->accepted_at);
}

void TurnStreamServer::Core::Open(std::unique_ptr<ByteStream> stream, std::shared_ptr<void> admission,
                                  ClientTransport transport, const Endpoint& local, const Endpoint& remote,
                                  TimePoint accepted_at) {
  turn::TurnClient client;
  client.transport = transport;
  client.realm = options.realm_of(local.address);
  client.local = local, client.remote = remote;
  client.connection = ++last_connection;
  auto connection = std::make_shared<TurnStreamConnection>(
      context, *this, counters, options.limits, std::move(stream), std::move(admission), client, accepted_at);
  connections.emplace(client.connection, connection);
  connection->Start();
}

TurnStreamConnection* TurnStreamServer::Core::Find(uint64_t connection) const {
  const auto found = connections.find(connection);
  return found == connections.end() ? nullptr : found->second.get();
}

void TurnStreamServer::Core::Remove(uint64_t connection, Tell tell) {
  if (connections.erase(connection) == 0) return;
  ++counters.connections_closed;
  if (tell == Tell::kHandler && handler != nullptr) handler->OnStreamClosed(connection);
}

void TurnStreamServer::Core::StopAll() {
  handler = nullptr;
  acceptors->Stop();
  error_code ignored;
  for (const auto& opening : std::exchange(openings, {})) {
    opening->timer.cancel();
    opening->stream.lowest_layer().close(ignored);
  }
  connections.clear();
}

void TurnStreamCounters::ForEach(
    const std::function<void(std::string_view, std::string_view, uint64_t)>& visit) const {
#define LG_TURN_STREAM_COUNTER(name, text) visit(#name, text, name);
#include "controlplane/net/turn_stream_counters.def"
#undef LG_TURN_STREAM_COUNTER
}

Result<std::unique_ptr<TurnStreamServer>> TurnStreamServer::Start(Runtime& runtime, TurnStreamOptions options,
                                                                  TurnStreamHandler& handler) {
  auto core = std::make_shared<Core>(runtime, std::move(options), handler);
  if (auto loaded = core->Load(); !loaded) return MakeUnexpected(std::move(loaded).error());
  for (const Endpoint& endpoint : core->options.tcp_listen) {
    if (auto bound = core->Bind(endpoint, ClientTransport::kTcp); !bound)
      return MakeUnexpected(std::move(bound).error());
  }
  for (const Endpoint& endpoint : core->options.tls_listen) {
    if (auto bound = core->Bind(endpoint, ClientTransport::kTls); !bound)
      return MakeUnexpected(std::move(bound).error());
  }
  core->acceptors->Start();
  return std::unique_ptr<TurnStreamServer>(new TurnStreamServer(std::move(core)));
}

TurnStreamServer::TurnStreamServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

TurnStreamServer::~TurnStreamServer() { core_->StopAll(); }

void TurnStreamServer::Adopt(std::unique_ptr<ByteStream> stream, const Endpoint& local,
                             const Endpoint& remote) {
  auto admission = core_->Admit(remote.address);
  if (!admission) return;
  ++core_->counters.connections_adopted;
  core_->Open(std::move(stream), std::move(admission), ClientTransport::kTls, local, remote, MonotonicNow());
}

void TurnStreamServer::SendAnswer(uint64_t connection, ByteView message) {
  if (auto* found = core_->Find(connection)) found->SendAnswer(message);
}

void TurnStreamServer::SendRelayed(uint64_t connection, ByteView message) {
  if (auto* found = core_->Find(connection)) found->SendRelayed(message);
}

void TurnStreamServer::SetAllocation(uint64_t connection, TurnStreamSession::Allocation allocation) {
  if (auto* found = core_->Find(connection)) found->SetAllocation(allocation);
}

void TurnStreamServer::Close(uint64_t connection) {
  if (auto* found = core_->Find(connection)) found->Close();
}

void TurnStreamServer::Detach(uint64_t connection, Detached detached) {
  auto* found = core_->Find(connection);
  if (found == nullptr) return detached({});
  found->Detach(std::move(detached));
}

Status TurnStreamServer::Reload() { return core_->Load(); }

const TurnStreamCounters& TurnStreamServer::counters() const { return core_->counters; }
size_t TurnStreamServer::connection_count() const {
  return core_->connections.size() + core_->openings.size();
}

std::vector<Endpoint> TurnStreamServer::tcp_endpoints() const { return core_->tcp_endpoints; }
std::vector<Endpoint> TurnStreamServer::tls_endpoints() const { return core_->tls_endpoints; }

}  // namespace linegate::net
