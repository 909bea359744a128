#include "controlplane/app/turn_gateway.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "controlplane/ops/logging.h"
#include "controlplane/turn/turn_server.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::app {
namespace {

using turn::ClientTransport;

/// Of all allocations together: the rest is lost, as ICMP may be.
constexpr uint32_t kIcmpErrorsPerSecond = 200;

static_assert(sizeof(turn::TurnClient::reply_hop) == sizeof(abi::NextHop));

int64_t UnixSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}
turn::TurnTime TimeOf(TimePoint now) { return {now, UnixSeconds()}; }

uint64_t KeyOf(const abi::RelayRef& relay) { return uint64_t{relay.worker} << 32 | relay.index; }

template <typename T>
MutableByteView BytesOf(T& record) {
  return {reinterpret_cast<uint8_t*>(&record), sizeof record};
}

/// Method Send, class indication (RFC 8656 section 17).
bool IsSendIndication(ByteView message) {
  return message.size() >= 2 && message[0] == 0x00 && message[1] == 0x16;
}

}  // namespace

TurnGateway::TurnGateway(const ops::Config& config, link::ShmLink& link, session::NextHopTable& next_hops,
                         Rng& rng, std::function<void()> wake)
    : config_(config),
      link_(link),
      rng_(rng),
      wake_(std::move(wake)),
      programmer_(config.media, next_hops, rng.U32(), link.first_sequence() + link.workers()) {
  server_ = std::make_unique<turn::TurnServer>(MakeTurnConfig(config, LocalAddresses()), crypto_, rng);
}

TurnGateway::~TurnGateway() = default;

Result<std::unique_ptr<TurnGateway>> TurnGateway::Start(net::Runtime& runtime, const ops::Config& config,
                                                        link::ShmLink& link, session::NextHopTable& next_hops,
                                                        Rng& rng, std::function<void()> wake) {
  std::unique_ptr<TurnGateway> gateway(new TurnGateway(config, link, next_hops, rng, std::move(wake)));
  net::TurnStreamOptions options;
  options.tcp_listen = config.turn->server.listeners.tcp;
  options.tls_listen = config.turn->server.listeners.tls;
  options.certificate_path = config.web.certificate;
  options.private_key_path = config.web.private_key;
  options.realm_of = [&config](const IpAddress& local) { return RealmOfAddress(config.media, local); };
  options.connections = {.total = config.turn->max_connections,
                         .per_source = config.turn->max_connections_per_source};
  auto streams = net::TurnStreamServer::Start(runtime, std::move(options), *gateway);
  if (!streams) return MakeUnexpected(std::move(streams).error().WithContext("[turn]"));
  gateway->streams_ = std::move(streams).value();
  if (auto started = gateway->StartDtls(runtime); !started)
    return MakeUnexpected(std::move(started).error().WithContext("[turn]"));
  auto icmp = net::IcmpErrorSocket::Open(
      runtime, [raw = gateway.get()](const net::IcmpError& error) { raw->OnIcmpError(error); });
  if (icmp) {
    gateway->icmp_ = std::move(icmp).value();
  } else {
    ops::LogWarning("no_icmp_errors", {{"reason", icmp.error().message()}});
  }
  net::TurnTcpRelayHandler& tcp_handler = *gateway;
  if (config.turn->server.tcp_relay)
    gateway->tcp_relay_ = std::make_unique<net::TurnTcpRelay>(runtime, tcp_handler);
  return gateway;
}

Status TurnGateway::StartDtls(net::Runtime& runtime) {
  const turn::TurnListeners& listeners = config_.turn->server.listeners;
  if (listeners.dtls.empty()) return {};
  net::TurnDtlsOptions options;
  options.listen = listeners.dtls;
  options.certificate_path = config_.web.certificate;
  options.private_key_path = config_.web.private_key;
  options.realm_of = [this](const IpAddress& local) { return RealmOfAddress(config_.media, local); };
  options.associations = {.total = config_.turn->max_connections,
                          .per_source = config_.turn->max_connections_per_source};
  auto dtls = net::TurnDtlsServer::Start(runtime, std::move(options), *this, rng_);
  if (!dtls) return MakeUnexpected(std::move(dtls).error());
  dtls_ = std::move(dtls).value();
  return {};
}

void TurnGateway::Adopt(std::unique_ptr<net::ByteStream> stream, const Endpoint& local,
                        const Endpoint& remote) {
  streams_->Adopt(std::move(stream), local, remote);
}

Status TurnGateway::Reload() {
  auto reloaded = streams_->Reload();
  return reloaded && dtls_ ? dtls_->Reload() : std::move(reloaded);
}

IceServer TurnGateway::MakePageCredentials() {
  return MakeIceServer(config_, crypto_, rng_,
                       UnixSeconds() + config_.turn->page_credentials_lifetime.count());
}

// ---- from the link

void TurnGateway::HandleCommandDone(const abi::CommandDone& done) { programmer_.HandleDone(done); }

void TurnGateway::HandlePunt(TimePoint now, uint16_t worker, const abi::TurnPuntRecord& record,
                             ByteView message) {
  turn::TurnClient client;
  client.worker = worker;
  client.realm = record.realm;
  client.local = record.local.ToEndpoint();
  client.remote = record.remote.ToEndpoint();
  std::memcpy(client.reply_hop.data(), &record.reply_hop, client.reply_hop.size());
  server_->HandleMessage(TimeOf(now), client, message);
}

void TurnGateway::HandleRelayToClient(const abi::RelayRef& relay, ByteView message) {
  const auto connection = connection_of_relay_.find(KeyOf(relay));
  const auto known = connection == connection_of_relay_.end() ? relay_of_connection_.end()
                                                              : relay_of_connection_.find(connection->second);
  if (known == relay_of_connection_.end() || known->second != relay) {
    ++counters_.client_data_unknown;
  } else if (!net::TurnDtlsServer::Owns(known->first)) {
    streams_->SendRelayed(known->first, message);
  } else if (dtls_) {
    dtls_->Send(known->first, message);
  }
}

void TurnGateway::HandleNextHopChanged() { programmer_.HandleNextHopChanged(); }
void TurnGateway::ReprogramAll() { programmer_.ReprogramAll(); }

// ---- from streams

void TurnGateway::OnStreamMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) {
  if (frame.kind == turn::StreamFrame::Kind::kChannelData || IsSendIndication(frame.bytes))
    return RelayFromClient(client.connection, frame.bytes);
  server_->HandleMessage(TimeOf(MonotonicNow()), client, frame.bytes);
  wake_();
}

void TurnGateway::RelayFromClient(uint64_t connection, ByteView message) {
  const auto relay = relay_of_connection_.find(connection);
  if (relay == relay_of_connection_.end() || !link_.InjectFromClient(relay->second, message))
    ++counters_.client_data_dropped;
}

void TurnGateway::OnStreamClosed(uint64_t connection) {
  server_->HandleClientGone(MonotonicNow(), connection);
  wake_();
}

// ---- from relayed TCP

void TurnGateway::OnTcpRelayOpened(turn::AllocationId allocation, turn::Outcome outcome) {
  server_->HandleTcpRelayOpened(MonotonicNow(), allocation, outcome);
  wake_();
}

std::optional<turn::TcpConnectionId> TurnGateway::OnTcpPeerAccepted(turn::AllocationId allocation,
                                                                    const Endpoint& peer) {
  const auto connection = server_->HandleTcpPeerAccepted(MonotonicNow(), allocation, peer);
  wake_();  // the client hears of the attempt; what it does next comes later than our return
  return connection;
}

void TurnGateway::OnTcpPeerConnected(turn::TcpConnectionId connection, turn::Outcome outcome) {
  server_->HandleTcpPeerConnected(MonotonicNow(), connection, outcome);
  wake_();
}

void TurnGateway::OnTcpConnectionGone(turn::TcpConnectionId connection) {
  server_->HandleTcpConnectionGone(MonotonicNow(), connection);
  wake_();
}

// ---- between the parts

bool TurnGateway::Pump(TimePoint now) {
  bool moved = false;
  while (auto output = server_->PollOutput()) Deliver(*output), moved = true;
  while (auto event = programmer_.PollEvent()) Tell(now, *event), moved = true;
  while (auto command = programmer_.PollCommand(now)) Send(*command), moved = true;
  return moved;
}

void TurnGateway::Deliver(turn::Output& output) {
  std::visit(
      [&](auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, turn::SendToClient>) {
          Answer(what);
        } else if constexpr (std::is_same_v<What, turn::ProgramRelay>) {
          programmer_.Apply(what);
          FollowClient(what);
        } else if constexpr (std::is_same_v<What, turn::SetRelayPeer>) {
          programmer_.Apply(what);
        } else if constexpr (std::is_same_v<What, turn::RemoveRelay>) {
          ForgetClient(what.allocation);
          programmer_.Apply(what);
        } else if constexpr (std::is_same_v<What, turn::CloseClient>) {
          CloseClient(what.connection);
        } else if constexpr (std::is_same_v<What, turn::OpenTcpRelay>) {
          if (tcp_relay_) tcp_relay_->Open(what.allocation, what.local);
          connection_of_allocation_[what.allocation] = what.client_connection;
          SetAllocation(what.client_connection, net::TurnStreamSession::Allocation::kSome);
        } else if constexpr (std::is_same_v<What, turn::CloseTcpRelay>) {
          if (tcp_relay_) tcp_relay_->Close(what.allocation);
          ForgetClient(what.allocation);
        } else if constexpr (std::is_same_v<What, turn::ConnectTcpPeer>) {
          if (tcp_relay_) tcp_relay_->Connect(what.allocation, what.connection, what.local, what.peer);
        } else if constexpr (std::is_same_v<What, turn::BindTcpConnection>) {
          if (!tcp_relay_) return;
          streams_->Detach(what.client_connection,
                           [this, id = what.connection](net::TurnStreamServer::DetachedStream client) {
                             tcp_relay_->Bind(id, std::move(client.stream), std::move(client.unread),
                                              std::move(client.admission));
                           });
        } else if constexpr (std::is_same_v<What, turn::CloseTcpConnection>) {
          if (tcp_relay_) tcp_relay_->CloseConnection(what.connection);
        }
      },
      output);
}

void TurnGateway::Tell(TimePoint now, const session::RelayEvent& event) {
  if (const auto* settled = std::get_if<session::RelaySettled>(&event)) {
    server_->HandleRelaySettled(now, settled->allocation, settled->change,
                                settled->refused ? turn::Outcome::kRefused : turn::Outcome::kDone);
  } else if (const auto* removed = std::get_if<session::RelayRemoved>(&event)) {
    server_->HandleRelayRemoved(now, removed->allocation);
  }
}

void TurnGateway::Answer(const turn::SendToClient& answer) {
  if (answer.client.transport == ClientTransport::kDtls) {
    if (dtls_) dtls_->Send(answer.client.connection, answer.message);
    return;
  }
  if (turn::HasConnection(answer.client.transport))
    return streams_->SendAnswer(answer.client.connection, answer.message);
  abi::ListenerInjectRecord record;
  record.local = abi::SocketAddress::From(answer.client.local);
  record.remote = abi::SocketAddress::From(answer.client.remote);
  std::memcpy(static_cast<void*>(&record.next_hop), answer.client.reply_hop.data(),
              answer.client.reply_hop.size());
  if (!link_.InjectFromListener(answer.client.worker, record, answer.message)) ++counters_.answers_dropped;
}

/// A full ring loses nothing: the programmer sends again what was not answered.
void TurnGateway::Send(session::RelayCommand& command) {
  std::visit(
      [&](auto& record) {
        using Record = std::decay_t<decltype(record)>;
        constexpr auto type = std::is_same_v<Record, abi::ProgramRelay>   ? abi::CommandType::kProgramRelay
                              : std::is_same_v<Record, abi::SetRelayPeer> ? abi::CommandType::kSetRelayPeer
                                                                          : abi::CommandType::kRemoveRelay;
        link_.SendCommand(record.header.flow.worker, type, BytesOf(record));
        link_.NoteSequence(record.header.sequence);
      },
      command);
}

void TurnGateway::OnIcmpError(const net::IcmpError& error) {
  const auto found = allocation_of_relayed_.find(error.source);
  if (found == allocation_of_relayed_.end()) return;
  const TimePoint now = MonotonicNow();
  if (now - icmp_second_began_ >= std::chrono::seconds(1)) icmp_second_began_ = now, icmp_this_second_ = 0;
  if (++icmp_this_second_ > kIcmpErrorsPerSecond) {
    ++counters_.icmp_limited;
    return;
  }
  ++counters_.icmp_passed_on;
  server_->HandleIcmpError(found->second, {error.destination, error.type, error.code, error.data});
  wake_();
}

void TurnGateway::FollowClient(const turn::ProgramRelay& program) {
  ForgetClient(program.allocation);
  relayed_of_allocation_[program.allocation] = program.terms.relayed;
  for (const Endpoint& relayed : program.terms.relayed) {
    if (relayed.port != 0) allocation_of_relayed_[relayed] = program.allocation;
  }
  const uint64_t connection = program.terms.client.connection;
  const auto relay = programmer_.RelayOf(program.allocation);
  if (connection == 0 || !relay) return;
  connection_of_allocation_[program.allocation] = connection;
  relay_of_connection_[connection] = *relay;
  connection_of_relay_[KeyOf(*relay)] = connection;
  SetAllocation(connection, net::TurnStreamSession::Allocation::kSome);
}

void TurnGateway::ForgetClient(turn::AllocationId allocation) {
  if (const auto relayed = relayed_of_allocation_.find(allocation); relayed != relayed_of_allocation_.end()) {
    for (const Endpoint& endpoint : relayed->second) allocation_of_relayed_.erase(endpoint);
    relayed_of_allocation_.erase(relayed);
  }
  const auto found = connection_of_allocation_.find(allocation);
  if (found == connection_of_allocation_.end()) return;
  const uint64_t connection = found->second;
  connection_of_allocation_.erase(found);
  if (const auto relay = relay_of_connection_.find(connection); relay != relay_of_connection_.end()) {
    connection_of_relay_.erase(KeyOf(relay->second));
    relay_of_connection_.erase(relay);
  }
  SetAllocation(connection, net::TurnStreamSession::Allocation::kNone);
}

void TurnGateway::SetAllocation(uint64_t connection, net::TurnStreamSession::Allocation allocation) {
  if (!net::TurnDtlsServer::Owns(connection)) return streams_->SetAllocation(connection, allocation);
  if (dtls_) dtls_->SetAllocation(connection, allocation);
}

void TurnGateway::CloseClient(uint64_t connection) {
  if (!net::TurnDtlsServer::Owns(connection)) return streams_->Close(connection);
  if (dtls_) dtls_->Close(connection);
}

void TurnGateway::HandleTimeout(TimePoint now) {
  server_->HandleTimeout(now);
  programmer_.HandleTimeout(now);
}

std::optional<TimePoint> TurnGateway::NextTimeout() const {
  const auto a = server_->NextTimeout(), b = programmer_.NextTimeout();
  return a && b ? std::min(*a, *b) : a ? a : b;
}

size_t TurnGateway::relay_count() const { return programmer_.relay_count(); }

}  // namespace linegate::app
