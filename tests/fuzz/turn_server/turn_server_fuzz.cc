// Random operations of four clients against the TURN server and, beside it, a model too simple to be wrong: who
// has an allocation, until when, with which permissions and channels. Both must give the same answers, and what
// the workers were told must be what the model holds. In between, requests are damaged: they may fail, not more.
#include <algorithm>
#include <map>
#include <set>

#include "dataplane/base/check.h"
#include "tests/support/turn_bench.h"

using namespace linegate;
using std::chrono::seconds;
using test::TurnBench;
using turn::TurnClient;
using wire::StunAttribute;
using wire::StunMessageWriter;
using wire::StunMethod;

namespace {

constexpr int kClients = 4;

struct ModelChannel {
  Endpoint peer;
  TimePoint expires_at;
};
struct ModelAllocation {
  TimePoint expires_at;
  std::map<IpAddress, TimePoint> permissions;
  std::map<uint16_t, ModelChannel> channels;  ///< with those that rest
};

/// What workers hold: allocation -> entry -> terms.
using Workers = std::map<uint64_t, std::map<uint32_t, turn::RelayPeerTerms>>;

class Run {
 public:
  Run(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  void Go() {
    while (position_ < size_) Step();
    for (int i = 0; i < kClients; ++i) bench_.server().HandleClientGone(bench_.now(), Client(i).connection);
    Pass(seconds(3600));
    Pass(seconds(60));
    LG_FATAL(bench_.server().known_allocations() == 0 && bench_.server().ports_in_use() == 0);
    LG_FATAL(bench_.server().known_accounts() == 0 && bench_.server().reservation_count() == 0);
    LG_FATAL(workers_.empty());
  }

 private:
  static turn::TurnConfig Config() {
    turn::TurnConfig config = TurnBench::Config();
    config.shared_secrets.clear();
    return config;
  }
  static TurnClient Client(int i) {
    return TurnBench::Client(i + 1, i < 2 ? turn::ClientTransport::kUdp : turn::ClientTransport::kTcp);
  }
  static IpAddress Peer(uint8_t byte) {
    if (byte % 8 == 7) return IpAddress::V4(127, 0, 0, byte);  // never allowed
    return IpAddress::V4(198, 51, 100, uint8_t(byte % 48));
  }
  uint8_t Byte() { return position_ < size_ ? data_[position_++] : 0; }

  void Step() {
    const uint8_t op = Byte();
    const int client = op % kClients;
    switch ((op / kClients) % 9) {
      case 0:
        return Allocate(client);
      case 1:
        return Refresh(client, uint32_t(Byte()) * 16);
      case 2:
        return Permit(client);
      case 3:
      case 4:
        return Bind(client);
      case 5:
        return Pass(seconds(Byte()));
      case 6:
        return Pass(seconds(Byte() * 8));
      case 7:
        return Gone(client);
      default:
        return Damage(client);
    }
  }

  /// Carries outputs to the workers' model, confirms them, and returns the code of the answer (-1: none).
  int Settle() {
    int code = -1;
    turn::TurnServer& server = bench_.server();
    while (const auto output = server.PollOutput()) {
      if (const auto* send = std::get_if<turn::SendToClient>(&*output)) {
        const auto view = wire::StunMessageView::Parse(send->message);
        LG_FATAL(view.has_value());
        const auto error = view->error_code();
        code = error ? error->code : 0;
      } else if (const auto* program = std::get_if<turn::ProgramRelay>(&*output)) {
        workers_[program->allocation.value()];
        server.HandleRelaySettled(bench_.now(), program->allocation, program->change, turn::Outcome::kDone);
      } else if (const auto* set = std::get_if<turn::SetRelayPeer>(&*output)) {
        LG_FATAL(workers_.contains(set->allocation.value()) && set->index < turn::PeerTable::kEntries);
        auto& entries = workers_[set->allocation.value()];
        if (set->terms.peer.address.family() == IpFamily::kNone) {
          LG_FATAL(entries.erase(set->index) == 1);
        } else {
          entries[set->index] = set->terms;
        }
        server.HandleRelaySettled(bench_.now(), set->allocation, set->change, turn::Outcome::kDone);
      } else if (const auto* remove = std::get_if<turn::RemoveRelay>(&*output)) {
        LG_FATAL(workers_.erase(remove->allocation.value()) == 1);
        server.HandleRelayRemoved(bench_.now(), remove->allocation);
      } else {
        LG_FATAL(std::holds_alternative<turn::CloseClient>(*output));  // after a wrong proof
      }
    }
    Compare();
    return code;
  }

  int Ask(int client, StunMethod method, const TurnBench::Add& add) {
    bench_.Ask(Client(client), method, add);
    return Settle();
  }

  void Allocate(int client) {
    const int expected = model_.contains(client) ? 437 : 0;
    if (expected == 0) model_[client].expires_at = bench_.now() + seconds(600);
    const int code = Ask(client, StunMethod::kAllocate, [](StunMessageWriter& writer) {
      writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24);
    });
    LG_FATAL(code == expected);
  }

  void Refresh(int client, uint32_t lifetime) {
    const int expected = model_.contains(client) ? 0 : 437;
    if (expected == 0 && lifetime == 0) model_.erase(client);
    if (expected == 0 && lifetime != 0)
      model_[client].expires_at = bench_.now() + seconds(std::clamp<uint32_t>(lifetime, 600, 3600));
    const int code = Ask(client, StunMethod::kRefresh, [&](StunMessageWriter& writer) {
      writer.AddU32(StunAttribute::kLifetime, lifetime);
    });
    LG_FATAL(code == expected);
  }

  static size_t EntriesOf(const ModelAllocation& allocation, TimePoint now) {
    size_t entries = 0;
    std::set<IpAddress> by_channel;
    for (const auto& [number, channel] : allocation.channels) {
      if (channel.expires_at > now) ++entries, by_channel.insert(channel.peer.address);
    }
    for (const auto& [peer, expires_at] : allocation.permissions)
      entries += by_channel.contains(peer) ? 0 : 1;
    return entries;
  }

  void Permit(int client) {
    std::vector<IpAddress> peers;
    for (int i = 0; i <= Byte() % 3; ++i) peers.push_back(Peer(Byte()));
    int expected = 0;
    if (!model_.contains(client)) {
      expected = 437;
    } else if (std::any_of(peers.begin(), peers.end(),
                           [](const IpAddress& p) { return p.bytes()[0] == 127; })) {
      expected = 403;
    } else {
      ModelAllocation after = model_[client];
      for (const IpAddress& peer : peers) after.permissions[peer] = bench_.now() + seconds(300);
      if (EntriesOf(after, bench_.now()) > turn::PeerTable::kEntries) {
        expected = 508;
      } else {
        model_[client] = after;
      }
    }
    const int code = Ask(client, StunMethod::kCreatePermission, [&](StunMessageWriter& writer) {
      for (const IpAddress& peer : peers) writer.AddXorAddress(StunAttribute::kXorPeerAddress, {peer, 0});
    });
    LG_FATAL(code == expected);
  }

  int Expected(int client, uint16_t number, const Endpoint& peer) {
    if (!model_.contains(client)) return 437;
    if (number < 0x4000 || number > 0x7fff || peer.port == 0) return 400;
    if (peer.address.bytes()[0] == 127) return 403;
    ModelAllocation after = model_[client];
    for (const auto& [other, channel] : after.channels) {
      if ((other == number) != (channel.peer == peer)) return 400;
    }
    after.channels[number] = {peer, bench_.now() + seconds(600)};
    after.permissions[peer.address] = bench_.now() + seconds(300);
    if (EntriesOf(after, bench_.now()) > turn::PeerTable::kEntries) return 508;
    model_[client] = after;
    return 0;
  }

  void Bind(int client) {
    const uint8_t choice = Byte();
    const auto number = uint16_t(choice == 255 ? 0x3fff : choice == 254 ? 0x8000 : 0x4000 + choice % 80);
    const Endpoint peer{Peer(Byte()), uint16_t(Byte() % 4)};
    const int expected = Expected(client, number, peer);
    const int code = Ask(client, StunMethod::kChannelBind, [&](StunMessageWriter& writer) {
      writer.AddU32(StunAttribute::kChannelNumber, uint32_t(number) << 16);
      writer.AddXorAddress(StunAttribute::kXorPeerAddress, peer);
    });
    LG_FATAL(code == expected);
  }

  void Gone(int client) {
    const uint64_t connection = Client(client).connection;
    if (connection != 0) model_.erase(client);
    bench_.server().HandleClientGone(bench_.now(), connection);
    LG_FATAL(Settle() == -1);
  }

  /// A request with one byte changed and its end cut. Integrity makes sure that it changes nothing.
  void Damage(int client) {
    auto request = bench_.Request(Client(client), StunMethod::kRefresh, [](StunMessageWriter& writer) {
      writer.AddU32(StunAttribute::kLifetime, 0);
    });
    const size_t at = Byte() % request.size();
    request[at] ^= uint8_t(1 + Byte() % 255);
    const uint8_t cut = Byte();
    if (cut > 128) request.resize(request.size() - std::min<size_t>(request.size(), cut - 128));
    bench_.Deliver(Client(client), request);
    const int code = Settle();
    LG_FATAL(code != 0);
  }

  void Pass(Duration duration) {
    bench_.Pass(duration);
    const TimePoint now = bench_.now();
    std::erase_if(model_, [&](const auto& entry) { return entry.second.expires_at <= now; });
    for (auto& [client, allocation] : model_) {
      std::erase_if(allocation.permissions, [&](const auto& entry) { return entry.second <= now; });
      std::erase_if(allocation.channels,
                    [&](const auto& entry) { return entry.second.expires_at + seconds(300) <= now; });
    }
    LG_FATAL(Settle() == -1);
  }

  /// Permissions and channels as the model has them are exactly what the workers hold.
  void Compare() {
    LG_FATAL(bench_.server().allocation_count() == model_.size());
    LG_FATAL(workers_.size() == model_.size());
    for (const auto& [client, allocation] : model_) {
      const auto id = bench_.server().FindAllocation(Client(client));
      LG_FATAL(id.has_value());
      std::set<std::tuple<Endpoint, uint16_t, bool>> wanted, held;
      std::set<IpAddress> by_channel;
      for (const auto& [number, channel] : allocation.channels) {
        if (channel.expires_at <= bench_.now()) continue;
        wanted.insert({channel.peer, number, allocation.permissions.contains(channel.peer.address)});
        by_channel.insert(channel.peer.address);
      }
      for (const auto& [peer, expires_at] : allocation.permissions) {
        if (!by_channel.contains(peer)) wanted.insert({Endpoint{peer, 0}, uint16_t{0}, true});
      }
      for (const auto& [index, terms] : workers_.at(id->value()))
        held.insert({terms.peer, terms.channel, terms.permitted});
      LG_FATAL(wanted == held);
    }
  }

  const uint8_t* data_;
  size_t size_;
  size_t position_ = 0;
  TurnBench bench_{Config()};
  std::map<int, ModelAllocation> model_;
  Workers workers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Run(data, std::min<size_t>(size, 2000)).Go();
  return 0;
}
