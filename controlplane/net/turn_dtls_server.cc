#include "controlplane/net/turn_dtls_server.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/base/siphash.h"

namespace linegate::net {
namespace {

constexpr int kDrainLimit = 64;

socklen_t ToSockaddr(const Endpoint& endpoint, sockaddr_storage& out) {
  out = {};
  if (endpoint.address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, endpoint.address.bytes().data(), 4);
    return sizeof in;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(out);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(endpoint.port);
  std::memcpy(&in6.sin6_addr, endpoint.address.bytes().data(), 16);
  return sizeof in6;
}

Endpoint FromSockaddr(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(from);
    return {IpAddress::V4(std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&in.sin_addr), 4)),
            ntohs(in.sin_port)};
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(from);
  return {IpAddress::V6(std::span<const uint8_t, 16>(in6.sin6_addr.s6_addr, 16)), ntohs(in6.sin6_port)};
}

bool IsStun(ByteView message) { return !message.empty() && TurnStreamSession::CouldOpen(message[0]); }

/// What a datagram is cut to: a message as long as its own length says, padding or not (RFC 7350 section 4.6).
std::optional<turn::StreamFrame> FrameOf(ByteView message) {
  if (message.size() < 4) return std::nullopt;
  const size_t length = LoadBe16(message.data() + 2);
  if (IsStun(message)) {
    if (message.size() != 20 + length) return std::nullopt;
    return turn::StreamFrame{turn::StreamFrame::Kind::kStun, message};
  }
  if (!turn::StreamFraming::CouldBegin(message[0]) || message.size() < 4 + length) return std::nullopt;
  return turn::StreamFrame{turn::StreamFrame::Kind::kChannelData, message.first(4 + length)};
}

}  // namespace

Result<std::unique_ptr<TurnDtlsServer>> TurnDtlsServer::Start(Runtime& runtime, TurnDtlsOptions options,
                                                              TurnStreamHandler& handler, Rng& rng) {
  std::unique_ptr<TurnDtlsServer> server(new TurnDtlsServer(runtime, std::move(options), handler, rng));
  if (auto loaded = server->Reload(); !loaded) return MakeUnexpected(std::move(loaded).error());
  for (const Endpoint& endpoint : server->options_.listen) {
    if (auto bound = server->Bind(endpoint); !bound) return MakeUnexpected(std::move(bound).error());
  }
  return server;
}

TurnDtlsServer::TurnDtlsServer(Runtime& runtime, TurnDtlsOptions options, TurnStreamHandler& handler,
                               Rng& rng)
    : runtime_(runtime), options_(std::move(options)), handler_(handler), limiter_(options_.associations) {
  std::array<uint8_t, 16> key;
  rng.Fill(key);
  cookie_key_.Assign(key);
  Wipe(key.data(), key.size());
}

TurnDtlsServer::~TurnDtlsServer() {
  for (auto& [connection, association] : associations_) {
    if (association.timer) runtime_.Cancel(*association.timer);
  }
  for (const auto& socket : sockets_) {
    runtime_.Unwatch(socket->watch);
    close(socket->fd);
  }
}

Status TurnDtlsServer::Reload() {
  auto made = MakeDtlsServerContext(options_.certificate_path, options_.private_key_path);
  if (!made) return MakeUnexpected(std::move(made).error());
  context_ = std::shared_ptr<SSL_CTX>(made->release(), SslContextFree());
  return {};
}

Status TurnDtlsServer::Bind(const Endpoint& endpoint) {
  auto made = std::make_unique<Socket>();
  made->fd =
      socket(endpoint.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (endpoint.address.is_v6()) setsockopt(made->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  sockaddr_storage address;
  socklen_t length = ToSockaddr(endpoint, address);
  if (made->fd < 0 || bind(made->fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    auto error = Fail("listen on " + endpoint.ToString() + " (DTLS): " + std::strerror(errno));
    if (made->fd >= 0) close(made->fd);
    return error;
  }
  getsockname(made->fd, reinterpret_cast<sockaddr*>(&address), &length);
  made->local = FromSockaddr(address);
  made->watch = runtime_.Watch(made->fd, FdEvent::kReadable, [this, socket = made.get()] { Drain(*socket); });
  sockets_.push_back(std::move(made));
  return {};
}

std::vector<Endpoint> TurnDtlsServer::endpoints() const {
  std::vector<Endpoint> endpoints;
  for (const auto& socket : sockets_) endpoints.push_back(socket->local);
  return endpoints;
}

void TurnDtlsServer::Drain(const Socket& socket) {
  std::array<uint8_t, 4096> datagram;
  for (int i = 0; i < kDrainLimit; ++i) {
    sockaddr_storage from;
    socklen_t from_length = sizeof from;
    const ssize_t length = recvfrom(socket.fd, datagram.data(), datagram.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &from_length);
    if (length < 0) return;
    OnDatagram(socket, FromSockaddr(from), ByteView(datagram).first(size_t(length)));
  }
}

void TurnDtlsServer::OnDatagram(const Socket& socket, const Endpoint& remote, ByteView datagram) {
  const auto known = by_peer_.find({socket.fd, remote});
  if (known == by_peer_.end()) return Listen(socket, remote, datagram);
  Association& association = associations_.at(known->second);
  association.heard_at = MonotonicNow();
  Follow(known->second, association.dtls->HandleDatagram(datagram));
}

std::array<uint8_t, 16> TurnDtlsServer::CookieOf(const Endpoint& remote) const {
  std::array<uint8_t, 20> peer = {};
  std::copy(remote.address.padded().begin(), remote.address.padded().end(), peer.begin());
  StoreBe16(peer.data() + 16, remote.port);
  std::array<uint8_t, 16> cookie;
  const std::span<const uint8_t, 16> key(cookie_key_.view().data(), 16);
  for (uint8_t half = 0; half < 2; ++half) {
    peer[18] = half;
    StoreBe64(cookie.data() + 8 * half, SipHash24(key, peer));
  }
  return cookie;
}

void TurnDtlsServer::Listen(const Socket& socket, const Endpoint& remote, ByteView datagram) {
  auto hello = DtlsAssociation::Listen(context_.get(), CookieOf(remote), datagram);
  SendAll(socket, remote, hello.datagrams);
  if (hello.association == nullptr) {
    ++(hello.datagrams.empty() ? counters_.strays : counters_.cookies_sent);
    return;
  }
  if (limiter_.Admit(remote.address) != SourceLimiter::Admission::kAdmitted) {
    ++counters_.refused;
    return;
  }
  ++counters_.associations_opened;
  const uint64_t connection = ++last_connection_;
  Association& association = associations_[connection];
  association.client.transport = turn::ClientTransport::kDtls;
  association.client.realm = options_.realm_of(socket.local.address);
  association.client.local = socket.local;
  association.client.remote = remote;
  association.client.connection = connection;
  association.socket = &socket;
  association.context = context_;
  association.dtls = std::move(hello.association);
  association.opened_at = association.heard_at = MonotonicNow();
  by_peer_[{socket.fd, remote}] = connection;
  Follow(connection, association.dtls->HandleDatagram(datagram));
}

void TurnDtlsServer::Follow(uint64_t connection, DtlsAssociation::Progress progress) {
  Association& association = associations_.at(connection);
  SendAll(*association.socket, association.client.remote, progress.datagrams);
  association.up = progress.state == DtlsAssociation::Progress::State::kUp;
  const turn::TurnClient client = association.client;
  for (const auto& message : progress.messages) {
    const auto frame = FrameOf(message);
    if (!frame) continue;
    ++counters_.messages_received;
    associations_.at(connection).known_to_handler = true;
    handler_.OnStreamMessage(client, *frame);
    if (!associations_.contains(connection)) return;
  }
  if (progress.state == DtlsAssociation::Progress::State::kEnded) return Remove(connection, Tell::kHandler);
  ArmTimer(connection);
}

void TurnDtlsServer::SendAll(const Socket& socket, const Endpoint& remote,
                             const std::vector<std::vector<uint8_t>>& datagrams) {
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(remote, address);
  for (const auto& datagram : datagrams) {
    if (sendto(socket.fd, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&address),
               length) < 0) {
      ++counters_.send_failures;
    }
  }
}

void TurnDtlsServer::Send(uint64_t connection, ByteView message) {
  const auto found = associations_.find(connection);
  if (found == associations_.end()) return;
  ++counters_.messages_sent;
  SendAll(*found->second.socket, found->second.client.remote, found->second.dtls->Seal(message));
}

void TurnDtlsServer::SetAllocation(uint64_t connection, TurnStreamSession::Allocation allocation) {
  const auto found = associations_.find(connection);
  if (found == associations_.end()) return;
  found->second.allocation = allocation;
  found->second.heard_at = MonotonicNow();
  ArmTimer(connection);
}

void TurnDtlsServer::Close(uint64_t connection) {
  const auto found = associations_.find(connection);
  if (found == associations_.end()) return;
  SendAll(*found->second.socket, found->second.client.remote, found->second.dtls->Close());
  Remove(connection, Tell::kNobody);
}

/// One timer at most: the handshake's next flight and end, later the look at idleness.
void TurnDtlsServer::ArmTimer(uint64_t connection) {
  Association& association = associations_.at(connection);
  if (association.timer && association.up) return;  // it looks again when it fires
  if (association.timer) runtime_.Cancel(*association.timer);
  const TimePoint now = MonotonicNow();
  TimePoint due = now + options_.idle_timeout;
  if (!association.up) {
    due = association.opened_at + options_.handshake_timeout;
    if (const auto again = association.dtls->timeout()) due = std::min(due, now + *again);
  }
  association.timer = runtime_.CallAt(due, [this, connection] { OnTimer(connection); });
}

void TurnDtlsServer::OnTimer(uint64_t connection) {
  Association& association = associations_.at(connection);
  association.timer.reset();
  const TimePoint now = MonotonicNow();
  if (!association.up && now >= association.opened_at + options_.handshake_timeout) {
    ++counters_.handshake_timeouts;
    return Remove(connection, Tell::kHandler);
  }
  if (association.up && association.allocation == TurnStreamSession::Allocation::kNone &&
      now >= association.heard_at + options_.idle_timeout) {
    ++counters_.idle_timeouts;
    SendAll(*association.socket, association.client.remote, association.dtls->Close());
    return Remove(connection, Tell::kHandler);
  }
  if (association.up) return ArmTimer(connection);
  Follow(connection, association.dtls->HandleTimeout());
}

void TurnDtlsServer::Remove(uint64_t connection, Tell tell) {
  const auto found = associations_.find(connection);
  if (found == associations_.end()) return;
  const bool told = tell == Tell::kHandler && found->second.known_to_handler;
  if (found->second.timer) runtime_.Cancel(*found->second.timer);
  by_peer_.erase({found->second.socket->fd, found->second.client.remote});
  limiter_.Release(found->second.client.remote.address);
  associations_.erase(found);
  ++counters_.associations_closed;
  if (told) handler_.OnStreamClosed(connection);
}

}  // namespace linegate::net
