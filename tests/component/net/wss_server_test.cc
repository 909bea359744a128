#include "controlplane/net/wss_server.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "tests/component/net/tls_client.h"
#include "tests/support/test_certificate.h"

namespace linegate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::TlsClient;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Writes each callback down; other threads wait for one.
class RecordingHandler : public WssHandler {
 public:
  void OnFlowOpened(sip::FlowToken flow, Endpoint source) override {
    Add("open " + std::to_string(flow.value()) + " " + source.address.ToString());
  }
  void OnText(sip::FlowToken flow, std::string_view message) override {
    Add("text " + std::to_string(flow.value()) + " " + std::string(message));
  }
  void OnFlowClosed(sip::FlowToken flow) override { Add("closed " + std::to_string(flow.value())); }

  /// Waits until `count` callbacks came (five seconds at most).
  std::vector<std::string> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(5), [&] { return events_.size() >= count; });
    return events_;
  }

 private:
  void Add(std::string event) {
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
};

class WssServerTest : public ::testing::Test {
 protected:
  WssServerTest() {
    char path[] = "/tmp/linegate-wss-XXXXXX";
    folder_ = mkdtemp(path);
    WriteCertificate();
    options_.listen = {{*IpAddress::Parse("127.0.0.1"), 0}, {*IpAddress::Parse("::1"), 0}};
    options_.certificate_path = folder_ / "cert.pem";
    options_.private_key_path = folder_ / "key.pem";
    options_.load_site = [] {
      StaticSite site;
      site.Put("/index.html", {"text/html; charset=utf-8", "<p>page</p>"});
      site.Put("/config.json", {"application/json", "{}"});
      site.Put("/large.js", {"text/javascript", std::string(300'000, 'x')});
      return Result<StaticSite>(std::move(site));
    };
  }
  ~WssServerTest() override {
    if (thread_.joinable()) {
      OnMain([&] { server_.reset(); });
      runtime_.Stop();
      thread_.join();
    }
    std::filesystem::remove_all(folder_);
  }

  void WriteCertificate() {
    const auto made = test::MakeTestCertificate();
    std::ofstream(folder_ / "cert.pem") << made.certificate_pem;
    std::ofstream(folder_ / "key.pem") << made.private_key_pem;
  }

  void Start() {
    auto started = WssServer::Start(runtime_, options_, handler_);
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
  WssCounters Counters() {
    return OnMain([&] { return server_->counters(); });
  }

  /// A client may see its socket close before the server has noticed.
  WssCounters CountersOnceIdle() {
    const TimePoint deadline = MonotonicNow() + seconds(5);
    while (OnMain([&] { return server_->connection_count(); }) != 0 && MonotonicNow() < deadline) {
    }
    return Counters();
  }

  std::unique_ptr<TlsClient> Client() {
    auto client = std::make_unique<TlsClient>(endpoint_);
    EXPECT_TRUE(client->Handshake());
    return client;
  }
  std::unique_ptr<TlsClient> Phone() {
    auto client = Client();
    EXPECT_THAT(client->Upgrade(), StartsWith("HTTP/1.1 101 "));
    return client;
  }
  /// The close frame's code, after whatever else was under way.
  static int ReadCloseCode(TlsClient& client) {
    for (;;) {
      auto frame = client.ReadFrame();
      if (!frame) return -1;
      if (frame->opcode == TlsClient::kClose) return frame->close_code();
    }
  }

  std::filesystem::path folder_;
  Runtime runtime_;
  RecordingHandler handler_;
  WssOptions options_;
  std::unique_ptr<WssServer> server_;
  Endpoint endpoint_;
  std::thread thread_;
};

constexpr std::string_view kGetPage = "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n";

TEST_F(WssServerTest, CarriesMessagesBothWays) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "REGISTER sip:lab.example SIP/2.0");
  EXPECT_THAT(handler_.WaitFor(2),
              ElementsAre("open 1 127.0.0.1", "text 1 REGISTER sip:lab.example SIP/2.0"));
  EXPECT_TRUE(OnMain([&] { return server_->Send(sip::FlowToken(1), "SIP/2.0 200 OK"); }));
  const auto frame = phone->ReadFrame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, TlsClient::kText);
  EXPECT_EQ(frame->payload, "SIP/2.0 200 OK");
  EXPECT_FALSE(OnMain([&] { return server_->Send(sip::FlowToken(2), "nobody"); }));
}

TEST_F(WssServerTest, AnswersTheSubprotocolOnAnyPath) {
  Start();
  auto client = Client();
  const std::string head = client->Upgrade(
      "/some/path?x=1", "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Protocol: sip\r\n"));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("permessage-deflate")));
}

TEST_F(WssServerTest, ListensOnIpv6) {
  Start();
  endpoint_ = OnMain([&] { return server_->endpoints().at(1); });
  auto phone = Phone();
  EXPECT_THAT(handler_.WaitFor(1), ElementsAre("open 1 ::1"));
}

TEST_F(WssServerTest, OffersTls12AtLeast) {
  Start();
  TlsClient old(endpoint_);
  SSL_CTX_set_max_proto_version(old.context(), TLS1_1_VERSION);
  SSL_CTX_set_security_level(old.context(), 0);
  EXPECT_FALSE(old.Handshake());
  TlsClient twelve(endpoint_);
  SSL_CTX_set_max_proto_version(twelve.context(), TLS1_2_VERSION);
  EXPECT_TRUE(twelve.Handshake());
  EXPECT_EQ(Client()->tls_version(), "TLSv1.3");
}

TEST_F(WssServerTest, BinaryFramesAreSipToo) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kBinary, "OPTIONS \xff");
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "text 1 OPTIONS \xff"));
}

TEST_F(WssServerTest, FragmentsAreOneMessageAndMayInterleaveWithPings) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "INVITE ", TlsClient::Masking::kMasked, false);
  phone->SendFrame(TlsClient::kPing, "?");
  phone->SendFrame(TlsClient::kContinuation, "sip:1002 ", TlsClient::Masking::kMasked, false);
  const auto pong = phone->ReadFrame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, TlsClient::kPong);
  EXPECT_EQ(pong->payload, "?");
  phone->SendFrame(TlsClient::kContinuation, "SIP/2.0");
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "text 1 INVITE sip:1002 SIP/2.0"));
}

TEST_F(WssServerTest, HalfAMessageIsNeverDelivered) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "BYE sip:half", TlsClient::Masking::kMasked, false);
  phone.reset();
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
}

TEST_F(WssServerTest, DoubleCrlfIsAnsweredByCrlfAndNotDelivered) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "\r\n\r\n");
  const auto frame = phone->ReadFrame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, "\r\n");
  phone->SendFrame(TlsClient::kText, "\r\n");
  phone->SendFrame(TlsClient::kText, "next");
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "text 1 next"));
  EXPECT_EQ(Counters().keepalives_answered, 1u);
}

TEST_F(WssServerTest, WithoutSubprotocolIsRefused) {
  Start();
  EXPECT_THAT(Client()->Upgrade("/", ""), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Client()->Upgrade("/", "Sec-WebSocket-Protocol: xmpp, sips\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(Counters().upgrade_refused_subprotocol, 2u);
}

TEST_F(WssServerTest, MalformedHandshakeIsRefused) {
  Start();
  EXPECT_THAT(Client()->Request(
                  "GET / HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Client()->Request("GET / HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Protocol: sip\r\n\r\n"),
              Not(StartsWith("HTTP/1.1 101 ")));
  EXPECT_EQ(Counters().flows_opened, 0u);
  EXPECT_EQ(Counters().upgrade_failed, 2u);
}

TEST_F(WssServerTest, ForeignOriginIsRefused) {
  options_.allowed_origins = {"https://phone.example"};
  Start();
  const std::string sip = "Sec-WebSocket-Protocol: sip\r\n";
  EXPECT_THAT(Client()->Upgrade("/", sip + "Origin: https://evil.example\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Client()->Upgrade("/", sip), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Client()->Upgrade("/", sip + "Origin: https://phone.example\r\n"), StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(Counters().upgrade_refused_origin, 2u);
}

TEST_F(WssServerTest, UnmaskedFrameClosesWith1002) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "REGISTER", TlsClient::Masking::kUnmasked);
  EXPECT_EQ(ReadCloseCode(*phone), 1002);
  phone.reset();
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
  EXPECT_EQ(Counters().protocol_errors, 1u);
}

TEST_F(WssServerTest, ReservedOpcodeAndLongControlFrameCloseWith1002) {
  Start();
  auto reserved = Phone();
  reserved->SendFrame(3, "x");
  EXPECT_EQ(ReadCloseCode(*reserved), 1002);
  auto long_ping = Phone();
  long_ping->SendFrame(TlsClient::kPing, std::string(126, 'p'));
  EXPECT_EQ(ReadCloseCode(*long_ping), 1002);
}

TEST_F(WssServerTest, TextThatIsNotUtf8ClosesWith1007) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "REGISTER \xc3\x28");
  EXPECT_EQ(ReadCloseCode(*phone), 1007);
  phone.reset();
  handler_.WaitFor(2);
  EXPECT_EQ(Counters().bad_utf8, 1u);
}

TEST_F(WssServerTest, OversizedMessageClosesWith1009) {
  Start();
  auto fits = Phone();
  const std::string largest(64 * 1024, 'a');  // of the message, whatever the fragments
  fits->SendFrame(TlsClient::kText, largest);
  EXPECT_EQ(handler_.WaitFor(2).at(1), "text 1 " + largest);
  auto whole = Phone();
  whole->SendFrame(TlsClient::kText, largest + "a");
  EXPECT_EQ(ReadCloseCode(*whole), 1009);
  auto fragmented = Phone();
  fragmented->SendFrame(TlsClient::kText, largest, TlsClient::Masking::kMasked, false);
  fragmented->SendFrame(TlsClient::kContinuation, "a");
  EXPECT_EQ(ReadCloseCode(*fragmented), 1009);
  whole.reset(), fragmented.reset();
  handler_.WaitFor(6);
  EXPECT_EQ(Counters().messages_too_big, 2u);
}

TEST_F(WssServerTest, SlowHandshakesTimeOut) {
  options_.handshake_timeout = milliseconds(50);
  Start();
  TlsClient no_tls(endpoint_);
  EXPECT_TRUE(no_tls.WaitForClose());
  auto no_request = Client();
  EXPECT_TRUE(no_request->WaitForClose());
  auto half_request = Client();
  half_request->Write("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(half_request->WaitForClose());
  EXPECT_EQ(CountersOnceIdle().handshake_timeouts, 3u);
}

TEST_F(WssServerTest, SilentFlowIsClosedButPongsKeepItOpen) {
  options_.ping_interval = milliseconds(30);
  options_.idle_timeout = milliseconds(200);
  Start();
  auto phone = Phone();
  for (int i = 0; i < 15; ++i) {
    const auto ping = phone->ReadFrame();
    ASSERT_TRUE(ping) << i;
    ASSERT_EQ(ping->opcode, TlsClient::kPing);
    phone->SendFrame(TlsClient::kPong, ping->payload);
  }
  EXPECT_EQ(handler_.WaitFor(1).size(), 1u);
  // Now it reads on but answers no more.
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
  EXPECT_EQ(Counters().idle_timeouts, 1u);
}

TEST_F(WssServerTest, CloseSendsWhatIsQueuedThenItsCode) {
  Start();
  auto phone = Phone();
  handler_.WaitFor(1);
  OnMain([&] {
    server_->Send(sip::FlowToken(1), "SIP/2.0 403 Forbidden");
    server_->Send(sip::FlowToken(1), "last");
    server_->Close(sip::FlowToken(1), 4000);
    EXPECT_FALSE(server_->Send(sip::FlowToken(1), "too late"));
  });
  EXPECT_EQ(phone->ReadFrame()->payload, "SIP/2.0 403 Forbidden");
  EXPECT_EQ(phone->ReadFrame()->payload, "last");
  EXPECT_EQ(ReadCloseCode(*phone), 4000);
  phone->SendFrame(TlsClient::kText, "ignored");
  phone->SendFrame(TlsClient::kClose, "\x0f\xa0");
  EXPECT_TRUE(phone->WaitForClose());
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
}

TEST_F(WssServerTest, CloseEndsEvenIfThePeerIgnoresIt) {
  options_.close_timeout = milliseconds(50);
  Start();
  auto phone = Phone();
  handler_.WaitFor(1);
  OnMain([&] { server_->Close(sip::FlowToken(1), 1000); });
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
}

TEST_F(WssServerTest, PeersCloseFrameIsAnswered) {
  Start();
  auto phone = Phone();
  phone->SendFrame(TlsClient::kClose, "\x03\xe8");
  EXPECT_EQ(ReadCloseCode(*phone), 1000);
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
}

TEST_F(WssServerTest, SlowReaderIsCut) {
  options_.max_queue_bytes = 64 * 1024;
  Start();
  auto phone = Phone();
  handler_.WaitFor(1);
  const bool was_cut = OnMain([&] {
    // More than every socket buffer on the way holds; none of it can be written before this returns.
    for (int i = 0; i < 10; ++i) {
      if (!server_->Send(sip::FlowToken(1), std::string(16 * 1024, 'x'))) return true;
    }
    return false;
  });
  EXPECT_TRUE(was_cut);
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
  EXPECT_EQ(Counters().slow_readers, 1u);
}

TEST_F(WssServerTest, ConnectionLimitsCloseAtOnce) {
  options_.connections = {.total = 3, .per_source = 2};
  Start();
  auto one = Phone(), two = Phone();
  TlsClient three(endpoint_);
  EXPECT_TRUE(three.WaitForClose());
  one.reset();
  handler_.WaitFor(3);  // two opened, one closed
  auto again = Phone();
  EXPECT_EQ(Counters().connections_refused_source, 1u);
}

TEST_F(WssServerTest, FlowLimitsAnswer503) {
  options_.flows = {.total = 10, .per_source = 1};
  Start();
  auto one = Phone();
  const std::string refused = Client()->Upgrade();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: "));
  EXPECT_THAT(Client()->Request(kGetPage), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(Counters().upgrade_refused_limit, 1u);
}

TEST_F(WssServerTest, ServesFilesOnAKeptConnection) {
  Start();
  auto browser = Client();
  const std::string page = browser->Request(kGetPage);
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(page, EndsWith("\r\n\r\n<p>page</p>"));
  EXPECT_THAT(browser->Request("GET /config.json HTTP/1.1\r\nHost: g\r\n\r\n"), EndsWith("\r\n\r\n{}"));
  EXPECT_THAT(browser->Request("GET /none HTTP/1.1\r\nHost: g\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(browser->Request(kGetPage), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(Counters().http_requests, 4u);
}

TEST_F(WssServerTest, FilesOfManyTlsRecordsArriveWhole) {
  Start();
  auto browser = Client();
  EXPECT_THAT(browser->Request("GET /large.js HTTP/1.1\r\nHost: g\r\n\r\n"),
              EndsWith("\r\n\r\n" + std::string(300'000, 'x')));
  EXPECT_THAT(browser->Request(kGetPage), EndsWith("<p>page</p>"));
}

TEST_F(WssServerTest, HeadHasLengthButNoBody) {
  Start();
  auto browser = Client();
  const std::string head = browser->Request("HEAD / HTTP/1.1\r\nHost: g\r\n\r\n", "HEAD");
  EXPECT_THAT(head, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(browser->Request(kGetPage),
              StartsWith("HTTP/1.1 200 OK\r\n"));  // directly behind: no body between
}

TEST_F(WssServerTest, HostileRequestsGetNoFile) {
  Start();
  EXPECT_THAT(Client()->Request("GET /../etc/passwd HTTP/1.1\r\nHost: g\r\n\r\n"),
              StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Client()->Request("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: g\r\n\r\n"),
              StartsWith("HTTP/1.1 404 "));
  const std::string post = Client()->Request("POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(Client()->Request("\x16\x03 nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Client()->Request("GET / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(Counters().http_bad_requests, 2u);
}

TEST_F(WssServerTest, ReloadShowsTheNewCertificateAndKeepsFlows) {
  Start();
  auto phone = Phone();
  const std::string before = phone->certificate_fingerprint();
  WriteCertificate();
  EXPECT_TRUE(OnMain([&] { return bool(server_->Reload()); }));
  EXPECT_NE(Client()->certificate_fingerprint(), before);
  phone->SendFrame(TlsClient::kText, "still here");
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "text 1 still here"));
}

TEST_F(WssServerTest, ReloadOfABrokenCertificateChangesNothing) {
  Start();
  const std::string before = Client()->certificate_fingerprint();
  std::ofstream(folder_ / "key.pem") << test::MakeTestCertificate().private_key_pem;
  EXPECT_FALSE(OnMain([&] { return bool(server_->Reload()); }));
  EXPECT_EQ(Client()->certificate_fingerprint(), before);
}

TEST_F(WssServerTest, DrainClosesFlowsWith1001AndAcceptsNoMore) {
  Start();
  auto phone = Phone();
  handler_.WaitFor(1);
  OnMain([&] { server_->Drain(); });
  EXPECT_EQ(ReadCloseCode(*phone), 1001);
  phone.reset();
  EXPECT_THAT(handler_.WaitFor(2), ElementsAre("open 1 127.0.0.1", "closed 1"));
  EXPECT_EQ(OnMain([&] { return server_->connection_count(); }), 0u);
}

TEST_F(WssServerTest, PortInUseIsAnErrorThatNamesIt) {
  Start();
  options_.listen = {endpoint_};
  const std::string error = OnMain([&] {
    auto second = WssServer::Start(runtime_, options_, handler_);
    return second ? std::string() : second.error().message();
  });
  EXPECT_THAT(error, HasSubstr(endpoint_.ToString()));
}

TEST_F(WssServerTest, EveryCutOfAValidHandshakeIsSurvived) {
  Start();
  const std::string request =
      "GET / HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
      "13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: "
      "sip\r\n\r\n\x81\x85\x01\x02\x03\x04";
  for (size_t length = 0; length < request.size(); length += 7) Client()->Write(request.substr(0, length));
  auto phone = Phone();
  phone->SendFrame(TlsClient::kText, "\r\n\r\n");
  EXPECT_EQ(phone->ReadFrame()->payload, "\r\n");
}

TEST_F(WssServerTest, TurnSharesThePort) {
  std::unique_ptr<ByteStream> taken;
  Endpoint local, remote;
  std::promise<std::string> first_bytes;
  options_.on_turn = [&](std::unique_ptr<ByteStream> stream, const Endpoint& ours, const Endpoint& theirs) {
    taken = std::move(stream), local = ours, remote = theirs;
    taken->ReadSome([&](ByteView bytes) {
      first_bytes.set_value(std::string(AsText(bytes)));
      taken->Write({'y', 'e', 's'}, [](ByteStream::Outcome) {});
    });
  };
  Start();
  const std::string binding("\x00\x01\x00\x00\x21\x12\xa4\x42transaction!", 20);
  TlsClient turn(endpoint_);
  ASSERT_TRUE(turn.Handshake());
  turn.Write(binding);
  EXPECT_EQ(first_bytes.get_future().get(), binding);
  EXPECT_EQ(turn.ReadUntil("yes"), "yes");
  EXPECT_EQ(OnMain([&] { return local; }), endpoint_);
  EXPECT_EQ(CountersOnceIdle().turn_handed_over, 1u);
  TlsClient browser(endpoint_);
  ASSERT_TRUE(browser.Handshake());
  EXPECT_THAT(browser.Request(kGetPage), EndsWith("<p>page</p>"));
  OnMain([&] { taken.reset(); });
  EXPECT_TRUE(turn.WaitForClose());
}

}  // namespace
}  // namespace linegate::net
