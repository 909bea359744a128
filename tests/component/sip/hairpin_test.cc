#include <deque>

#include "tests/unit/sip/b2bua_fixture.h"

/// Browser to browser through the SIP Server: one B2bua and a fake Kamailio between its own two legs. Both
/// legs towards the SIP Server share one Call-ID with mirrored tags, which is what the dialog table must
/// never mix up.
namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A record-routing proxy: sends an INVITE for sip:USER@relay.example to the registered contact, everything
/// inside a dialog along its Route, responses back the way the request came. Transactions are paired by
/// number.
class FakeKamailio {
 public:
  void Register(const std::string& user, const std::string& contact_uri) { contacts_[user] = contact_uri; }

  /// A request of the B2bua arrives; what leaves towards the B2bua again.
  Message Route(Message request) {
    if (const auto route = request.Get("Route");
        route && route->find("10.90.2.2") != std::string_view::npos) {
      request.Remove("Route");
    } else {
      const auto uri = ParseUri(request.request_uri);
      request.request_uri = contacts_.at(std::string(uri->user));
      request.Add("Record-Route", "<sip:10.90.2.2;lr>");
    }
    request.Set("Max-Forwards", std::to_string(std::stoi(Header(request, "Max-Forwards")) - 1));
    return request;
  }

 private:
  std::map<std::string, std::string> contacts_;
};

class Hairpin : public B2buaFixture {
 protected:
  void SetUp() override {
    kamailio.Register("1001", "sip:" + RegisterRelayed(1, "1001", "aaa") + "@10.90.2.1:5060");
    kamailio.Register("1002", "sip:" + RegisterRelayed(2, "1002", "bbb") + "@10.90.2.1:5060");
  }

  /// Gives an event and lets the proxy carry what is for it, until only browsers have something to do.
  /// Returns the actions towards browsers.
  std::vector<std::string> Run(std::vector<std::string> lines) {
    std::vector<std::string> at_browsers;
    browser_actions.clear();
    std::deque<std::pair<std::string, Action>> todo;
    const auto take = [&](const std::vector<std::string>& described) {
      for (size_t i = 0; i < described.size(); ++i) todo.emplace_back(described[i], actions[i]);
    };
    take(lines);
    while (!todo.empty()) {
      const auto [line, action] = todo.front();
      todo.pop_front();
      if (const auto* send = std::get_if<SendRequest>(&action); send != nullptr && !IsBrowserPeer(send->to)) {
        const uint64_t transaction = next_proxy_transaction_++;
        proxied_[transaction] = send->transaction.value();
        take(FromTrunk(transaction, kamailio.Route(send->request)));
      } else if (const auto* respond = std::get_if<SendResponse>(&action);
                 respond != nullptr && proxied_.contains(respond->transaction.value())) {
        take(Response(proxied_.at(respond->transaction.value()), respond->response));
      } else if (const auto* cancel = std::get_if<CancelRequest>(&action);
                 cancel != nullptr && FindProxied(cancel->transaction)) {
        take(Give(CancelReceived{ServerTransactionId(*FindProxied(cancel->transaction)), {}}));
      } else {
        at_browsers.push_back(line);
        browser_actions.push_back(action);
      }
    }
    return at_browsers;
  }
  static bool IsBrowserPeer(const Peer& peer) { return std::holds_alternative<WssPeer>(peer); }
  std::optional<uint64_t> FindProxied(ClientTransactionId client) const {
    for (const auto& [server, ours] : proxied_)
      if (ours == client.value()) return server;
    return std::nullopt;
  }
  const Message& AtBrowser(size_t index) const {
    if (const auto* send = std::get_if<SendRequest>(&browser_actions.at(index))) return send->request;
    return std::get<SendResponse>(browser_actions.at(index)).response;
  }
  uint64_t TransactionAtBrowser(size_t index) const {
    return std::get<SendRequest>(browser_actions.at(index)).transaction.value();
  }

  /// 1001 calls 1002 and both confirm.
  void Establish() {
    invite = JssipInvite("1001@relay.example", "sip:1002@relay.example");
    ASSERT_THAT(Run(FromBrowser(1, 1, invite)),
                ElementsAre(HasSubstr("flow2 INVITE sip:bbb@x.invalid;transport=ws")));
    at_callee = AtBrowser(0);
    callee_transaction = TransactionAtBrowser(0);
    const Message ok =
        WithSdp(Reply(at_callee, 200, "OK", "b1", "Contact: <sip:bbb@x.invalid;transport=ws>\n"), "answer");
    ASSERT_THAT(Run(Response(callee_transaction, ok)), ElementsAre("t1 200 OK"));
    answer = AtBrowser(0);
    ASSERT_THAT(Run(FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7000))),
                ElementsAre("ACK flow2 sip:bbb@x.invalid;transport=ws"));
  }

  FakeKamailio kamailio;
  std::vector<Action> browser_actions;
  Message invite, at_callee, answer;
  uint64_t callee_transaction = 0;

 private:
  std::map<uint64_t, uint64_t> proxied_;  ///< server transaction at the B2bua -> its own client transaction
  uint64_t next_proxy_transaction_ = 5000;
};

TEST_F(Hairpin, BothLegsShareOneCallIdAndStayApart) {
  Establish();
  EXPECT_EQ(b2bua->call_count(), 2u);
  EXPECT_EQ(at_callee.body, "offer>L2>L4");  // relayed to SIP and back to a browser: two legs, one hop each
  EXPECT_EQ(answer.body, "answer>L3>L1");
  const auto calls = b2bua->Calls();
  EXPECT_NE(calls[0].caller_call_id, calls[1].caller_call_id);
  EXPECT_NE(Header(at_callee, "Call-ID"), "jssip-call");
  for (const HeaderField& field : at_callee.headers) {
    EXPECT_THAT(field.value, Not(HasSubstr("10.90."))) << field.name;
    EXPECT_THAT(field.value, Not(HasSubstr(".invalid"))) << field.name;
  }
}

TEST_F(Hairpin, RequestsOfEitherSideReachTheOther) {
  Establish();
  EXPECT_THAT(Run(FromBrowser(1, 2, InDialog(invite, answer, "INFO", 7001, "X-Side: a\n"))),
              ElementsAre(HasSubstr("flow2 INFO sip:bbb")));
  EXPECT_EQ(Header(AtBrowser(0), "X-Side"), "a");
  EXPECT_THAT(Run(Response(TransactionAtBrowser(0), Reply(AtBrowser(0), 200, "OK", ""))),
              ElementsAre("t2 200 OK"));
  EXPECT_THAT(Run(FromBrowser(2, 3, FromCallee(at_callee, "b1", "INFO", 9, "X-Side: b\n"))),
              ElementsAre(HasSubstr("flow1 INFO sip:c1001")));
  EXPECT_EQ(Header(AtBrowser(0), "X-Side"), "b");
  EXPECT_EQ(Header(AtBrowser(0), "Call-ID"), "jssip-call");
  EXPECT_THAT(Run(Response(TransactionAtBrowser(0), Reply(AtBrowser(0), 200, "OK", ""))),
              ElementsAre("t3 200 OK"));
}

TEST_F(Hairpin, HoldCrossesBothHops) {
  Establish();
  Message hold = WithSdp(InDialog(invite, answer, "INVITE", 7001), "hold");
  EXPECT_THAT(Run(FromBrowser(1, 2, hold)), ElementsAre(HasSubstr("flow2 INVITE sip:bbb")));
  EXPECT_EQ(AtBrowser(0).body, "hold>L2>L4");
  // The callee's own re-INVITE meets the open one at the first hop.
  Message other = WithSdp(FromCallee(at_callee, "b1", "INVITE", 9), "x");
  const uint64_t hold_transaction = TransactionAtBrowser(0);
  const Message held = WithSdp(Reply(AtBrowser(0), 200, "OK", ""), "held");
  EXPECT_THAT(Run(FromBrowser(2, 3, other)), ElementsAre("t3 491 Request Pending"));
  EXPECT_THAT(Run(Response(hold_transaction, held)), ElementsAre("t2 200 OK"));
  EXPECT_EQ(AtBrowser(0).body, "held>L3>L1");
  EXPECT_THAT(Run(FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7001))),
              ElementsAre(HasSubstr("ACK flow2")));
}

TEST_F(Hairpin, ByeEndsBothCalls) {
  Establish();
  EXPECT_THAT(Run(FromBrowser(2, 3, FromCallee(at_callee, "b1", "BYE", 9))),
              ElementsAre(HasSubstr("flow1 BYE sip:c1001")));
  EXPECT_THAT(Run(Response(TransactionAtBrowser(0), Reply(AtBrowser(0), 200, "OK", ""))),
              ElementsAre("t3 200 OK"));
  EXPECT_EQ(b2bua->call_count(), 0u);
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(Hairpin, ByesThatCrossEndBothCalls) {
  Establish();
  Run(FromBrowser(1, 2, InDialog(invite, answer, "BYE", 7001)));
  EXPECT_THAT(browser_actions.size(), 1u);
  EXPECT_THAT(Run(FromBrowser(2, 3, FromCallee(at_callee, "b1", "BYE", 9))),
              ElementsAre("t3 200 OK", "t2 200 OK"));
  Advance(std::chrono::seconds(35));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(Hairpin, CancelReachesTheOtherBrowser) {
  invite = JssipInvite("1001@relay.example", "sip:1002@relay.example");
  Run(FromBrowser(1, 1, invite));
  at_callee = AtBrowser(0);
  const uint64_t transaction = TransactionAtBrowser(0);
  EXPECT_THAT(Run(Response(transaction, Reply(at_callee, 180, "Ringing", "b1"))),
              ElementsAre("t1 180 Ringing"));
  EXPECT_THAT(Run(Give(CancelReceived{ServerTransactionId(1), {}})),
              ElementsAre("t1 487 Request Terminated", "cancel #" + std::to_string(transaction)));
  EXPECT_THAT(Run(Response(transaction, Reply(at_callee, 487, "Request Terminated", "b1"))), IsEmpty());
  EXPECT_EQ(b2bua->call_count(), 0u);
}

}  // namespace
}  // namespace linegate::sip
