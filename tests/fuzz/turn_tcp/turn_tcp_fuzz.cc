// Random operations on TCP allocations (RFC 6062) and, beside them, a model of whose relay listens where, who is permitted
// and which connections there are in which state. Both must give the same answers: above all, a Connect to an address of
// our own succeeds exactly when another client's relay listens there.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "dataplane/base/check.h"
#include "tests/support/turn_bench.h"

using namespace linegate;
using std::chrono::seconds;
using test::TurnBench;
using turn::ClientTransport;
using turn::Outcome;
using turn::TcpConnectionId;
using turn::TurnClient;
using wire::StunAttribute;
using wire::StunMessageWriter;
using wire::StunMethod;

namespace {

constexpr int kClients = 4;
const IpAddress kBoundAddress = IpAddress::V4(10, 0, 0, 1), kAdvertisedAddress = IpAddress::V4(192, 0, 2, 1);

struct ModelConnection {
  enum class State { kConnecting, kUnbound, kBound } state = State::kConnecting;
  int owner = 0;
  Endpoint peer;  ///< as the client names it
  TimePoint until;
};
struct ModelAllocation {
  uint64_t id = 0;
  uint16_t port = 0;
  TimePoint expires_at;
  std::map<IpAddress, TimePoint> permissions;
};

class Run {
 public:
  Run(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  void Go() {
    while (position_ < size_) Step();
    for (int i = 0; i < kClients; ++i) Gone(i);
    Pass(seconds(60));
    const turn::TurnServer& server = bench_.server();
    LG_FATAL(server.known_allocations() == 0 && server.ports_in_use() == 0 && server.known_accounts() == 0);
    LG_FATAL(server.tcp_connection_count() == 0 && connections_.empty() && listeners_.empty());
  }

 private:
  static turn::TurnConfig Config() {
    turn::TurnConfig config = TurnBench::Config();
    config.tcp_relay = true;
    return config;
  }
  static TurnClient Control(int i) { return TurnBench::Client(i + 1, ClientTransport::kTcp); }
  TurnClient NextData() { return TurnBench::Client(int(10 + data_clients_++ % 200), ClientTransport::kTls); }
  uint8_t Byte() { return position_ < size_ ? data_[position_++] : 0; }

  void Step() {
    const uint8_t op = Byte();
    const int client = op % kClients;
    switch ((op / kClients) % 10) {
      case 0:
        return Allocate(client);
      case 1:
        return Refresh(client, Byte() % 4 == 0 ? 0 : 900);
      case 2:
        return Permit(client);
      case 3:
      case 4:
        return Connect(client);
      case 5:
        return Connected();
      case 6:
        return Accepted(client);
      case 7:
        return Bind(client);
      case 8:
        return Byte() % 2 == 0 ? Gone(client) : Lost();
      default:
        return Pass(seconds(Byte() % 64));
    }
  }

  /// Follows what is asked of the kernel; the code of the answer, -1 for none.
  int Settle() {
    int code = -1;
    while (const auto output = bench_.server().PollOutput()) {
      if (const auto* send = std::get_if<turn::SendToClient>(&*output)) {
        const auto view = wire::StunMessageView::Parse(send->message);
        LG_FATAL(view.has_value());
        last_ = send->message;
        if (view->message_class() == wire::StunClass::kIndication) continue;
        const auto error = view->error_code();
        code = error ? error->code : 0;
      } else if (const auto* open = std::get_if<turn::OpenTcpRelay>(&*output)) {
        LG_FATAL(open->local.address == kBoundAddress &&
                 listeners_.emplace(open->local.port, open->allocation.value()).second);
        bench_.server().HandleTcpRelayOpened(bench_.now(), open->allocation, Outcome::kDone);
      } else if (const auto* shut = std::get_if<turn::CloseTcpRelay>(&*output)) {
        LG_FATAL(std::erase_if(listeners_,
                               [&](const auto& one) { return one.second == shut->allocation.value(); }) == 1);
      } else if (const auto* connect = std::get_if<turn::ConnectTcpPeer>(&*output)) {
        asked_ = *connect;
      } else if (const auto* close = std::get_if<turn::CloseTcpConnection>(&*output)) {
        LG_FATAL(connections_.erase(close->connection.value()) == 1);
      } else if (const auto* bind = std::get_if<turn::BindTcpConnection>(&*output)) {
        connections_.at(bind->connection.value()).state = ModelConnection::State::kBound;
      } else {
        LG_FATAL(std::holds_alternative<turn::CloseClient>(*output));
      }
    }
    LG_FATAL(bench_.server().allocation_count() == model_.size() && listeners_.size() == model_.size());
    LG_FATAL(bench_.server().tcp_connection_count() == connections_.size());
    return code;
  }
  int Ask(const TurnClient& client, StunMethod method, const TurnBench::Add& add) {
    bench_.Ask(client, method, add);
    return Settle();
  }
  void Forget(int client) {
    // CloseTcpConnection comes for each: Settle sees to connections_.
    model_.erase(client);
  }

  void Allocate(int client) {
    const bool has = model_.contains(client);
    if (!has) model_[client].expires_at = bench_.now() + seconds(600);
    const int code = Ask(Control(client), StunMethod::kAllocate,
                         [](auto& writer) { writer.AddU32(StunAttribute::kRequestedTransport, 6u << 24); });
    LG_FATAL(code == (has ? 437 : 0));
    if (has) return;
    const auto relayed =
        wire::StunMessageView::Parse(last_)->FindXorAddress(StunAttribute::kXorRelayedAddress);
    LG_FATAL(relayed && relayed->address == kAdvertisedAddress);
    model_[client].port = relayed->port;
    model_[client].id = listeners_.at(relayed->port);
  }

  void Refresh(int client, uint32_t lifetime) {
    const int expected = model_.contains(client) ? 0 : 437;
    if (expected == 0 && lifetime == 0) Forget(client);
    if (expected == 0 && lifetime != 0) model_[client].expires_at = bench_.now() + seconds(lifetime);
    LG_FATAL(Ask(Control(client), StunMethod::kRefresh,
                 [&](auto& writer) { writer.AddU32(StunAttribute::kLifetime, lifetime); }) == expected);
  }

  /// A stranger's, ours under either name, or one that nobody may name.
  static IpAddress Address(uint8_t choice) {
    switch (choice % 4) {
      case 0:
        return kBoundAddress;
      case 1:
        return kAdvertisedAddress;
      case 2:
        return IpAddress::V4(198, 51, 100, uint8_t(choice / 4 % 4));
      default:
        return IpAddress::V4(127, 0, 0, 1);
    }
  }
  static bool IsOurs(const IpAddress& address) {
    return address == kBoundAddress || address == kAdvertisedAddress;
  }

  void Permit(int client) {
    const IpAddress peer = Address(Byte());
    const int expected = !model_.contains(client) ? 437 : peer.bytes()[0] == 127 ? 403 : 0;
    if (expected == 0) model_[client].permissions[peer] = bench_.now() + seconds(300);
    LG_FATAL(Ask(Control(client), StunMethod::kCreatePermission, [&](auto& writer) {
               writer.AddXorAddress(StunAttribute::kXorPeerAddress, {peer, 0});
             }) == expected);
  }

  size_t CountOf(int client) const {
    return size_t(std::count_if(connections_.begin(), connections_.end(),
                                [&](const auto& one) { return one.second.owner == client; }));
  }
  bool Holds(int client, const Endpoint& peer) const {
    return std::any_of(connections_.begin(), connections_.end(), [&](const auto& one) {
      return one.second.owner == client && one.second.peer == peer;
    });
  }

  void Connect(int client) {
    Endpoint peer{Address(Byte()), 0};
    const uint8_t choice = Byte();
    peer.port = uint16_t(49160 + choice % 20);  // the bench's relays have 49160 to 49175
    int expected = -1;                          // the answer comes with the kernel's
    if (!model_.contains(client)) {
      expected = 437;
    } else if (peer.address.bytes()[0] == 127) {
      expected = 403;
    } else if (IsOurs(peer.address) && std::none_of(model_.begin(), model_.end(), [&](const auto& one) {
                 return one.first != client && one.second.port == peer.port;
               })) {
      expected = 403;
    } else if (Holds(client, peer)) {
      expected = 446;
    } else if (CountOf(client) == turn::TcpConnections::kPerAllocation) {
      expected = 508;
    }
    asked_.reset();
    bench_.Ask(Control(client), StunMethod::kConnect,
               [&](auto& writer) { writer.AddXorAddress(StunAttribute::kXorPeerAddress, peer); });
    // What is asked for stands in the model before Settle compares.
    if (expected == -1)
      pending_ =
          ModelConnection{ModelConnection::State::kConnecting, client, peer, bench_.now() + seconds(30)};
    LG_FATAL(SettleConnect() == expected);
    if (expected != -1) return;
    LG_FATAL(asked_ && asked_->local == (Endpoint{kBoundAddress, model_[client].port}));
    LG_FATAL(asked_->peer == (IsOurs(peer.address) ? Endpoint{kBoundAddress, peer.port} : peer));
  }
  int SettleConnect() {
    int code = -1;
    while (const auto output = bench_.server().PollOutput()) {
      if (const auto* send = std::get_if<turn::SendToClient>(&*output)) {
        const auto error = wire::StunMessageView::Parse(send->message)->error_code();
        code = error ? error->code : 0;
      } else {
        const auto* connect = std::get_if<turn::ConnectTcpPeer>(&*output);
        LG_FATAL(connect != nullptr && pending_.has_value());
        asked_ = *connect;
        connections_[connect->connection.value()] = *std::exchange(pending_, std::nullopt);
      }
    }
    LG_FATAL(bench_.server().tcp_connection_count() == connections_.size());
    return code;
  }

  std::optional<uint64_t> Pick(uint8_t choice) const {
    if (connections_.empty()) return std::nullopt;
    return std::next(connections_.begin(), choice % ptrdiff_t(connections_.size()))->first;
  }

  void Connected() {
    const auto id = Pick(Byte());
    const Outcome outcome = Byte() % 4 == 0 ? Outcome::kRefused : Outcome::kDone;
    if (!id) return;
    ModelConnection& connection = connections_.at(*id);
    const bool waits = connection.state == ModelConnection::State::kConnecting;
    if (waits && outcome == Outcome::kDone) {
      connection.state = ModelConnection::State::kUnbound;
      connection.until = bench_.now() + seconds(30);
    }
    if (waits && outcome == Outcome::kRefused) connections_.erase(*id);
    bench_.server().HandleTcpPeerConnected(bench_.now(), TcpConnectionId(uint32_t(*id)), outcome);
    LG_FATAL(Settle() == (!waits ? -1 : outcome == Outcome::kDone ? 0 : 447));
  }

  void Accepted(int client) {
    const uint8_t choice = Byte();
    const IpAddress address = choice % 4 == 1 ? IpAddress::V4(203, 0, 113, 9) : Address(choice);
    const Endpoint source{address == kAdvertisedAddress ? kBoundAddress : address,
                          uint16_t(49160 + Byte() % 20)};
    const Endpoint named{IsOurs(source.address) ? kAdvertisedAddress : source.address, source.port};
    const auto found = model_.find(client);
    const auto permits = [&](const IpAddress& one) { return found->second.permissions.contains(one); };
    const bool welcome = found != model_.end() && (permits(source.address) || permits(named.address)) &&
                         !Holds(client, named) && CountOf(client) < turn::TcpConnections::kPerAllocation;
    const auto allocation = turn::AllocationId(found != model_.end() ? found->second.id : 999999);
    const auto id = bench_.server().HandleTcpPeerAccepted(bench_.now(), allocation, source);
    LG_FATAL(id.has_value() == welcome);
    if (id) {
      connections_[id->value()] = {ModelConnection::State::kUnbound, client, named,
                                   bench_.now() + seconds(30)};
    }
    LG_FATAL(Settle() == -1);
    if (!id) return;
    const auto view = wire::StunMessageView::Parse(last_);
    LG_FATAL(view->method() == StunMethod::kConnectionAttempt);
    LG_FATAL(view->FindXorAddress(StunAttribute::kXorPeerAddress) == named);
  }

  void Bind(int client) {
    const uint8_t choice = Byte();
    const auto id = Pick(choice);
    const bool other_user = choice >= 250;
    const bool on_control = choice >= 240 && choice < 250 && model_.contains(client);
    const uint32_t number = id ? uint32_t(*id) : 12345;
    const bool unbound = id && connections_.at(*id).state == ModelConnection::State::kUnbound;
    const int expected = on_control || !unbound ? 400 : other_user ? 441 : 0;
    if (other_user) bench_.user = bench_.password = "eve";
    const int code = Ask(on_control ? Control(client) : NextData(), StunMethod::kConnectionBind,
                         [&](auto& writer) { writer.AddU32(StunAttribute::kConnectionId, number); });
    bench_.user = bench_.password = "lab";
    LG_FATAL(code == (on_control && other_user ? 441 : expected));
  }

  /// A bound pair, or a peer before it, has ended.
  void Lost() {
    const auto id = Pick(Byte());
    if (!id) return;
    connections_.erase(*id);
    bench_.server().HandleTcpConnectionGone(bench_.now(), TcpConnectionId(uint32_t(*id)));
    LG_FATAL(Settle() == -1);
  }

  void Gone(int client) {
    Forget(client);
    bench_.server().HandleClientGone(bench_.now(), Control(client).connection);
    LG_FATAL(Settle() == -1);
  }

  void Pass(Duration duration) {
    const TimePoint now = bench_.now() + duration;
    std::erase_if(model_, [&](const auto& one) { return one.second.expires_at <= now; });
    for (auto& [client, allocation] : model_)
      std::erase_if(allocation.permissions, [&](const auto& one) { return one.second <= now; });
    std::set<uint64_t> overdue;
    for (const auto& [id, connection] : connections_) {
      if (connection.state != ModelConnection::State::kBound && connection.until <= now) overdue.insert(id);
    }
    bench_.Pass(duration);
    const int code = Settle();  // 447 for those that were still connecting
    LG_FATAL(code == -1 || code == 447);
    for (const uint64_t id : overdue) LG_FATAL(!connections_.contains(id));
  }

  const uint8_t* data_;
  size_t size_;
  size_t position_ = 0;
  size_t data_clients_ = 0;
  TurnBench bench_{Config()};
  std::map<int, ModelAllocation> model_;
  std::map<uint64_t, ModelConnection> connections_;
  std::map<uint16_t, uint64_t> listeners_;  ///< port, allocation
  std::optional<ModelConnection> pending_;
  std::optional<turn::ConnectTcpPeer> asked_;
  std::vector<uint8_t> last_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Run(data, std::min<size_t>(size, 2000)).Go();
  return 0;
}
