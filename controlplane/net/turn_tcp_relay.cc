#include "controlplane/net/turn_tcp_relay.h"

#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_map>

#include "controlplane/net/asio_byte_stream.h"
#include "controlplane/net/asio_endpoint.h"
#include "controlplane/net/stream_splice.h"
#include "controlplane/net/tcp_acceptors.h"

namespace linegate::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using turn::AllocationId;
using turn::Outcome;
using turn::TcpConnectionId;

constexpr int kBacklog = 16;
/// Linux gives up a connection attempt after two minutes; a client has long lost patience (RFC 6062 section 5.2: 30 s).
constexpr Duration kConnectTimeout = std::chrono::seconds(30);
/// For the other direction of a bound pair, once one has ended.
constexpr Duration kHalfOpenTimeout = std::chrono::seconds(5);

/// The listener and the connections that leave from its port share it.
template <typename Socket>
error_code BindShared(Socket& socket, const Endpoint& local) {
  error_code error;
  const tcp::endpoint endpoint = FromEndpoint(local);
  socket.open(endpoint.protocol(), error);
  if (!error && local.address.is_v6()) socket.set_option(asio::ip::v6_only(true), error);
  if (!error) socket.set_option(asio::socket_base::reuse_address(true), error);
  const int on = 1;
  if (!error && setsockopt(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    error.assign(errno, boost::system::system_category());
  if (!error) socket.bind(endpoint, error);
  return error;
}

struct Connection {
  explicit Connection(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  std::unique_ptr<tcp::socket> connecting;
  std::unique_ptr<ByteStream> peer;  ///< until bound
  std::shared_ptr<void> admission;   ///< of the client's stream
  std::unique_ptr<StreamSplice> splice;
};

}  // namespace

class TurnTcpRelay::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& io, TurnTcpRelayHandler& relay_handler) : context(io), handler(&relay_handler) {}

  void Open(AllocationId allocation, const Endpoint& local);
  void Connect(TcpConnectionId id, const Endpoint& local, const Endpoint& peer);
  void Bind(TcpConnectionId id, std::unique_ptr<ByteStream> client, std::vector<uint8_t> unread,
            std::shared_ptr<void> admission);
  /// Takes a peer's established connection.
  void Keep(TcpConnectionId id, tcp::socket socket);
  void Lose(TcpConnectionId id);
  void Report(std::function<void(TurnTcpRelayHandler&)> report);

  asio::io_context& context;
  TurnTcpRelayHandler* handler;  ///< null once the TurnTcpRelay is gone
  TurnTcpRelayCounters counters;
  std::unordered_map<AllocationId, std::shared_ptr<TcpAcceptors>> listeners;
  std::unordered_map<TcpConnectionId, std::shared_ptr<Connection>> connections;

 private:
  void OnAccepted(AllocationId allocation, tcp::socket socket, const Endpoint& peer);
  void OnConnected(TcpConnectionId id, error_code error);
};

/// Nobody is told from inside his own call.
void TurnTcpRelay::Core::Report(std::function<void(TurnTcpRelayHandler&)> report) {
  asio::post(context, [core = shared_from_this(), report = std::move(report)] {
    if (core->handler != nullptr) report(*core->handler);
  });
}

void TurnTcpRelay::Core::Open(AllocationId allocation, const Endpoint& local) {
  tcp::acceptor acceptor(context);
  error_code error = BindShared(acceptor, local);
  if (!error) acceptor.listen(kBacklog, error);
  if (error) {
    ++counters.listeners_refused;
  } else {
    auto& listener = listeners[allocation];
    listener = std::make_shared<TcpAcceptors>(context, counters.accept_errors);
    listener->Add(std::move(acceptor), [this, allocation](tcp::socket socket, const Endpoint& peer) {
      OnAccepted(allocation, std::move(socket), peer);
    });
    listener->Start();
  }
  const Outcome outcome = error ? Outcome::kRefused : Outcome::kDone;
  Report([allocation, outcome](TurnTcpRelayHandler& to) { to.OnTcpRelayOpened(allocation, outcome); });
}

void TurnTcpRelay::Core::OnAccepted(AllocationId allocation, tcp::socket socket, const Endpoint& peer) {
  const auto keep = shared_from_this();
  const auto id =
      connections.size() < kMaxConnections ? handler->OnTcpPeerAccepted(allocation, peer) : std::nullopt;
  if (!id) {
    ++counters.peers_refused;
    return;
  }
  ++counters.peers_accepted;
  // The handler may have ended the connection already: then it is not known to anybody any more.
  Keep(*id, std::move(socket));
}

void TurnTcpRelay::Core::Keep(TcpConnectionId id, tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto& connection = connections[id];
  if (connection == nullptr) connection = std::make_shared<Connection>(context);
  connection->timer.cancel();
  connection->connecting.reset();
  connection->peer = std::make_unique<AsioByteStream<tcp::socket>>(std::move(socket));
}

void TurnTcpRelay::Core::Connect(TcpConnectionId id, const Endpoint& local, const Endpoint& peer) {
  auto socket = std::make_unique<tcp::socket>(context);
  const error_code error = BindShared(*socket, local);
  if (error || connections.size() >= kMaxConnections) {
    ++counters.connect_failures;
    return Report([id](TurnTcpRelayHandler& to) { to.OnTcpPeerConnected(id, Outcome::kRefused); });
  }
  const auto connection = std::make_shared<Connection>(context);
  connections[id] = connection;
  connection->connecting = std::move(socket);
  connection->timer.expires_after(kConnectTimeout);
  connection->timer.async_wait([core = shared_from_this(), connection](error_code cancelled) {
    error_code ignored;
    if (!cancelled && connection->connecting) connection->connecting->close(ignored);
  });
  connection->connecting->async_connect(FromEndpoint(peer),
                                        [core = shared_from_this(), id, connection](error_code failed) {
                                          const auto found = core->connections.find(id);
                                          if (found == core->connections.end() || found->second != connection)
                                            return;
                                          core->OnConnected(id, failed);
                                        });
}

void TurnTcpRelay::Core::OnConnected(TcpConnectionId id, error_code error) {
  if (error) {
    ++counters.connect_failures;
    connections.at(id)->timer.cancel();
    connections.erase(id);
  } else {
    ++counters.peers_connected;
    tcp::socket socket = std::move(*connections.at(id)->connecting);
    Keep(id, std::move(socket));
  }
  if (handler != nullptr) handler->OnTcpPeerConnected(id, error ? Outcome::kRefused : Outcome::kDone);
}

void TurnTcpRelay::Core::Bind(TcpConnectionId id, std::unique_ptr<ByteStream> client,
                              std::vector<uint8_t> unread, std::shared_ptr<void> admission) {
  const auto found = connections.find(id);
  if (found == connections.end() || found->second->peer == nullptr || client == nullptr) {
    if (found != connections.end()) connections.erase(found);
    return Report([id](TurnTcpRelayHandler& to) { to.OnTcpConnectionGone(id); });
  }
  Connection& connection = *found->second;
  connection.admission = std::move(admission);
  connection.splice = std::make_unique<StreamSplice>(
      std::move(client), std::move(connection.peer),
      StreamSplice::Totals{&counters.bytes_to_clients, &counters.bytes_to_peers},
      [core = weak_from_this(), id](StreamSplice::Ended ended) {
        const auto self = core.lock();
        if (!self) return;
        if (ended.kind == StreamSplice::Ended::Kind::kBoth) return self->Lose(id);
        Connection& half = *self->connections.at(id);
        half.timer.expires_after(kHalfOpenTimeout);
        half.timer.async_wait([core, id, pair = half.splice.get()](error_code cancelled) {
          const auto still = core.lock();
          if (cancelled || !still) return;
          const auto it = still->connections.find(id);
          if (it != still->connections.end() && it->second->splice.get() == pair) still->Lose(id);
        });
      });
  connection.splice->Start(std::move(unread));
}

void TurnTcpRelay::Core::Lose(TcpConnectionId id) {
  const auto found = connections.find(id);
  if (found == connections.end()) return;
  found->second->timer.cancel();
  connections.erase(found);
  if (handler != nullptr) handler->OnTcpConnectionGone(id);
}

TurnTcpRelay::TurnTcpRelay(Runtime& runtime, TurnTcpRelayHandler& handler)
    : core_(std::make_shared<Core>(runtime.context(), handler)) {}

TurnTcpRelay::~TurnTcpRelay() {
  core_->handler = nullptr;
  for (auto& [allocation, listener] : core_->listeners) listener->Stop();
  for (auto& [id, connection] : std::exchange(core_->connections, {})) {
    error_code ignored;
    connection->timer.cancel();
    if (connection->connecting) connection->connecting->close(ignored);
  }
}

void TurnTcpRelay::Open(AllocationId allocation, const Endpoint& local) { core_->Open(allocation, local); }

void TurnTcpRelay::Close(AllocationId allocation) {
  const auto found = core_->listeners.find(allocation);
  if (found == core_->listeners.end()) return;
  found->second->Stop();
  core_->listeners.erase(found);
}

void TurnTcpRelay::Connect(AllocationId, TcpConnectionId connection, const Endpoint& local,
                           const Endpoint& peer) {
  core_->Connect(connection, local, peer);
}

void TurnTcpRelay::Bind(TcpConnectionId connection, std::unique_ptr<ByteStream> client,
                        std::vector<uint8_t> unread, std::shared_ptr<void> admission) {
  core_->Bind(connection, std::move(client), std::move(unread), std::move(admission));
}

void TurnTcpRelay::CloseConnection(TcpConnectionId connection) {
  const auto found = core_->connections.find(connection);
  if (found == core_->connections.end()) return;
  error_code ignored;
  found->second->timer.cancel();
  if (found->second->connecting) found->second->connecting->close(ignored);
  core_->connections.erase(found);
}

TurnTcpTraffic TurnTcpRelay::TrafficOf(turn::TcpConnectionId connection) const {
  const auto found = core_->connections.find(connection);
  if (found == core_->connections.end() || found->second->splice == nullptr) return {};
  return {found->second->splice->bytes_to_b(), found->second->splice->bytes_to_a()};
}

const TurnTcpRelayCounters& TurnTcpRelay::counters() const { return core_->counters; }
size_t TurnTcpRelay::listener_count() const { return core_->listeners.size(); }
size_t TurnTcpRelay::connection_count() const { return core_->connections.size(); }

}  // namespace linegate::net
