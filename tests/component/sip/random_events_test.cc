#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/sip/b2bua_fixture.h"

/// Whatever order the world chooses, every request gets at most one final response, no client transaction is
/// cancelled or answered for twice, and when everything has timed out nothing is left: no call, no leg, no
/// deadline.
namespace linegate::sip {
namespace {

class RandomEvents : public B2buaFixture, public ::testing::WithParamInterface<int> {
 protected:
  struct SentRequestState {
    Peer to;
    Message request;
    bool finished = false;
    bool cancelled = false;
    bool accepted = false;
  };
  struct ReceivedRequest {
    Peer from;
    Message request;
    std::optional<Message> last_response;
    bool finished = false;
    bool cancelled = false;
    bool gone = false;  ///< its connection closed: the transport drops what comes for it
  };

  void Absorb() {
    for (const Action& action : actions) {
      if (const auto* send = std::get_if<SendRequest>(&action)) {
        if (send->transaction.value() == 0) {
          ASSERT_EQ(send->request.method, "ACK");
          continue;
        }
        ASSERT_TRUE(
            sent.emplace(send->transaction.value(), SentRequestState{send->to, send->request}).second);
        ASSERT_FALSE(send->request.Has("Via"));
        ASSERT_FALSE(send->request.Has("Content-Length"));
      } else if (const auto* respond = std::get_if<SendResponse>(&action)) {
        const auto found = received.find(respond->transaction.value());
        ASSERT_NE(found, received.end());
        if (found->second.gone) continue;
        ASSERT_FALSE(found->second.finished)
            << "answered twice: " << found->second.request.method << " with " << respond->response.status;
        found->second.last_response = respond->response;
        found->second.finished = respond->response.status >= 200;
      } else if (const auto* cancel = std::get_if<CancelRequest>(&action)) {
        SentRequestState& state = sent.at(cancel->transaction.value());
        ASSERT_FALSE(state.finished);
        ASSERT_FALSE(state.cancelled);
        ASSERT_EQ(state.request.method, "INVITE");
        state.cancelled = true;
      }
    }
  }
  void Request(const Peer& from, Message request) {
    const uint64_t transaction = ++last_transaction;
    if (request.method != "ACK") received[transaction] = {from, request, std::nullopt, false};
    if (const auto* browser = std::get_if<WssPeer>(&from))
      FromBrowser(browser->flow.value(), transaction, std::move(request));
    else
      FromTrunk(transaction, std::move(request));
    Absorb();
  }
  uint32_t Pick(uint32_t bound) { return uint32_t(random() % bound); }
  template <typename Map, typename Predicate>
  auto PickFrom(Map& map, Predicate&& predicate) {
    std::vector<typename Map::iterator> candidates;
    for (auto it = map.begin(); it != map.end(); ++it)
      if (predicate(it->second)) candidates.push_back(it);
    return candidates.empty() ? map.end() : candidates[Pick(uint32_t(candidates.size()))];
  }
  std::string RandomSdp() { return Pick(12) == 0 ? "unusable" : "sdp" + std::to_string(Pick(5)); }

  void StartCall() {
    const std::string call_id = "call" + std::to_string(Pick(40));
    const std::string sdp = Pick(4) == 0 ? "" : RandomSdp();
    switch (Pick(4)) {
      case 0:
        return Request(WssPeer{FlowToken(flow_of_1001)},
                       JssipInvite("1001@relay.example", "sip:1003@relay.example", call_id, sdp));
      case 1:
        return Request(TrunkPeer{}, KamailioInvite(token, call_id, "p" + std::to_string(Pick(3)), sdp));
      default: {
        Message invite = JssipInvite(
            "1001@lab.example", Pick(3) == 0 ? "sip:echo@lab.example" : "sip:1002@lab.example", call_id, sdp);
        Request(WssPeer{FlowToken(flow_of_1001)}, invite);
        if (const auto& response = received.at(last_transaction).last_response;
            response && response->status == 407)
          Request(WssPeer{FlowToken(flow_of_1001)}, Authorize(invite, Message(*response), "1001", "1001"));
      }
    }
  }
  void Answer() {
    const auto found = PickFrom(sent, [](const SentRequestState& s) { return !s.finished; });
    if (found == sent.end()) return;
    static constexpr int kStatuses[] = {180, 180, 183, 199, 200, 200, 200, 202, 302,
                                        401, 407, 404, 481, 486, 487, 491, 503, 603};
    const int status = kStatuses[Pick(std::size(kStatuses))];
    if (status < 200 && found->second.accepted) return;
    const bool invite = found->second.request.method == "INVITE";
    if (found->second.accepted && status >= 300) return;
    if (status >= 200) {
      found->second.finished = !invite || status >= 300;
      found->second.accepted = status < 300;
    }
    Message response =
        Reply(found->second.request, status, "Reason", Pick(8) == 0 ? "" : "tag" + std::to_string(Pick(3)),
              "Contact: <sip:callee@10.90.2.2:5070>\n");
    if (Pick(3) == 0 && status < 200) response.Add("RSeq", std::to_string(1 + Pick(3)));
    if (Pick(3) != 0 && status < 300) response = WithSdp(std::move(response), RandomSdp());
    Response(found->first, std::move(response));
    Absorb();
  }
  /// A request of the caller inside the dialog that some response of ours made.
  void CallerInDialog(std::string_view method) {
    const auto found = PickFrom(received, [](const ReceivedRequest& r) {
      return r.request.method == "INVITE" && !r.gone && r.last_response && r.last_response->Has("Contact") &&
             r.last_response->status < 300;
    });
    if (found == received.end()) return;
    const ReceivedRequest invite = found->second;
    const uint32_t cseq =
        method == "ACK" ? ParseCSeq(*invite.request.Get("CSeq"))->number : 8000 + ++last_cseq;
    Message request = InDialog(invite.request, *invite.last_response, method, cseq,
                               method == "PRACK" ? "RAck: 1 7000 INVITE\n" : "");
    if (Pick(2) == 0) request = WithSdp(std::move(request), RandomSdp());
    Request(invite.from, std::move(request));
  }
  void CalleeInDialog(std::string_view method) {
    const auto found = PickFrom(sent, [](const SentRequestState& s) { return s.request.method == "INVITE"; });
    if (found == sent.end()) return;
    Message request =
        FromCallee(found->second.request, "tag" + std::to_string(Pick(3)), method, 1 + ++last_cseq);
    if (Pick(2) == 0) request = WithSdp(std::move(request), RandomSdp());
    Request(found->second.to, std::move(request));
  }
  std::string_view RandomMethod() {
    static constexpr std::string_view kMethods[] = {"ACK",  "ACK", "ACK",   "INVITE", "INVITE", "UPDATE",
                                                    "INFO", "BYE", "PRACK", "NOTIFY", "REFER"};
    return kMethods[Pick(std::size(kMethods))];
  }
  void Cancel() {
    const auto found = PickFrom(received, [](const ReceivedRequest& r) {
      return r.request.method == "INVITE" && !r.finished && !r.cancelled && !r.gone;
    });
    if (found == received.end()) return;
    found->second.cancelled = true;
    Give(CancelReceived{ServerTransactionId(found->first), {}});
    Absorb();
  }
  void FailTransaction() {
    const auto found = PickFrom(sent, [](const SentRequestState& s) { return !s.finished && !s.accepted; });
    if (found == sent.end()) return;
    found->second.finished = true;
    Give(ClientTransactionFailed{ClientTransactionId(found->first),
                                 Pick(2) == 0 ? FailureReason::kTimeout : FailureReason::kTransport});
    Absorb();
  }
  void AckTimeout() {
    const auto found = PickFrom(received, [](const ReceivedRequest& r) {
      return r.request.method == "INVITE" && r.finished && !r.gone;
    });
    if (found == received.end()) return;
    Give(AckTimedOut{ServerTransactionId(found->first)});
    Absorb();
  }
  void Close(uint64_t flow) {
    for (auto& [number, request] : received)
      if (const auto* browser = std::get_if<WssPeer>(&request.from))
        request.gone |= browser->flow == FlowToken(flow);
    Give(FlowClosed{FlowToken(flow)});
    Absorb();
  }
  void Reconnect() {
    const uint64_t old = flow_of_1001;
    Close(old);
    flow_of_1001 = next_flow++;
    Join();
  }
  /// Registers 1001 again, in both domains.
  void Join() {
    Message request = Text(
        "REGISTER sip:lab.example\nTo: <sip:1001@lab.example>\nFrom: <sip:1001@lab.example>;tag=r\nCall-ID: "
        "rl\nCSeq: " +
        std::to_string(++last_cseq) + " REGISTER\nContact: <sip:l@x.invalid>;expires=3600\n");
    Request(WssPeer{FlowToken(flow_of_1001)}, request);
    Request(WssPeer{FlowToken(flow_of_1001)},
            Authorize(request, Message(*received.at(last_transaction).last_response), "1001", "1001"));
    Request(WssPeer{FlowToken(flow_of_1001)},
            Text("REGISTER sip:relay.example\nTo: <sip:1001@relay.example>\nFrom: "
                 "<sip:1001@relay.example>;tag=r\nCall-ID: rr\nCSeq: " +
                 std::to_string(++last_cseq) + " REGISTER\nContact: <sip:r@x.invalid>;expires=3600\n"));
    const auto& send = std::get<SendRequest>(actions.at(0));
    const uint64_t transaction = send.transaction.value();
    const std::string contact = Header(send.request, "Contact");
    token = ParseUri(ParseNameAddr(contact)->uri)->user;
    sent.at(transaction).finished = true;
    Response(transaction, Reply(Message(send.request), 200, "OK", "z", "Contact: " + contact + "\n"));
    Absorb();
  }

  std::mt19937 random{uint32_t(GetParam())};
  std::map<uint64_t, SentRequestState> sent;
  std::map<uint64_t, ReceivedRequest> received;
  uint64_t last_transaction = 10'000, flow_of_1001 = 1, next_flow = 100;
  uint32_t last_cseq = 0;
  std::string token;
};

TEST_P(RandomEvents, LeaveNothingBehind) {
  config.limits.max_calls_per_flow = 1000;
  Restart();
  Join();
  RegisterLocal(2, "1002", "bbb");
  RegisterLocal(3, "1002", "ccc");
  for (int step = 0; step < 1500 && !HasFatalFailure(); ++step) {
    const uint32_t choice = Pick(100);
    if (choice < 12) {
      StartCall();
    } else if (choice < 52) {
      Answer();
    } else if (choice < 70) {
      CallerInDialog(RandomMethod());
    } else if (choice < 84) {
      CalleeInDialog(RandomMethod());
    } else if (choice < 88) {
      Cancel();
    } else if (choice < 92) {
      FailTransaction();
    } else if (choice < 94) {
      AckTimeout();
    } else if (choice < 95) {
      Reconnect();
    } else if (choice < 96 && !media.open_calls.empty()) {
      b2bua->EndCall(now, CallId(*media.open_calls.begin()));
      Advance(Duration(0));
      Absorb();
    } else {
      Advance(std::chrono::seconds(Pick(20)));
      Absorb();
    }
  }
  // Everything that the transports promise comes true: no ACK, no answer, no connection; then time passes.
  for (const auto& [transaction, request] : std::map(received))
    if (request.request.method == "INVITE" && request.finished && !request.gone) {
      Give(AckTimedOut{ServerTransactionId(transaction)});
      Absorb();
    }
  for (const uint64_t flow : {flow_of_1001, uint64_t{2}, uint64_t{3}}) Close(flow);
  for (int i = 0; i < 30 && !HasFatalFailure(); ++i) {
    Advance(std::chrono::seconds(60));
    Absorb();
    for (auto& [transaction, state] : std::map(sent)) {
      if (state.finished) continue;
      sent.at(transaction).finished = true;
      Give(ClientTransactionFailed{ClientTransactionId(transaction), FailureReason::kTimeout});
      Absorb();
    }
    for (const CallSummary& call : b2bua->Calls())
      if (i == 20)
        b2bua->EndCall(now, call.media);  // confirmed between trunk and trunk's side: nothing else ends them
  }
  EXPECT_EQ(b2bua->call_count(), 0u);
  EXPECT_TRUE(media.open_calls.empty());
  EXPECT_TRUE(media.open_legs.empty());
  for (const auto& [transaction, request] : received)
    EXPECT_TRUE(request.finished || request.gone)
        << request.request.method << " " << transaction << " was never answered";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomEvents, ::testing::Range(1, 41));

}  // namespace
}  // namespace linegate::sip
