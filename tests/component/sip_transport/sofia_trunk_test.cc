// Two trunks talk to each other over loopback addresses that belong to this process alone, and a raw socket
// plays the stranger and the peer that loses its ACK.
#include "controlplane/net/sofia_trunk.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <string>

#include "controlplane/sip/message_wire.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::net {
namespace {

using namespace std::chrono_literals;
using sip::Message;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr auto kPatience = 5s;

/// 127.0.0.0/8 is ours to choose from: the process id makes addresses that no other test process uses.
IpAddress Loopback(uint8_t last) {
  const auto pid = uint32_t(getpid());
  return IpAddress::V4(127, uint8_t(1 + (pid >> 8) % 200), uint8_t(pid), last);
}

/// A trunk and the events it posted, in order.
class Side {
 public:
  Side(uint8_t own, std::vector<IpAddress> sources, std::chrono::milliseconds t1 = 500ms,
       IpAddress address = {}) {
    endpoint_ = {address.family() == IpFamily::kNone ? Loopback(own) : address, 5060};
    TrunkOptions options;
    options.listen = {endpoint_};
    options.allowed_sources = std::move(sources);
    options.t1 = t1;
    auto started = SofiaTrunk::Start(
        std::move(options), [](std::function<void()> run) { run(); },
        [this](sip::Event event) {
          const std::lock_guard lock(mutex_);
          events_.push_back(std::move(event));
          changed_.notify_all();
        });
    if (!started) {
      ADD_FAILURE() << started.error().message();
      return;
    }
    trunk_ = *std::move(started);
  }
  ~Side() { trunk_.reset(); }

  template <typename T>
  std::optional<T> Next(std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [this] { return !events_.empty(); })) {
      return std::nullopt;
    }
    if (!std::holds_alternative<T>(events_.front())) {
      ADD_FAILURE() << "another event: " << events_.front().index();
      return std::nullopt;
    }
    T event = std::get<T>(std::move(events_.front()));
    events_.pop_front();
    return event;
  }
  bool Quiet(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, time, [this] { return !events_.empty(); });
  }
  void Send(uint64_t id, const Endpoint& to, Message request, bool prefer_tcp = false) {
    EXPECT_TRUE(trunk_->Execute(
        sip::SendRequest{sip::ClientTransactionId(id), sip::TrunkPeer{to, prefer_tcp}, std::move(request)}));
  }
  void Respond(sip::ServerTransactionId id, Message response) {
    EXPECT_TRUE(trunk_->Execute(sip::SendResponse{id, std::move(response)}));
  }
  SofiaTrunk& trunk() { return *trunk_; }
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  Endpoint endpoint_;
  std::unique_ptr<SofiaTrunk> trunk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<sip::Event> events_;
};

Message Request(const std::string& method, int cseq = 1) {
  Message request;
  request.method = method;
  request.request_uri = "sip:b%6fb@LAB.example;x=Y";
  request.headers = {{"Max-Forwards", "69"},
                     {"From", "\"A  \\\"x\"  <sip:a@Lab.example>;tag=f"},
                     {"To", "<sip:bob@LAB.example>"},
                     {"Call-ID", "c!1@x"},
                     {"CSeq", std::to_string(cseq) + " " + method},
                     {"Contact", "<sip:token@127.0.0.1:5060>"}};
  return request;
}

Message Response(const Message& request, int status, const std::string& to_tag = "t") {
  Message response;
  response.status = status;
  response.reason = "Some Reason";
  for (const char* name : {"From", "To", "Call-ID", "CSeq"})
    response.Add(name, std::string(*request.Get(name)));
  if (!sip::GetTag(*response.Get("To")))
    response.Set("To", sip::SetParam(*response.Get("To"), "tag", to_tag));
  if (request.method == "INVITE") response.Add("Contact", "<sip:other@127.0.0.1:5060>");
  return response;
}

std::vector<std::string> Lines(const Message& message) {
  std::vector<std::string> lines;
  for (const auto& field : message.headers) lines.push_back(field.name + ": " + field.value);
  return lines;
}

class TwoTrunks : public ::testing::Test {
 protected:
  Side a_{1, {Loopback(2)}, 50ms};
  Side b_{2, {Loopback(1)}, 50ms};

  /// INVITE from a to b, ringing.
  sip::ServerTransactionId Ring(uint64_t id, bool prefer_tcp) {
    a_.Send(id, b_.endpoint(), Request("INVITE"), prefer_tcp);
    const auto invite = b_.Next<sip::RequestReceived>();
    if (!invite) return sip::ServerTransactionId(0);
    invite_ = invite->request;
    b_.Respond(invite->transaction, Response(invite_, 180));
    const auto ringing = a_.Next<sip::ResponseReceived>();
    EXPECT_TRUE(ringing);
    if (ringing) {
      EXPECT_EQ(ringing->response.status, 180);
    }
    return invite->transaction;
  }
  Message Ack() {
    Message ack = Request("ACK");
    ack.Set("To", "<sip:bob@LAB.example>;tag=t");
    return ack;
  }
  Message invite_;
};

class TwoTrunksOver : public TwoTrunks, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(UdpAndTcp, TwoTrunksOver, ::testing::Bool(),
                         [](const auto& over) { return over.param ? "Tcp" : "Udp"; });

TEST_P(TwoTrunksOver, CallIsSetUpAndEnded) {
  const auto server = Ring(1, GetParam());
  EXPECT_NE(server.value() & kTrunkTransactionBit, 0u);
  b_.Respond(server, Response(invite_, 200));
  const auto answered = a_.Next<sip::ResponseReceived>();
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->response.status, 200);
  EXPECT_EQ(answered->transaction, sip::ClientTransactionId(1));

  a_.Send(0, b_.endpoint(), Ack(), GetParam());
  const auto ack = b_.Next<sip::RequestReceived>();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->request.method, "ACK");
  EXPECT_EQ(ack->transaction, sip::ServerTransactionId(0));
  EXPECT_TRUE(b_.Quiet(300ms));  // the 2xx is not sent again: nobody hears of it twice

  a_.Send(2, b_.endpoint(), Request("BYE", 2), GetParam());
  const auto bye = b_.Next<sip::RequestReceived>();
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->request.method, "BYE");
  EXPECT_EQ(std::get<sip::TrunkPeer>(bye->from).prefer_tcp, GetParam());
  b_.Respond(bye->transaction, Response(bye->request, 200));
  const auto ended = a_.Next<sip::ResponseReceived>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->response.status, 200);
}

TEST_P(TwoTrunksOver, CancelReachesTheInviteAndItsEndComesBack) {
  const auto server = Ring(1, GetParam());
  EXPECT_TRUE(a_.trunk().Execute(sip::CancelRequest{sip::ClientTransactionId(1)}));
  const auto cancel = b_.Next<sip::CancelReceived>();
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->transaction, server);
  EXPECT_EQ(cancel->cancel.method, "CANCEL");
  b_.Respond(server, Response(invite_, 487));
  const auto ended = a_.Next<sip::ResponseReceived>();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->response.status, 487);
  EXPECT_TRUE(a_.Quiet(300ms));
  EXPECT_TRUE(b_.Quiet(1ms));
}

TEST_P(TwoTrunksOver, EveryByteOfARequestAndItsResponseCrosses) {
  Message request = Request("MESSAGE");
  const std::vector<sip::HeaderField> exact = {
      {"Authorization", "Digest username=\"a\",realm=\"r, x\", nonce=\"n==\",uri=\"sip:x\",  qop=auth"},
      {"Proxy-Authorization", "Bearer  eyJ.x_y-z"},
      {"Route", "<sip:proxy.example;lr>,  <sip:second;lr>"},
      {"x-lower-CASE", "a  b\tc;;\"<"},
      {"X-Utf8", "gr\xc3\xbc\xc3\x9f"},
      {"Supported", "path,gruu ,  timer"},
      {"Date", "not a date"},
      {"Content-Type", "Text/Plain;charset=\"utf-8\""}};
  request.headers.insert(request.headers.end(), exact.begin(), exact.end());
  request.body = std::string("one\r\n\0two", 9);
  a_.Send(1, b_.endpoint(), request, GetParam());
  const auto received = b_.Next<sip::RequestReceived>();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->request.request_uri, request.request_uri);
  EXPECT_THAT(Lines(received->request), ElementsAreArray(Lines(request)));
  EXPECT_EQ(received->request.body, request.body);

  Message response = Response(request, 401);
  response.Add("WWW-Authenticate",
               "Digest realm=\"a, b\",qop=\"auth,auth-int\", nonce=\"1\",algorithm=SHA-256");
  response.Add("WWW-Authenticate", "X-Scheme  a=b");
  response.Add("X-Answer", " \"odd\"");
  response.headers.back().value = "\"odd\"  value";
  b_.Respond(received->transaction, response);
  const auto back = a_.Next<sip::ResponseReceived>();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->response.reason, "Some Reason");
  EXPECT_THAT(Lines(back->response), ElementsAreArray(Lines(response)));
}

TEST_F(TwoTrunks, LargeRequestGoesByTcp) {
  Message request = Request("MESSAGE");
  request.Add("X-Large", std::string(4096, 'x'));
  a_.Send(1, b_.endpoint(), request);
  const auto received = b_.Next<sip::RequestReceived>();
  ASSERT_TRUE(received);
  EXPECT_TRUE(std::get<sip::TrunkPeer>(received->from).prefer_tcp);
  EXPECT_THAT(Lines(received->request), ElementsAreArray(Lines(request)));
  b_.Respond(received->transaction, Response(request, 200));
  EXPECT_TRUE(a_.Next<sip::ResponseReceived>());
}

TEST_F(TwoTrunks, RefusedInviteIsAcknowledgedByTheTransport) {
  const auto server = Ring(1, false);
  b_.Respond(server, Response(invite_, 486));
  const auto refused = a_.Next<sip::ResponseReceived>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status, 486);
  EXPECT_TRUE(b_.Quiet(300ms));
  EXPECT_TRUE(a_.Quiet(1ms));
}

TEST_F(TwoTrunks, UnacknowledgedSuccessIsRepeatedThenReported) {
  const auto server = Ring(1, false);
  b_.Respond(server, Response(invite_, 200));
  ASSERT_TRUE(a_.Next<sip::ResponseReceived>());
  const auto alarm = b_.Next<sip::AckTimedOut>();  // 64 * 50 ms
  ASSERT_TRUE(alarm);
  EXPECT_EQ(alarm->transaction, server);
  EXPECT_GE(b_.trunk().counters().success_retransmissions, 8u);
  EXPECT_TRUE(a_.Quiet(1ms)) << "repeated 2xx must not reach the core";
}

TEST_F(TwoTrunks, InviteCancelledBeforeAnyResponseWaits) {
  a_.Send(1, b_.endpoint(), Request("INVITE"));
  EXPECT_TRUE(a_.trunk().Execute(sip::CancelRequest{sip::ClientTransactionId(1)}));
  const auto invite = b_.Next<sip::RequestReceived>();
  ASSERT_TRUE(invite);
  const auto cancel = b_.Next<sip::CancelReceived>();  // after the 100 that the transport sends
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->transaction, invite->transaction);
}

TEST_F(TwoTrunks, RequestsToNobodyFail) {
  a_.Send(1, Endpoint{Loopback(9), 5060}, Request("OPTIONS"));
  const auto udp = a_.Next<sip::ClientTransactionFailed>();
  ASSERT_TRUE(udp);
  a_.Send(2, Endpoint{Loopback(9), 5060}, Request("OPTIONS"), true);
  const auto tcp = a_.Next<sip::ClientTransactionFailed>();
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->reason, sip::FailureReason::kTransport);
}

TEST_F(TwoTrunks, UnsoundMessagesOfOursAreNotSent) {
  Message request = Request("OPTIONS");
  request.Remove("Call-ID");
  a_.Send(1, b_.endpoint(), request);
  EXPECT_TRUE(a_.Next<sip::ClientTransactionFailed>());
  EXPECT_EQ(a_.trunk().counters().unsendable, 1u);
}

TEST_F(TwoTrunks, ActionsForTheWssLegAreRefused) {
  EXPECT_FALSE(a_.trunk().Execute(sip::SendRequest{{}, sip::WssPeer{}, Request("OPTIONS")}));
  EXPECT_FALSE(a_.trunk().Execute(sip::SendResponse{sip::ServerTransactionId(1), {}}));
  EXPECT_FALSE(a_.trunk().Execute(sip::CloseFlow{sip::FlowToken(1), 1000}));
}

/// A datagram socket on a loopback address of this process.
class RawPeer {
 public:
  explicit RawPeer(uint8_t own) : socket_(socket(AF_INET, SOCK_DGRAM, 0)) {
    const sockaddr_in local = Address({Loopback(own), 5060});
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&local), sizeof local), 0);
  }
  ~RawPeer() { close(socket_); }
  void Send(const std::string& bytes, const Endpoint& to) {
    const sockaddr_in remote = Address(to);
    sendto(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&remote), sizeof remote);
  }
  std::string Receive(std::chrono::milliseconds patience) {
    pollfd poller{socket_, POLLIN, 0};
    if (poll(&poller, 1, int(patience.count())) <= 0) return {};
    std::string bytes(65536, '\0');
    const ssize_t size = recv(socket_, bytes.data(), bytes.size(), 0);
    bytes.resize(size < 0 ? 0 : size_t(size));
    return bytes;
  }

 private:
  static sockaddr_in Address(const Endpoint& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.address.bytes().data(), 4);
    return address;
  }
  int socket_;
};

std::string Datagram(uint8_t own, const std::string& method, const std::string& extra = "") {
  const std::string host = Loopback(own).ToString();
  return method + " sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP " + host + ":5060;branch=z9hG4bK" + method +
         "\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 " + method + "\r\n" + extra +
         "Content-Length: 0\r\n\r\n";
}

TEST(SofiaTrunk, StrangersGetNoReplyAndAreCounted) {
  Side side(1, {Loopback(2)});
  RawPeer stranger(3), friendly(2);
  stranger.Send(Datagram(3, "OPTIONS"), side.endpoint());
  stranger.Send("garbage SIP/2.0\r\n", side.endpoint());
  stranger.Send(std::string("\0\1\0\0\x21\x12\xa4\x42"
                            "0123456789ab",
                            20),
                side.endpoint());  // STUN: sofia answers it
  EXPECT_EQ(stranger.Receive(300ms), "");
  EXPECT_EQ(side.trunk().counters().foreign_packets_dropped, 3u);
  EXPECT_TRUE(side.Quiet(1ms));
  friendly.Send(Datagram(2, "OPTIONS"), side.endpoint());
  EXPECT_TRUE(side.Next<sip::RequestReceived>());
}

TEST(SofiaTrunk, StrangersCannotConnect) {
  Side side(1, {Loopback(2)});
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(5060);
  std::memcpy(&address.sin_addr, side.endpoint().address.bytes().data(), 4);
  connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address);  // from 127.0.0.1
  pollfd poller{client, POLLOUT, 0};
  EXPECT_EQ(poll(&poller, 1, 300), 0);
  close(client);
}

TEST(SofiaTrunk, UnsoundRequestsAreAnswered) {
  Side side(1, {Loopback(2)});
  RawPeer peer(2);
  std::string many;
  for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
  for (const std::string& extra :
       {many, "X: " + std::string(9000, 'a') + "\r\n", std::string("From: <sip:z@z>\r\n"),
        std::string("Content-Type: no slash\r\n")}) {
    peer.Send(Datagram(2, "OPTIONS", extra), side.endpoint());
    EXPECT_THAT(peer.Receive(kPatience), HasSubstr("SIP/2.0 400 ")) << extra.substr(0, 20);
  }
  EXPECT_TRUE(side.Quiet(1ms));
}

TEST(SofiaTrunk, CancelOfNothingIs481AndMissingMaxForwardsIsSupplied) {
  Side side(1, {Loopback(2)});
  RawPeer peer(2);
  peer.Send(Datagram(2, "CANCEL"), side.endpoint());
  EXPECT_THAT(peer.Receive(kPatience), HasSubstr("SIP/2.0 481 "));
  peer.Send(Datagram(2, "NOVELTIES"), side.endpoint());
  const auto received = side.Next<sip::RequestReceived>();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->request.Get("Max-Forwards"), "70");
  EXPECT_EQ(received->source, (Endpoint{Loopback(2), 5060}));
}

TEST(SofiaTrunk, RingingIsTriedAndRepeatedSuccessIsAckedAgain) {
  Side side(1, {Loopback(2)}, 200ms);
  RawPeer peer(2);
  side.Send(1, Endpoint{Loopback(2), 5060}, Request("INVITE"));
  const std::string invite = peer.Receive(kPatience);
  const auto parsed = sip::SplitMessage(invite, {});
  ASSERT_TRUE(parsed) << invite;
  EXPECT_THAT(parsed->vias.front(), HasSubstr("SIP/2.0/UDP " + side.endpoint().address.ToString()));
  const std::string success = sip::Serialise(Response(parsed->message, 200), parsed->vias);
  peer.Send(success, side.endpoint());
  ASSERT_TRUE(side.Next<sip::ResponseReceived>());
  Message ack = Request("ACK");
  ack.Set("To", "<sip:bob@LAB.example>;tag=t");
  side.Send(0, Endpoint{Loopback(2), 5060}, ack);
  EXPECT_THAT(peer.Receive(kPatience), HasSubstr("ACK sip:"));
  peer.Send(success, side.endpoint());
  EXPECT_THAT(peer.Receive(kPatience), HasSubstr("ACK sip:"));
  EXPECT_TRUE(side.Quiet(1ms));

  peer.Send(Datagram(2, "INVITE"), side.endpoint());
  ASSERT_TRUE(side.Next<sip::RequestReceived>());
  EXPECT_THAT(peer.Receive(kPatience), HasSubstr("SIP/2.0 100 "));
}

TEST(SofiaTrunk, WorksOverIpv6) {
  const IpAddress loopback = *IpAddress::Parse("::1");
  Side side(1, {loopback}, 500ms, loopback);
  side.Send(1, side.endpoint(), Request("OPTIONS"));
  const auto received = side.Next<sip::RequestReceived>();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->source.address, loopback);
  side.Respond(received->transaction, Response(received->request, 200));
  EXPECT_TRUE(side.Next<sip::ResponseReceived>());
}

class AgainstSipp : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, AgainstSipp, ::testing::Values("u1", "t1"));

TEST_P(AgainstSipp, ItsCallsSucceed) {
  ASSERT_EQ(std::system("command -v sipp >/dev/null"), 0) << "scripts/packages.sh test installs sip-tester";
  Side side(1, {Loopback(2)});
  const std::string command = "cd /tmp && timeout 20 sipp " + side.endpoint().ToString() + " -sn uac -i " +
                              Loopback(2).ToString() + " -p 5060 -t " + GetParam() +
                              " -m 3 -r 3 -d 100 -nostdin >/dev/null 2>&1";
  std::future<int> sipp = std::async(std::launch::async, [&command] { return std::system(command.c_str()); });
  for (int requests = 0; requests < 9; ++requests) {  // three times INVITE, ACK, BYE
    const auto received = side.Next<sip::RequestReceived>();
    if (!received) break;
    if (received->request.method == "INVITE")
      side.Respond(received->transaction, Response(received->request, 180));
    if (received->request.method != "ACK")
      side.Respond(received->transaction, Response(received->request, 200));
  }
  EXPECT_EQ(sipp.get(), 0);
  EXPECT_TRUE(side.Quiet(1ms));
}

TEST(SofiaTrunk, AddressThatIsNotOursIsAnError) {
  TrunkOptions options;
  options.listen = {{IpAddress::V4(192, 0, 2, 1), 5060}};
  const auto started = SofiaTrunk::Start(
      options, [](std::function<void()>) {}, [](sip::Event) {});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("192.0.2.1:5060"));
}

}  // namespace
}  // namespace linegate::net
