#include "controlplane/net/turn_tcp_relay.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "controlplane/net/turn_stream_server.h"
#include "tests/component/net/tcp_client.h"

namespace linegate::net {
namespace {

using std::chrono::seconds;
using test::TcpClient;
using turn::AllocationId;
using turn::TcpConnectionId;

const std::string kBinding("\x00\x01\x00\x00\x21\x12\xa4\x42transaction!", 20);

/// A listening socket of the kernel's choice on 127.0.0.1.
class Listener {
 public:
  Listener() {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    endpoint_ = {IpAddress::V4(127, 0, 0, 1), ntohs(address.sin_port)};
    EXPECT_EQ(listen(fd_, 4), 0);
  }
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  const Endpoint& endpoint() const { return endpoint_; }
  TcpClient Accept(uint16_t* remote_port) {
    sockaddr_in address = {};
    socklen_t length = sizeof address;
    const int fd = accept(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    *remote_port = ntohs(address.sin_port);
    return TcpClient(fd);
  }

 private:
  int fd_;
  Endpoint endpoint_;
};

/// Clients come through a TurnStreamServer, which gives their streams away at the first message.
class TurnTcpRelayTest : public ::testing::Test, public TurnTcpRelayHandler, public TurnStreamHandler {
 protected:
  TurnTcpRelayTest() : relay_(std::make_unique<TurnTcpRelay>(runtime_, *this)) {
    TurnStreamOptions options;
    options.tcp_listen = {{*IpAddress::Parse("127.0.0.1"), 0}};
    auto started = TurnStreamServer::Start(runtime_, options, *this);
    EXPECT_TRUE(started) << started.error().message();
    streams_ = std::move(*started);
    server_ = streams_->tcp_endpoints().at(0);
    thread_ = std::thread([this] { runtime_.Run(); });
  }
  ~TurnTcpRelayTest() override {
    OnMain([&] { relay_.reset(), streams_.reset(); });
    runtime_.Stop();
    thread_.join();
  }
  template <typename Work>
  auto OnMain(Work work) -> decltype(work()) {
    std::promise<decltype(work())> done;
    runtime_.Post([&] {
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        done.set_value();
      } else {
        done.set_value(work());
      }
    });
    return done.get_future().get();
  }

  void OnStreamMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) override {
    streams_->SendAnswer(client.connection, frame.bytes);
    streams_->Detach(client.connection, [this](TurnStreamServer::DetachedStream stream) {
      relay_->Bind(bind_to_, std::move(stream.stream), std::move(stream.unread), std::move(stream.admission));
    });
  }
  void OnStreamClosed(uint64_t) override {}
  void OnTcpRelayOpened(AllocationId allocation, turn::Outcome outcome) override {
    Add("opened " + std::to_string(allocation.value()) + (outcome == turn::Outcome::kDone ? "" : " refused"));
  }
  std::optional<TcpConnectionId> OnTcpPeerAccepted(AllocationId, const Endpoint&) override {
    if (!welcome_) return std::nullopt;
    Add("accepted");
    return TcpConnectionId(7);
  }
  void OnTcpPeerConnected(TcpConnectionId connection, turn::Outcome outcome) override {
    Add("connected " + std::to_string(connection.value()) +
        (outcome == turn::Outcome::kDone ? "" : " refused"));
  }
  void OnTcpConnectionGone(TcpConnectionId connection) override {
    Add("gone " + std::to_string(connection.value()));
  }
  void Add(std::string event) {
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  bool WaitFor(const std::string& event) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, seconds(5), [&] { return std::find(events_.begin(), events_.end(), event) != events_.end(); });
  }
  /// A relayed address the kernel had free a moment ago.
  Endpoint OpenRelay() {
    const Endpoint relayed = Listener().endpoint();
    OnMain([&] { relay_->Open(AllocationId(1), relayed); });
    EXPECT_TRUE(WaitFor("opened 1"));
    return relayed;
  }

  Runtime runtime_;
  std::unique_ptr<TurnTcpRelay> relay_;
  std::unique_ptr<TurnStreamServer> streams_;
  Endpoint server_;
  std::thread thread_;
  TcpConnectionId bind_to_{7};
  std::atomic<bool> welcome_{true};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
};

TEST_F(TurnTcpRelayTest, PeerThatConnectsIsCarriedOnceBoundAndNothingIsLost) {
  TcpClient peer(OpenRelay());
  ASSERT_TRUE(WaitFor("accepted"));
  peer.Write("early");
  TcpClient client(server_);
  client.Write(kBinding + "unread");
  EXPECT_EQ(client.Read(kBinding.size() + 5), kBinding + "early");
  EXPECT_EQ(peer.Read(6), "unread");
  const std::string large(3'000'000, 'x');
  std::thread writer([&] { peer.Write(large); });
  EXPECT_EQ(client.Read(large.size()), large);
  writer.join();
  client.Write("bye");
  EXPECT_EQ(peer.Read(3), "bye");
  EXPECT_EQ(OnMain([&] { return relay_->connection_count(); }), 1u);
}

TEST_F(TurnTcpRelayTest, EndOfOneSideReachesTheOther) {
  {
    TcpClient peer(OpenRelay());
    ASSERT_TRUE(WaitFor("accepted"));
    TcpClient client(server_);
    client.Write(kBinding);
    EXPECT_EQ(client.Read(kBinding.size()), kBinding);
    peer.Write("last words");
    peer.EndOutput();
    EXPECT_EQ(client.Read(100), "last words");
  }
  EXPECT_TRUE(WaitFor("gone 7"));
  EXPECT_EQ(OnMain([&] { return relay_->connection_count(); }), 0u);
}

TEST_F(TurnTcpRelayTest, ConnectionsLeaveFromTheRelayedAddress) {
  const Endpoint relayed = OpenRelay();
  Listener peer;
  OnMain([&] { relay_->Connect(AllocationId(1), TcpConnectionId(7), relayed, peer.endpoint()); });
  uint16_t seen_port = 0;
  TcpClient accepted = peer.Accept(&seen_port);
  EXPECT_EQ(seen_port, relayed.port);
  ASSERT_TRUE(WaitFor("connected 7"));
  TcpClient client(server_);
  client.Write(kBinding + "hello");
  EXPECT_EQ(accepted.Read(5), "hello");
}

TEST_F(TurnTcpRelayTest, FailuresAreReported) {
  const Endpoint nobody = Listener().endpoint();
  const Endpoint relayed = OpenRelay();
  OnMain([&] { relay_->Connect(AllocationId(1), TcpConnectionId(9), relayed, nobody); });
  EXPECT_TRUE(WaitFor("connected 9 refused"));
  Listener taken;
  OnMain([&] { relay_->Open(AllocationId(2), taken.endpoint()); });
  EXPECT_TRUE(WaitFor("opened 2 refused"));
  bind_to_ = TcpConnectionId(11);
  TcpClient client(server_);
  client.Write(kBinding);
  EXPECT_TRUE(WaitFor("gone 11"));
  EXPECT_EQ(client.Read(kBinding.size()), kBinding);
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(TurnTcpRelayTest, UnwelcomePeersAndClosedRelaysAreShut) {
  welcome_ = false;
  const Endpoint relayed = OpenRelay();
  TcpClient stranger(relayed);
  EXPECT_TRUE(stranger.WaitForClose());
  welcome_ = true;
  TcpClient peer(relayed);
  ASSERT_TRUE(WaitFor("accepted"));
  OnMain([&] {
    relay_->Close(AllocationId(1));
    relay_->CloseConnection(TcpConnectionId(7));
  });
  EXPECT_TRUE(peer.WaitForClose());
  EXPECT_EQ(OnMain([&] { return relay_->listener_count() + relay_->connection_count(); }), 0u);
  EXPECT_EQ(OnMain([&] { return relay_->counters().peers_refused; }), 1u);
}

}  // namespace
}  // namespace linegate::net
