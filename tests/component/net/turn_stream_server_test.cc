#include "controlplane/net/turn_stream_server.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/component/net/tcp_client.h"
#include "tests/component/net/tls_client.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_certificate.h"

namespace linegate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::TcpClient;
using test::TlsClient;
using ::testing::ElementsAre;

const std::string kBinding("\x00\x01\x00\x00\x21\x12\xa4\x42transaction!", 20);
const std::string kChannelData("\x40\x00\x00\x05hello\0\0\0", 12);

class TurnStreamServerTest : public ::testing::Test, public TurnStreamHandler {
 protected:
  TurnStreamServerTest() {
    const auto made = test::MakeTestCertificate();
    options_.tcp_listen = {{*IpAddress::Parse("127.0.0.1"), 0}};
    options_.tls_listen = {{*IpAddress::Parse("127.0.0.1"), 0}};
    options_.certificate_path = folder_.Write("cert.pem", made.certificate_pem);
    options_.private_key_path = folder_.Write("key.pem", made.private_key_pem);
    options_.realm_of = [](const IpAddress&) { return uint16_t(3); };
  }
  ~TurnStreamServerTest() override {
    if (!thread_.joinable()) return;
    OnMain([&] { server_.reset(); });
    runtime_.Stop();
    thread_.join();
  }

  void Start() {
    auto started = TurnStreamServer::Start(runtime_, options_, *this);
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
    tcp_ = server_->tcp_endpoints().at(0);
    tls_ = server_->tls_endpoints().at(0);
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
  TurnStreamCounters CountersOnceIdle() {
    const TimePoint deadline = MonotonicNow() + seconds(5);
    while (OnMain([&] { return server_->connection_count(); }) != 0 && MonotonicNow() < deadline) {
    }
    return OnMain([&] { return server_->counters(); });
  }

  void WaitForConnection() {
    const TimePoint deadline = MonotonicNow() + seconds(5);
    while (OnMain([&] { return server_->connection_count(); }) == 0 && MonotonicNow() < deadline) {
    }
  }

  /// Sends everything back: STUN as an answer, ChannelData as relayed data.
  void OnStreamMessage(const turn::TurnClient& client, const turn::StreamFrame& frame) override {
    client_ = client;
    if (on_message_) return on_message_(client, frame);
    if (frame.kind == turn::StreamFrame::Kind::kStun) {
      server_->SendAnswer(client.connection, frame.bytes);
    } else {
      server_->SendRelayed(client.connection, frame.bytes);
    }
  }
  void OnStreamClosed(uint64_t connection) override {
    std::lock_guard lock(mutex_);
    closed_.push_back(connection);
    changed_.notify_all();
  }
  std::vector<uint64_t> WaitForClosed(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(5), [&] { return closed_.size() >= count; });
    return closed_;
  }

  test::TemporaryFolder folder_;
  Runtime runtime_;
  TurnStreamOptions options_;
  std::unique_ptr<TurnStreamServer> server_;
  Endpoint tcp_, tls_;
  std::thread thread_;
  std::function<void(const turn::TurnClient&, const turn::StreamFrame&)> on_message_;
  turn::TurnClient client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint64_t> closed_;
};

TEST_F(TurnStreamServerTest, MessagesCrossOverTcpEvenOneByteAtATime) {
  Start();
  TcpClient client(tcp_);
  for (char c : kBinding + kChannelData) client.Write({&c, 1});
  EXPECT_EQ(client.Read(kBinding.size() + kChannelData.size()), kBinding + kChannelData);
  EXPECT_EQ(OnMain([&] { return client_.transport; }), turn::ClientTransport::kTcp);
  EXPECT_EQ(OnMain([&] { return client_.realm; }), 3);
  EXPECT_EQ(OnMain([&] { return client_.local; }), tcp_);
}

TEST_F(TurnStreamServerTest, MessagesCrossOverTls) {
  Start();
  TlsClient client(tls_);
  ASSERT_TRUE(client.Handshake());
  client.Write(kBinding + kChannelData + kBinding);
  EXPECT_EQ(client.ReadUntil(kChannelData + kBinding), kBinding + kChannelData + kBinding);
  EXPECT_EQ(OnMain([&] { return client_.transport; }), turn::ClientTransport::kTls);
}

TEST_F(TurnStreamServerTest, AlpnOfTurnIsAgreedOnAndAnUnknownOneServedAllTheSame) {
  Start();
  static constexpr unsigned char kTurn[] = "\x09stun.turn", kOther[] = "\x02h2";
  TlsClient with(tls_), other(tls_);
  SSL_CTX_set_alpn_protos(with.context(), kTurn, sizeof kTurn - 1);
  SSL_CTX_set_alpn_protos(other.context(), kOther, sizeof kOther - 1);
  for (TlsClient* client : {&with, &other}) {
    ASSERT_TRUE(client->Handshake());
    client->Write(kBinding);
    EXPECT_EQ(client->ReadUntil(kBinding), kBinding);
  }
}

TEST_F(TurnStreamServerTest, OldTlsIsRefused) {
  Start();
  TlsClient client(tls_);
  SSL_CTX_set_max_proto_version(client.context(), TLS1_1_VERSION);
  EXPECT_FALSE(client.Handshake());
  EXPECT_EQ(CountersOnceIdle().tls_failed, 1u);
}

TEST_F(TurnStreamServerTest, ClientThatLeavesIsReportedOnce) {
  Start();
  {
    TcpClient client(tcp_);
    client.Write(kBinding);
    client.Read(kBinding.size());
  }
  EXPECT_THAT(WaitForClosed(1), ElementsAre(1u));
  EXPECT_EQ(CountersOnceIdle().connections_closed, 1u);
}

TEST_F(TurnStreamServerTest, ClientThatNeverSpokeIsNotReported) {
  Start();
  {
    TcpClient client(tcp_);
    WaitForConnection();  // or there would be nothing to close yet
  }
  EXPECT_EQ(CountersOnceIdle().connections_closed, 1u);
  EXPECT_TRUE(WaitForClosed(0).empty());
}

TEST_F(TurnStreamServerTest, GarbageIsCut) {
  Start();
  TcpClient client(tcp_);
  client.Write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(client.WaitForClose());
  EXPECT_EQ(CountersOnceIdle().not_turn, 1u);
}

TEST_F(TurnStreamServerTest, SlowLorisIsCutInEveryPhase) {
  options_.limits.first_message = milliseconds(50);
  options_.limits.message = milliseconds(50);
  options_.limits.idle = milliseconds(100);
  Start();
  TcpClient silent(tcp_), silent_in_tls(tls_), half(tcp_), idle(tcp_);
  half.Write(kBinding + kBinding.substr(0, 7));
  idle.Write(kBinding);
  EXPECT_EQ(half.Read(kBinding.size()), kBinding);
  EXPECT_EQ(idle.Read(kBinding.size()), kBinding);
  for (TcpClient* client : {&silent, &silent_in_tls, &half, &idle}) EXPECT_TRUE(client->WaitForClose());
  const TurnStreamCounters counters = CountersOnceIdle();
  EXPECT_EQ(counters.first_message_timeouts, 2u);
  EXPECT_EQ(counters.message_timeouts, 1u);
  EXPECT_EQ(counters.idle_timeouts, 1u);
  EXPECT_EQ(counters.connections_closed, 4u);
}

TEST_F(TurnStreamServerTest, LimitsHoldPerSourceAndGiveBack) {
  options_.connections = {.total = 8, .per_source = 2};
  Start();
  TcpClient first(tcp_);
  first.Write(kBinding);
  first.Read(kBinding.size());
  {
    TcpClient second(tcp_);
    second.Write(kBinding);
    second.Read(kBinding.size());
    TcpClient third(tcp_);
    EXPECT_TRUE(third.WaitForClose());
  }
  WaitForClosed(1);
  TcpClient again(tcp_);
  again.Write(kBinding);
  EXPECT_EQ(again.Read(kBinding.size()), kBinding);
  EXPECT_EQ(OnMain([&] { return server_->counters(); }).connections_refused_source, 1u);
}

TEST_F(TurnStreamServerTest, SlowReaderLosesRelayedDataAndKeepsAnswers) {
  Start();
  TcpClient client(tcp_, 4096);
  client.Write(kBinding);
  ASSERT_EQ(client.Read(kBinding.size()), kBinding);
  const std::string packet = std::string("\x40\x00\x03\xe8", 4) + std::string(1000, 'x');
  const size_t sent = 20'000;
  OnMain([&] {
    for (size_t i = 0; i < sent; ++i) server_->SendRelayed(client_.connection, AsBytes(packet));
    server_->SendAnswer(client_.connection, AsBytes(kBinding));
  });
  const TurnStreamCounters counters = OnMain([&] { return server_->counters(); });
  EXPECT_EQ(counters.relayed_sent + counters.relayed_dropped, sent);
  EXPECT_GT(counters.relayed_dropped, sent / 2);
  const std::string got = client.Read(counters.relayed_sent * packet.size() + kBinding.size());
  EXPECT_EQ(got.size(), counters.relayed_sent * packet.size() + kBinding.size());
  EXPECT_TRUE(got.ends_with(kBinding));
}

TEST_F(TurnStreamServerTest, ReaderOfNothingIsCut) {
  Start();
  TcpClient client(tcp_, 4096);
  client.Write(kBinding);
  ASSERT_EQ(client.Read(kBinding.size()), kBinding);
  OnMain([&] {
    const std::string answer(2000, '\x01');
    for (int i = 0; i < 10'000; ++i) server_->SendAnswer(client_.connection, AsBytes(answer));
  });
  EXPECT_THAT(WaitForClosed(1), ElementsAre(1u));
  EXPECT_GE(CountersOnceIdle().slow_readers_cut, 1u);
}

TEST_F(TurnStreamServerTest, CloseLetsTheLastAnswerOut) {
  on_message_ = [&](const turn::TurnClient& client, const turn::StreamFrame& frame) {
    server_->SendAnswer(client.connection, frame.bytes);
    server_->Close(client.connection);
  };
  Start();
  TcpClient client(tcp_);
  client.Write(kBinding + kBinding);
  EXPECT_EQ(client.Read(1000), kBinding);
  EXPECT_TRUE(WaitForClosed(0).empty());
}

TEST_F(TurnStreamServerTest, DetachedStreamGoesOnBehindTheAnswer) {
  options_.connections = {.total = 8, .per_source = 1};
  TurnStreamServer::DetachedStream detached;
  on_message_ = [&](const turn::TurnClient& client, const turn::StreamFrame& frame) {
    server_->SendAnswer(client.connection, frame.bytes);
    server_->Detach(client.connection, [&](TurnStreamServer::DetachedStream stream) {
      detached = std::move(stream);
      detached.stream->Write({'r', 'a', 'w'}, [](ByteStream::Outcome) {});
    });
  };
  Start();
  TcpClient client(tcp_);
  client.Write(kBinding + "more");
  EXPECT_EQ(client.Read(kBinding.size() + 3), kBinding + "raw");
  EXPECT_EQ(OnMain([&] { return detached.unread; }), (std::vector<uint8_t>{'m', 'o', 'r', 'e'}));
  EXPECT_EQ(OnMain([&] { return server_->connection_count(); }), 0u);
  TcpClient refused(tcp_);  // the detached stream still counts
  EXPECT_TRUE(refused.WaitForClose());
  OnMain([&] { detached = {}; });
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(TurnStreamServerTest, ReloadServesTheNewCertificateToNewClients) {
  Start();
  TlsClient before(tls_);
  ASSERT_TRUE(before.Handshake());
  const auto made = test::MakeTestCertificate();
  folder_.Write("cert.pem", made.certificate_pem);
  EXPECT_FALSE(OnMain([&] { return server_->Reload().has_value(); }));  // key of the old one
  folder_.Write("key.pem", made.private_key_pem);
  EXPECT_TRUE(OnMain([&] { return server_->Reload().has_value(); }));
  TlsClient after(tls_);
  ASSERT_TRUE(after.Handshake());
  EXPECT_NE(before.certificate_fingerprint(), after.certificate_fingerprint());
  before.Write(kBinding);
  EXPECT_EQ(before.ReadUntil(kBinding), kBinding);
}

TEST_F(TurnStreamServerTest, TakenPortIsNamed) {
  Start();
  TurnStreamOptions second = options_;
  second.tcp_listen = {tcp_};
  const auto started = OnMain([&] { return TurnStreamServer::Start(runtime_, second, *this); });
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), ::testing::HasSubstr(tcp_.ToString()));
}

}  // namespace
}  // namespace linegate::net
