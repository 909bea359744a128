#include "controlplane/net/turn_dtls_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/support/temporary_folder.h"
#include "tests/support/test_certificate.h"

namespace linegate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kBinding("\x00\x01\x00\x00\x21\x12\xa4\x42transaction!", 20);

/// A UDP socket with or without DTLS on it. Blocking; reads give up after five seconds.
class DtlsClient {
 public:
  explicit DtlsClient(const Endpoint& server) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    std::copy_n(server.address.bytes().begin(), 4, reinterpret_cast<uint8_t*>(&address.sin_addr));
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval limit{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    context_ = SSL_CTX_new(DTLS_client_method());
    ssl_ = SSL_new(context_);
    BIO* bio = BIO_new_dgram(fd_, BIO_NOCLOSE);
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &address);
    SSL_set_bio(ssl_, bio, bio);
  }
  ~DtlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    close(fd_);
  }
  DtlsClient(const DtlsClient&) = delete;

  bool Handshake() { return SSL_connect(ssl_) == 1; }
  void Write(std::string_view message) {
    EXPECT_EQ(SSL_write(ssl_, message.data(), int(message.size())), int(message.size()));
  }
  std::string Read() {
    char bytes[4096];
    const int length = SSL_read(ssl_, bytes, sizeof bytes);
    return {bytes, size_t(std::max(length, 0))};
  }
  void WriteRaw(std::string_view datagram) { send(fd_, datagram.data(), datagram.size(), 0); }
  bool HearsAnything(int wait_ms) {
    pollfd readable{fd_, POLLIN, 0};
    return poll(&readable, 1, wait_ms) > 0;
  }

 private:
  int fd_;
  SSL_CTX* context_;
  SSL* ssl_;
};

class TurnDtlsServerTest : public ::testing::Test, public TurnStreamHandler {
 protected:
  TurnDtlsServerTest() {
    const auto made = test::MakeTestCertificate();
    options_.listen = {{*IpAddress::Parse("127.0.0.1"), 0}};
    options_.certificate_path = folder_.Write("cert.pem", made.certificate_pem);
    options_.private_key_path = folder_.Write("key.pem", made.private_key_pem);
  }
  ~TurnDtlsServerTest() override {
    OnMain([&] { server_.reset(); });
    runtime_.Stop();
    thread_.join();
  }
  void Start() {
    auto started = TurnDtlsServer::Start(runtime_, options_, *this, rng_);
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
    endpoint_ = server_->endpoints().at(0);
    thread_ = std::thread([this] { runtime_.Run(); });
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
    client_ = client;
    server_->Send(client.connection, frame.bytes);
  }
  void OnStreamClosed(uint64_t connection) override {
    std::lock_guard lock(mutex_);
    closed_.push_back(connection);
    changed_.notify_all();
  }
  bool WaitForClosed() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(5), [&] { return !closed_.empty(); });
  }

  test::TemporaryFolder folder_;
  Runtime runtime_;
  SecureRng rng_;
  TurnDtlsOptions options_;
  std::unique_ptr<TurnDtlsServer> server_;
  Endpoint endpoint_;
  std::thread thread_;
  turn::TurnClient client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint64_t> closed_;
};

TEST_F(TurnDtlsServerTest, MessagesCrossOncePeerReturnedTheCookie) {
  Start();
  DtlsClient client(endpoint_);
  ASSERT_TRUE(client.Handshake());
  client.Write(kBinding);
  EXPECT_EQ(client.Read(), kBinding);
  const std::string channel_data("\x40\x00\x00\x05hello", 9);
  client.Write(channel_data + std::string(3, '\0'));  // padding is allowed, and cut
  EXPECT_EQ(client.Read(), channel_data);
  EXPECT_EQ(OnMain([&] { return client_.transport; }), turn::ClientTransport::kDtls);
  EXPECT_TRUE(TurnDtlsServer::Owns(OnMain([&] { return client_.connection; })));
  const TurnDtlsCounters counters = OnMain([&] { return server_->counters(); });
  EXPECT_EQ(counters.cookies_sent, 1u);
  EXPECT_EQ(counters.associations_opened, 1u);
}

TEST_F(TurnDtlsServerTest, StrangersLeaveNoStateBehind) {
  Start();
  DtlsClient client(endpoint_);
  client.WriteRaw(kBinding);
  client.WriteRaw(std::string("\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x05garbage", 20));
  EXPECT_FALSE(client.HearsAnything(50));
  EXPECT_EQ(OnMain([&] { return server_->association_count(); }), 0u);
  EXPECT_EQ(OnMain([&] { return server_->counters().strays; }), 2u);
}

TEST_F(TurnDtlsServerTest, LimitPerSourceHolds) {
  options_.associations = {.total = 8, .per_source = 1};
  Start();
  DtlsClient first(endpoint_), second(endpoint_);
  ASSERT_TRUE(first.Handshake());
  std::thread other([&] { EXPECT_FALSE(second.Handshake()); });
  other.join();
  EXPECT_GE(OnMain([&] { return server_->counters().refused; }), 1u);
  EXPECT_EQ(OnMain([&] { return server_->association_count(); }), 1u);
}

TEST_F(TurnDtlsServerTest, IdleAssociationIsClosedAndReported) {
  options_.idle_timeout = milliseconds(100);
  Start();
  DtlsClient client(endpoint_);
  ASSERT_TRUE(client.Handshake());
  client.Write(kBinding);
  EXPECT_EQ(client.Read(), kBinding);
  EXPECT_TRUE(WaitForClosed());
  EXPECT_EQ(client.Read(), "");  // close_notify
  EXPECT_EQ(OnMain([&] { return server_->association_count(); }), 0u);
}

TEST_F(TurnDtlsServerTest, ClosedFromThisSideIsNotReported) {
  Start();
  DtlsClient client(endpoint_);
  ASSERT_TRUE(client.Handshake());
  client.Write(kBinding);
  EXPECT_EQ(client.Read(), kBinding);
  OnMain([&] { server_->Close(client_.connection); });
  EXPECT_EQ(client.Read(), "");
  EXPECT_EQ(OnMain([&] { return closed_.size(); }), 0u);
}

}  // namespace
}  // namespace linegate::net
