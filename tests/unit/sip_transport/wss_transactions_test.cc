#include "controlplane/sip/wss_transactions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/sip/sip_text.h"

namespace linegate::sip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class FramingOnly final : public MessageParser {
 public:
  ParseResult Parse(std::string_view bytes) const override { return SplitMessage(bytes, {}); }
};

class CountingRng final : public Rng {
 public:
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = 0;
    out.back() = ++count_;
  }

 private:
  uint8_t count_ = 0;
};

constexpr FlowToken kFlow{7};
constexpr FlowToken kOtherFlow{8};
constexpr std::string_view kFirstBranch = "z9hG4bK00000000000000000000000000000001";

std::string NameOf(const Peer& peer) { return std::to_string(std::get<WssPeer>(peer).flow.value()); }

std::string Describe(const Event& event) {
  struct Visitor {
    std::string operator()(const RequestReceived& e) {
      return "request " + std::to_string(e.transaction.value()) + " " + e.request.method + " from " +
             NameOf(e.from);
    }
    std::string operator()(const CancelReceived& e) {
      return "cancel " + std::to_string(e.transaction.value());
    }
    std::string operator()(const ResponseReceived& e) {
      return "response " + std::to_string(e.transaction.value()) + " " + std::to_string(e.response.status);
    }
    std::string operator()(const ClientTransactionFailed& e) {
      return "failed " + std::to_string(e.transaction.value()) +
             (e.reason == FailureReason::kTimeout ? " timeout" : " transport");
    }
    std::string operator()(const AckTimedOut& e) { return "no ack " + std::to_string(e.transaction.value()); }
    std::string operator()(const FlowOpened& e) { return "opened " + std::to_string(e.flow.value()); }
    std::string operator()(const FlowClosed& e) { return "closed " + std::to_string(e.flow.value()); }
  };
  return std::visit(Visitor{}, event);
}

std::string Describe(const WssOutput& output) {
  if (const auto* close = std::get_if<CloseConnection>(&output)) {
    return "close " + std::to_string(close->flow.value()) + " " + std::to_string(close->code);
  }
  const auto& frame = std::get<SendFrame>(output);
  return "send " + std::to_string(frame.flow.value()) + " " + frame.text.substr(0, frame.text.find("\r\n"));
}

struct Incoming {
  std::string method = "INVITE";
  std::string branch = "z9hG4bKa";
  std::string to = "<sip:b@x>";
  std::string cseq_method = {};
  std::string extra = {};
};
std::string Bytes(const Incoming& in) {
  return in.method + " sip:b@x SIP/2.0\r\nVia: SIP/2.0/WSS h.invalid;rport;branch=" + in.branch +
         "\r\nMax-Forwards: 69\r\nFrom: <sip:a@x>;tag=f\r\nTo: " + in.to + "\r\nCall-ID: c\r\nCSeq: 5 " +
         (in.cseq_method.empty() ? in.method : in.cseq_method) + "\r\n" + in.extra +
         "Content-Length: 0\r\n\r\n";
}

Message Answer(int status, std::string method = "INVITE", std::string to = "<sip:b@x>;tag=t") {
  Message response;
  response.status = status;
  response.reason = "R";
  response.headers = {
      {"From", "<sip:a@x>;tag=f"}, {"To", std::move(to)}, {"Call-ID", "c"}, {"CSeq", "5 " + method}};
  return response;
}

Message Outgoing(std::string method = "INVITE") {
  Message request;
  request.method = method;
  request.request_uri = "sip:b@h.invalid;transport=ws";
  request.headers = {{"Route", "<sip:r;lr>"},  {"Max-Forwards", "42"}, {"From", "<sip:a@x>;tag=f"},
                     {"To", "<sip:b@x>"},      {"Call-ID", "c"},       {"CSeq", "5 " + method},
                     {"X-Body-Kind", "marker"}};
  request.body = "v=0\r\n";
  return request;
}

class WssTransactionsTest : public ::testing::Test {
 protected:
  WssTransactionsTest() {
    layer_.HandleFlowOpened(now_, kFlow, {});
    layer_.HandleFlowOpened(now_, kOtherFlow, {});
    Drain();
  }
  /// Everything queued, events first; frames are kept in `frames_`.
  std::vector<std::string> Drain() {
    std::vector<std::string> list;
    Event event;
    while (layer_.PollEvent(event)) list.push_back(Describe(event));
    WssOutput output;
    frames_.clear();
    while (layer_.PollOutput(output)) {
      list.push_back(Describe(output));
      if (const auto* frame = std::get_if<SendFrame>(&output)) frames_.push_back(frame->text);
    }
    return list;
  }
  std::vector<std::string> Receive(const std::string& bytes, FlowToken flow = kFlow) {
    layer_.HandleMessage(now_, flow, bytes);
    return Drain();
  }
  std::vector<std::string> Do(const Action& action) {
    executed_ = layer_.Execute(now_, action);
    return Drain();
  }
  std::vector<std::string> Respond(uint64_t id, const Message& response) {
    return Do(SendResponse{ServerTransactionId(id), response});
  }
  std::vector<std::string> Send(uint64_t id, const Message& request) {
    return Do(SendRequest{ClientTransactionId(id), WssPeer{kFlow}, request});
  }
  std::vector<std::string> Advance(Duration by) {
    now_ += by;
    layer_.HandleTimeout(now_);
    return Drain();
  }
  /// A response to our request with `branch`.
  std::string Reply(int status, std::string_view branch = kFirstBranch, std::string method = "INVITE",
                    std::string to = "<sip:b@x>;tag=t") {
    return Serialise(Answer(status, method, to), {"SIP/2.0/WSS gw.example;branch=" + std::string(branch)});
  }

  FramingOnly parser_;
  CountingRng rng_;
  TimePoint now_{};
  WssTransactions layer_{{.via_host = "gw.example", .transactions_per_flow = 4}, parser_, rng_};
  std::vector<std::string> frames_;
  bool executed_ = false;
};

// ---- server INVITE

TEST_F(WssTransactionsTest, InviteIsTriedAfter200MsAndFailureEndsWithItsAck) {
  EXPECT_THAT(Receive(Bytes({})), ElementsAre("request 1 INVITE from 7"));
  EXPECT_EQ(layer_.NextTimeout(), now_ + milliseconds(200));
  EXPECT_THAT(Advance(milliseconds(199)), IsEmpty());
  EXPECT_THAT(Advance(milliseconds(1)), ElementsAre("send 7 SIP/2.0 100 Trying"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nVia: SIP/2.0/WSS h.invalid;rport;branch=z9hG4bKa\r\n"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nTo: <sip:b@x>\r\n"));
  EXPECT_THAT(Respond(1, Answer(180)), ElementsAre("send 7 SIP/2.0 180 R"));
  EXPECT_EQ(layer_.NextTimeout(), std::nullopt);
  EXPECT_THAT(Respond(1, Answer(486)), ElementsAre("send 7 SIP/2.0 486 R"));
  EXPECT_THAT(frames_[0], Not(HasSubstr("received")));
  EXPECT_EQ(layer_.NextTimeout(), now_ + seconds(32));
  EXPECT_THAT(Receive(Bytes({.method = "ACK", .to = "<sip:b@x>;tag=t"})), IsEmpty());
  EXPECT_EQ(layer_.transaction_count(), 0u);
  EXPECT_EQ(layer_.NextTimeout(), std::nullopt);
}

TEST_F(WssTransactionsTest, FailureWithoutAckEndsAtTimerH) {
  Receive(Bytes({}));
  Respond(1, Answer(486));
  EXPECT_THAT(Advance(seconds(32)), IsEmpty());
  EXPECT_EQ(layer_.transaction_count(), 0u);
}

TEST_F(WssTransactionsTest, AckForSuccessIsAnEventOnceAndStopsTheAlarm) {
  Receive(Bytes({}));
  EXPECT_THAT(Respond(1, Answer(200)), ElementsAre("send 7 SIP/2.0 200 R"));
  const std::string ack = Bytes({.method = "ACK", .branch = "z9hG4bKb", .to = "<sip:b@x>;tag=t"});
  EXPECT_THAT(Receive(ack), ElementsAre("request 0 ACK from 7"));
  EXPECT_THAT(Receive(ack), IsEmpty());
  EXPECT_THAT(Advance(seconds(32)), IsEmpty());
  EXPECT_EQ(layer_.transaction_count(), 0u);
}

TEST_F(WssTransactionsTest, SuccessWithoutAckRaisesTheAlarmAt64T1) {
  Receive(Bytes({}));
  Respond(1, Answer(200));
  EXPECT_THAT(Receive(Bytes({.method = "ACK", .branch = "z9hG4bKb", .to = "<sip:b@x>;tag=other"})),
              ElementsAre("request 0 ACK from 7"));
  EXPECT_THAT(Advance(milliseconds(31999)), IsEmpty());
  EXPECT_THAT(Advance(milliseconds(1)), ElementsAre("no ack 1"));
  EXPECT_EQ(layer_.counters().ack_timeouts, 1u);
}

TEST_F(WssTransactionsTest, RetransmittedInviteIsAbsorbed) {
  Receive(Bytes({}));
  EXPECT_THAT(Receive(Bytes({})), IsEmpty());
  Respond(1, Answer(180));
  EXPECT_THAT(Receive(Bytes({})), ElementsAre("send 7 SIP/2.0 180 R"));
  Respond(1, Answer(200));
  EXPECT_THAT(Receive(Bytes({})), IsEmpty());
  EXPECT_EQ(layer_.counters().retransmissions, 3u);
}

TEST_F(WssTransactionsTest, SameBranchOnAnotherFlowIsAnotherTransaction) {
  EXPECT_THAT(Receive(Bytes({})), ElementsAre("request 1 INVITE from 7"));
  EXPECT_THAT(Receive(Bytes({}), kOtherFlow), ElementsAre("request 2 INVITE from 8"));
  EXPECT_THAT(Receive(Bytes({.method = "CANCEL"}), kOtherFlow),
              ElementsAre("cancel 2", "send 8 SIP/2.0 200 OK"));
}

TEST_F(WssTransactionsTest, ResponsesAfterTheFinalOneAreNotSent) {
  Receive(Bytes({}));
  Respond(1, Answer(200));
  EXPECT_THAT(Respond(1, Answer(180)), IsEmpty());
  EXPECT_THAT(Respond(1, Answer(487)), IsEmpty());
  EXPECT_TRUE(executed_);
  EXPECT_THAT(Respond(99, Answer(200)), IsEmpty());
  EXPECT_FALSE(executed_);
}

// ---- CANCEL in

TEST_F(WssTransactionsTest, CancelIsAnsweredHereAndToldOnce) {
  Receive(Bytes({}));
  Respond(1, Answer(180));
  EXPECT_THAT(Receive(Bytes({.method = "CANCEL"})), ElementsAre("cancel 1", "send 7 SIP/2.0 200 OK"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nTo: <sip:b@x>;tag=t\r\n"));  // the INVITE's, RFC 3261 section 9.2
  EXPECT_THAT(frames_[0], HasSubstr("\r\nCSeq: 5 CANCEL\r\n"));
  EXPECT_THAT(Receive(Bytes({.method = "CANCEL"})), ElementsAre("send 7 SIP/2.0 200 OK"));
  EXPECT_THAT(Respond(1, Answer(487)), ElementsAre("send 7 SIP/2.0 487 R"));
  EXPECT_THAT(Receive(Bytes({.method = "ACK", .to = "<sip:b@x>;tag=t"})), IsEmpty());
}

TEST_F(WssTransactionsTest, CancelAfterTheAnswerHasNoEffect) {
  Receive(Bytes({}));
  Respond(1, Answer(200));
  EXPECT_THAT(Receive(Bytes({.method = "CANCEL"})), ElementsAre("send 7 SIP/2.0 200 OK"));
}

TEST_F(WssTransactionsTest, CancelOfNothingIs481) {
  EXPECT_THAT(Receive(Bytes({.method = "CANCEL"})),
              ElementsAre("send 7 SIP/2.0 481 Call/Transaction Does Not Exist"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nTo: <sip:b@x>;tag="));
}

// ---- server non-INVITE

TEST_F(WssTransactionsTest, OtherRequestsEndWithTheirFinalResponse) {
  EXPECT_THAT(Receive(Bytes({.method = "REGISTER"})), ElementsAre("request 1 REGISTER from 7"));
  EXPECT_THAT(Receive(Bytes({.method = "REGISTER"})), IsEmpty());
  EXPECT_THAT(Respond(1, Answer(401, "REGISTER")), ElementsAre("send 7 SIP/2.0 401 R"));
  EXPECT_EQ(layer_.transaction_count(), 0u);
}

TEST_F(WssTransactionsTest, RequestNobodyAnsweredIsForgottenAfter64T1) {
  Receive(Bytes({.method = "MESSAGE"}));
  EXPECT_THAT(Advance(seconds(32)), IsEmpty());
  EXPECT_THAT(Respond(1, Answer(200, "MESSAGE")), IsEmpty());
  EXPECT_FALSE(executed_);
}

TEST_F(WssTransactionsTest, RequestsOverTheLimitGet503) {
  for (int i = 0; i < 4; ++i) Receive(Bytes({.method = "INFO", .branch = "z9hG4bK" + std::to_string(i)}));
  EXPECT_THAT(Receive(Bytes({.method = "INFO"})), ElementsAre("send 7 SIP/2.0 503 Service Unavailable"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nRetry-After: 5\r\n"));
  EXPECT_THAT(Receive(Bytes({.method = "INFO"}), kOtherFlow), ElementsAre("request 5 INFO from 8"));
}

// ---- client INVITE

TEST_F(WssTransactionsTest, OutgoingRequestCarriesOurViaAndKeepsEveryByte) {
  Send(1, Outgoing());
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(
      frames_[0],
      "INVITE sip:b@h.invalid;transport=ws SIP/2.0\r\n"
      "Via: SIP/2.0/WSS gw.example;branch=" +
          std::string(kFirstBranch) +
          "\r\n"
          "Route: <sip:r;lr>\r\nMax-Forwards: 42\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: c\r\n"
          "CSeq: 5 INVITE\r\nX-Body-Kind: marker\r\nContent-Length: 5\r\n\r\nv=0\r\n");
}

TEST_F(WssTransactionsTest, FailureIsAcknowledgedHere) {
  Send(1, Outgoing());
  EXPECT_THAT(Receive(Reply(100)), IsEmpty());
  EXPECT_THAT(Receive(Reply(180)), ElementsAre("response 1 180"));
  EXPECT_EQ(layer_.NextTimeout(), std::nullopt);
  EXPECT_THAT(Receive(Reply(486)),
              ElementsAre("response 1 486", "send 7 ACK sip:b@h.invalid;transport=ws SIP/2.0"));
  EXPECT_EQ(frames_[0],
            "ACK sip:b@h.invalid;transport=ws SIP/2.0\r\n"
            "Via: SIP/2.0/WSS gw.example;branch=" +
                std::string(kFirstBranch) +
                "\r\n"
                "Route: <sip:r;lr>\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=f\r\nTo: "
                "<sip:b@x>;tag=t\r\nCall-ID: c\r\n"
                "CSeq: 5 ACK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(layer_.transaction_count(), 0u);
}

TEST_F(WssTransactionsTest, SuccessIsPassedOnceAndAckedByTheCore) {
  Send(1, Outgoing());
  EXPECT_THAT(Receive(Reply(200)), ElementsAre("response 1 200"));
  EXPECT_THAT(Receive(Reply(200)), IsEmpty());
  EXPECT_THAT(Receive(Reply(200, kFirstBranch, "INVITE", "<sip:b@x>;tag=fork")),
              ElementsAre("response 1 200"));
  EXPECT_THAT(Send(0, Outgoing("ACK")), ElementsAre("send 7 ACK sip:b@h.invalid;transport=ws SIP/2.0"));
  EXPECT_THAT(frames_[0], Not(HasSubstr(kFirstBranch)));
  EXPECT_THAT(Receive(Reply(486)), IsEmpty());
  EXPECT_THAT(Advance(seconds(32)), IsEmpty());  // timer M
  EXPECT_EQ(layer_.transaction_count(), 0u);
}

TEST_F(WssTransactionsTest, SilenceIsATimeoutAt64T1) {
  Send(1, Outgoing());
  EXPECT_THAT(Advance(milliseconds(31999)), IsEmpty());
  EXPECT_THAT(Advance(milliseconds(1)), ElementsAre("failed 1 timeout"));
  EXPECT_THAT(Receive(Reply(200)), IsEmpty());
  EXPECT_EQ(layer_.counters().stray_responses, 1u);
}

// ---- CANCEL out

TEST_F(WssTransactionsTest, CancelWaitsForAProvisionalResponse) {
  Send(1, Outgoing());
  EXPECT_THAT(Do(CancelRequest{ClientTransactionId(1)}), IsEmpty());
  EXPECT_TRUE(executed_);
  EXPECT_THAT(Receive(Reply(100)), ElementsAre("send 7 CANCEL sip:b@h.invalid;transport=ws SIP/2.0"));
  EXPECT_EQ(
      frames_[0],
      "CANCEL sip:b@h.invalid;transport=ws SIP/2.0\r\n"
      "Via: SIP/2.0/WSS gw.example;branch=" +
          std::string(kFirstBranch) +
          "\r\n"
          "Route: <sip:r;lr>\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: c\r\n"
          "CSeq: 5 CANCEL\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(Receive(Reply(200, kFirstBranch, "CANCEL")), IsEmpty());
  EXPECT_THAT(Receive(Reply(487)),
              ElementsAre("response 1 487", "send 7 ACK sip:b@h.invalid;transport=ws SIP/2.0"));
}

TEST_F(WssTransactionsTest, CancelledButNeverEndedInviteTimesOut) {
  Send(1, Outgoing());
  Receive(Reply(180));
  EXPECT_THAT(Do(CancelRequest{ClientTransactionId(1)}),
              ElementsAre("send 7 CANCEL sip:b@h.invalid;transport=ws SIP/2.0"));
  EXPECT_THAT(Do(CancelRequest{ClientTransactionId(1)}), IsEmpty());
  EXPECT_THAT(Advance(seconds(32)), ElementsAre("failed 1 timeout"));
}

TEST_F(WssTransactionsTest, CancelOfAnAnsweredOrUnknownRequestIsNotSent) {
  Send(1, Outgoing());
  Receive(Reply(200));
  EXPECT_THAT(Do(CancelRequest{ClientTransactionId(1)}), IsEmpty());
  EXPECT_THAT(Do(CancelRequest{ClientTransactionId(9)}), IsEmpty());
  EXPECT_FALSE(executed_);
}

// ---- client non-INVITE

TEST_F(WssTransactionsTest, OtherRequestsEndWithTheirResponseOrTimerF) {
  Send(1, Outgoing("BYE"));
  EXPECT_THAT(Receive(Reply(100, kFirstBranch, "BYE")), IsEmpty());
  EXPECT_THAT(Receive(Reply(200, kFirstBranch, "BYE")), ElementsAre("response 1 200"));
  EXPECT_EQ(layer_.transaction_count(), 0u);
  Send(2, Outgoing("INFO"));
  EXPECT_THAT(Advance(seconds(32)), ElementsAre("failed 2 timeout"));
}

TEST_F(WssTransactionsTest, ResponsesMatchOnlyTheirOwnFlowViaAndMethod) {
  Send(1, Outgoing("INFO"));
  EXPECT_THAT(Receive(Reply(200, kFirstBranch, "INFO"), kOtherFlow), IsEmpty());
  EXPECT_THAT(Receive(Reply(200, kFirstBranch, "BYE")), IsEmpty());
  EXPECT_THAT(Receive(Reply(200, "z9hG4bKguess", "INFO")), IsEmpty());
  EXPECT_THAT(
      Receive(Serialise(Answer(200, "INFO"), {"SIP/2.0/WSS gw.example;branch=" + std::string(kFirstBranch),
                                              "SIP/2.0/WSS other;branch=z9hG4bKo"})),
      IsEmpty());
  EXPECT_EQ(layer_.counters().stray_responses, 4u);
  EXPECT_THAT(Receive(Reply(200, kFirstBranch, "INFO")), ElementsAre("response 1 200"));
}

// ---- flows

TEST_F(WssTransactionsTest, ClosedFlowEndsAllItsTransactions) {
  Receive(Bytes({}));
  Send(1, Outgoing());
  Send(2, Outgoing("INFO"));
  Send(3, Outgoing());
  const std::string third = "z9hG4bK00000000000000000000000000000003";
  Receive(Reply(200, third));
  layer_.HandleFlowClosed(now_, kFlow);
  EXPECT_THAT(Drain(), ElementsAre("failed 1 transport", "failed 2 transport", "closed 7"));
  EXPECT_EQ(layer_.transaction_count(), 0u);
  EXPECT_EQ(layer_.NextTimeout(), std::nullopt);
  EXPECT_THAT(Send(4, Outgoing()), ElementsAre("failed 4 transport"));
  EXPECT_THAT(Send(0, Outgoing("ACK")), IsEmpty());
  EXPECT_THAT(Receive(Bytes({})), IsEmpty());
}

TEST_F(WssTransactionsTest, CoreClosesFlows) {
  EXPECT_THAT(Do(CloseFlow{kFlow, 1001}), ElementsAre("close 7 1001"));
  EXPECT_THAT(Do(CloseFlow{FlowToken(99), 1001}), IsEmpty());
  EXPECT_FALSE(executed_);
}

TEST_F(WssTransactionsTest, TrunkActionsAreNotForThisLayer) {
  EXPECT_THAT(Do(SendRequest{ClientTransactionId(1), TrunkPeer{}, Outgoing()}), IsEmpty());
  EXPECT_FALSE(executed_);
}

TEST_F(WssTransactionsTest, KeepAliveIsAnsweredAndNothingElse) {
  EXPECT_THAT(Receive("\r\n\r\n"), ElementsAre("send 7 "));
  EXPECT_EQ(frames_[0], "\r\n");
  EXPECT_THAT(Receive("\r\n"), IsEmpty());
  EXPECT_EQ(layer_.counters().garbage, 0u);
}

// ---- bad input

TEST_F(WssTransactionsTest, UnsoundRequestIsAnswered) {
  EXPECT_THAT(Receive(Bytes({.extra = "Nonsense\r\n"})), ElementsAre("send 7 SIP/2.0 400 Bad Header Field"));
  EXPECT_THAT(Receive(Bytes({}) + Bytes({})), ElementsAre("send 7 SIP/2.0 400 Bytes After The Message"));
  EXPECT_THAT(Receive(Bytes({.cseq_method = "BYE"})), ElementsAre("send 7 SIP/2.0 400 CSeq Method Mismatch"));
  EXPECT_EQ(layer_.counters().refused, 3u);
  EXPECT_EQ(layer_.transaction_count(), 0u);
}

TEST_F(WssTransactionsTest, FlowOfGarbageIsClosed) {
  for (int i = 1; i < WssTransactions::kGarbageLimit; ++i) EXPECT_THAT(Receive("garbage"), IsEmpty());
  EXPECT_THAT(Receive("garbage"), ElementsAre("close 7 1008"));
  EXPECT_THAT(Receive("garbage"), IsEmpty());
}

TEST_F(WssTransactionsTest, RequestsWithoutTheBranchCookieAreToldApart) {
  EXPECT_THAT(Receive(Bytes({.method = "INFO", .branch = "1"})), ElementsAre("request 1 INFO from 7"));
  EXPECT_THAT(Receive(Bytes({.method = "INFO", .branch = "1"})), IsEmpty());
  EXPECT_THAT(Receive(Bytes({.method = "INFO", .branch = "2"})), ElementsAre("request 2 INFO from 7"));
}

TEST_F(WssTransactionsTest, CredentialsAndUnknownHeadersCrossByteExactBothWays) {
  const std::string extra =
      "Authorization: Digest username=\"a\",realm=\"r, x\", nonce=\"n==\",uri=\"sip:x\",  qop=auth\r\n"
      "Proxy-Authorization: Bearer  eyJ.x_y-z\r\nWWW-Authenticate: Digest "
      "realm=\"a\",qop=\"auth,auth-int\"\r\n"
      "x-lower-CASE: \t a  b\tc\r\nX-Empty:\r\n";
  layer_.HandleMessage(now_, kFlow, Bytes({.method = "MESSAGE", .extra = extra}));
  Event event;
  ASSERT_TRUE(layer_.PollEvent(event));
  Send(1, std::get<RequestReceived>(event).request);
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_THAT(frames_[0], HasSubstr("\r\nAuthorization: Digest username=\"a\",realm=\"r, x\", nonce=\"n==\","
                                    "uri=\"sip:x\",  qop=auth\r\n"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nProxy-Authorization: Bearer  eyJ.x_y-z\r\n"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nWWW-Authenticate: Digest realm=\"a\",qop=\"auth,auth-int\"\r\n"));
  EXPECT_THAT(frames_[0], HasSubstr("\r\nx-lower-CASE: a  b\tc\r\nX-Empty: \r\n"));
}

}  // namespace
}  // namespace linegate::sip
