#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Browser 1001 (flow 1) of relay.example, everything through the SIP Server.
class RelayCall : public B2buaFixture {
 protected:
  void SetUp() override {
    token = RegisterRelayed(1, "1001", "aaa");
    base = std::get<SendRequest>(SendProbe()).transaction.value();
  }
  /// Client transactions are numbered; `base` makes the tests independent of the set-up's.
  Action SendProbe() {
    FromBrowser(
        1, 900,
        Text("OPTIONS sip:relay.example\nTo: <sip:relay.example>\nFrom: <sip:1001@relay.example>;tag=p\n"
             "Call-ID: probe\nCSeq: 1 OPTIONS\n"));
    return actions.at(0);
  }
  std::string Number(uint64_t offset) const { return "#" + std::to_string(base + offset); }
  Message Phone200(const Message& invite, std::string_view tag = "p1", std::string sdp = "answer") {
    return WithSdp(
        Reply(invite, 200, "OK", tag,
              "Contact: <sip:1003@10.90.2.2:5070>\nRecord-Route: <sip:10.90.2.2;lr=on>\nX-Agent: 42\n"),
        std::move(sdp));
  }
  std::string token;
  uint64_t base = 0;
};

TEST_F(RelayCall, EverythingGoesToTheSipServerAsTheBrowserSaidIt) {
  Message invite = JssipInvite("1001@relay.example", "sip:1003@relay.example;user=phone");
  invite.Add("X-Customer-Info", "{\"a\": [1,  2]}");
  invite.Add("Route", "<sip:gw.example;transport=ws;lr>");
  EXPECT_THAT(FromBrowser(1, 1, invite),
              ElementsAre(Number(1) + " 10.90.2.2:5060 INVITE sip:1003@relay.example;user=phone"));
  const Message sent = Sent(0);
  EXPECT_EQ(Header(sent, "Contact"), "<sip:" + token + "@10.90.2.1:5060>");
  EXPECT_EQ(Header(sent, "To"), "<sip:1003@relay.example;user=phone>");
  EXPECT_EQ(Header(sent, "CSeq"), "7000 INVITE");
  EXPECT_EQ(Header(sent, "X-Customer-Info"), "{\"a\": [1,  2]}");
  EXPECT_FALSE(sent.Has("Route"));
  for (const HeaderField& field : sent.headers)
    EXPECT_THAT(field.value, Not(HasSubstr(".invalid"))) << field.name;
}

TEST_F(RelayCall, ChallengeKeepsTheCallForItsRetry) {
  const Message invite = JssipInvite("1001@relay.example", "sip:1003@relay.example");
  FromBrowser(1, 1, invite);
  const Message first = Sent(0);
  media.TakeLog();
  const std::string challenge =
      "Digest realm=\"relay.example\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=MD5";
  EXPECT_THAT(Response(base + 1, Reply(first, 407, "Proxy Authentication Required", "k1",
                                       "Proxy-Authenticate: " + challenge + "\n")),
              ElementsAre("t1 407 Proxy Authentication Required"));
  // The body changes on its way, so auth-int would never verify.
  EXPECT_EQ(Header(Sent(0), "Proxy-Authenticate"),
            "Digest realm=\"relay.example\", nonce=\"n\", qop=\"auth\", algorithm=MD5");
  EXPECT_THAT(media.TakeLog(), ElementsAre("rollback L1->L2"));
  EXPECT_EQ(b2bua->Calls().at(0).state, "challenged");

  Message retry = invite;
  retry.Set("CSeq", "7001 INVITE");
  retry.Add("Proxy-Authorization",
            "Digest username=\"1001\", uri=\"sip:1003@relay.example\", response=\"r\"");
  EXPECT_THAT(FromBrowser(1, 2, retry),
              ElementsAre(Number(2) + " 10.90.2.2:5060 INVITE sip:1003@relay.example"));
  EXPECT_EQ(Header(Sent(0), "Call-ID"), Header(first, "Call-ID"));
  EXPECT_EQ(Header(Sent(0), "From"), Header(first, "From"));
  EXPECT_EQ(Header(Sent(0), "Proxy-Authorization"), Header(retry, "Proxy-Authorization"));
  EXPECT_THAT(media.TakeLog(), ElementsAre("offer L1->L2 offer"));  // the same legs
  EXPECT_EQ(b2bua->call_count(), 1u);
  EXPECT_EQ(b2bua->counters().calls_retried, 1u);

  const Message sent = Sent(0);
  Response(base + 2, Phone200(sent));
  const Message answer = Sent(0);
  EXPECT_EQ(Header(answer, "X-Agent"), "42");
  EXPECT_FALSE(answer.Has("Record-Route"));
  EXPECT_THAT(FromBrowser(1, 0, InDialog(retry, answer, "ACK", 7001)),
              ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5070"));
  EXPECT_EQ(Header(Sent(0), "Route"), "<sip:10.90.2.2;lr=on>");
  EXPECT_EQ(Header(Sent(0), "Proxy-Authorization"),
            Header(retry, "Proxy-Authorization"));  // RFC 3261 section 13.2.2.4
}

TEST_F(RelayCall, RetryWithSdpInsideAMultipartBodyIsRefused) {
  Message invite = JssipInvite("1001@relay.example", "sip:1003@relay.example");
  FromBrowser(1, 1, invite);
  Response(base + 1, Reply(Message(Sent(0)), 407, "Proxy Authentication Required", "k1"));
  invite.Set("CSeq", "7002 INVITE");
  invite.Set("Content-Type", "multipart/mixed;boundary=x");
  invite.body = "--x\r\nContent-Type: application/sdp\r\n";
  EXPECT_THAT(FromBrowser(1, 2, invite), ElementsAre("t2 415 Unsupported Media Type"));
}

TEST_F(RelayCall, ChallengeWithoutARetryIsForgottenAfter32Seconds) {
  FromBrowser(1, 1, JssipInvite("1001@relay.example", "sip:1003@relay.example"));
  Response(base + 1, Reply(Message(Sent(0)), 401, "Unauthorized", "k1"));
  Advance(std::chrono::seconds(31));
  EXPECT_EQ(media.open_calls.size(), 1u);
  EXPECT_THAT(Advance(std::chrono::seconds(1)), IsEmpty());
  EXPECT_TRUE(media.open_calls.empty());
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(RelayCall, ChallengedCallOfALostConnectionIsForgottenAtOnce) {
  FromBrowser(1, 1, JssipInvite("1001@relay.example", "sip:1003@relay.example"));
  Response(base + 1, Reply(Message(Sent(0)), 407, "Proxy Authentication Required", "k1"));
  EXPECT_THAT(Give(FlowClosed{FlowToken(1)}), IsEmpty());
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(RelayCall, BrowserSeesOneAnswerWhateverTheForksSay) {
  const Message invite = JssipInvite("1001@relay.example", "sip:1003@relay.example");
  FromBrowser(1, 1, invite);
  const Message sent = Sent(0);
  Response(base + 1, WithSdp(Reply(sent, 183, "Session Progress", "p1"), "early"));
  EXPECT_EQ(Sent(0).body, "early>L1");
  const std::string to = Header(Sent(0), "To");
  media.TakeLog();
  Response(base + 1, WithSdp(Reply(sent, 183, "Session Progress", "p1"), "early"));
  EXPECT_EQ(Sent(0).body, "");  // a second answer is an error in browsers
  Response(base + 1, WithSdp(Reply(sent, 183, "Session Progress", "p2"), "other"));
  EXPECT_EQ(Sent(0).body, "");
  EXPECT_EQ(Header(Sent(0), "To"), to);
  EXPECT_THAT(media.TakeLog(), ElementsAre("answer L2->L1 other"));  // moves the SIP side only
  EXPECT_THAT(Response(base + 1, Phone200(sent, "p1", "early")), ElementsAre("t1 200 OK"));
  EXPECT_EQ(Sent(0).body, "early>L1");
  EXPECT_THAT(media.TakeLog(), ElementsAre("answer L2->L1 early"));
}

TEST_F(RelayCall, SecondForkThatAnswersIsEnded) {
  FromBrowser(1, 1, JssipInvite("1001@relay.example", "sip:1003@relay.example"));
  const Message sent = Sent(0);
  Response(base + 1, Phone200(sent, "p1"));
  EXPECT_THAT(Response(base + 1, Phone200(sent, "p2")),
              ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5070",
                          Number(2) + " 10.90.2.2:5060 BYE sip:1003@10.90.2.2:5070"));
  EXPECT_THAT(Response(base + 1, Phone200(sent, "p2")),
              ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5070"));
  EXPECT_THAT(Response(base + 1, Phone200(sent, "p1")), IsEmpty());  // repeated: its ACK is on its way
}

TEST_F(RelayCall, PhoneRingsTheBrowserAtItsOwnContact) {
  EXPECT_THAT(FromTrunk(1, KamailioInvite(token)),
              ElementsAre(Number(1) + " flow1 INVITE sip:aaa@x.invalid;transport=ws"));
  const Message sent = Sent(0);
  EXPECT_EQ(Header(sent, "Contact"), "<sip:linegate@gw.example;transport=ws>");
  EXPECT_FALSE(sent.Has("Record-Route"));
  for (const HeaderField& field : sent.headers)
    EXPECT_THAT(field.value, Not(HasSubstr("10.90."))) << field.name;
  EXPECT_THAT(
      Response(base + 1, WithSdp(Reply(sent, 200, "OK", "j1", "Contact: <sip:aaa@x.invalid;transport=ws>\n"),
                                 "answer")),
      ElementsAre("t1 200 OK"));
  const Message answer = Sent(0);
  EXPECT_EQ(Header(answer, "Record-Route"), "<sip:10.90.2.2;lr=on;ftag=ptag>");
  EXPECT_EQ(Header(answer, "Contact"), "<sip:" + token + "@10.90.2.1:5060>");
  EXPECT_EQ(answer.body, "answer>L1");
  FromTrunk(0, InDialog(KamailioInvite(token), answer, "ACK", 100));
  // The browser hangs up: along the recorded route, to the phone's contact.
  EXPECT_THAT(FromBrowser(1, 2, FromCallee(sent, "j1", "BYE", 5)),
              ElementsAre(Number(2) + " 10.90.2.2:5060 BYE sip:1003@10.90.2.2:5070"));
  EXPECT_EQ(Header(Sent(0), "Route"), "<sip:10.90.2.2;lr=on;ftag=ptag>");
  EXPECT_EQ(Header(Sent(0), "CSeq"), "5 BYE");
}

TEST_F(RelayCall, UnknownTokenIs404AndKnownOneWaitsForItsConnection) {
  EXPECT_THAT(FromTrunk(1, KamailioInvite("nobody")), ElementsAre("t1 404 Not Found"));
  Give(FlowClosed{FlowToken(1)});
  EXPECT_THAT(FromTrunk(2, KamailioInvite(token, "c2")), IsEmpty());
  EXPECT_THAT(Advance(std::chrono::seconds(2)), IsEmpty());
  EXPECT_THAT(Advance(std::chrono::seconds(1)), ElementsAre("t2 480 Temporarily Unavailable"));
  FromTrunk(3, KamailioInvite(token, "c3"));
  RegisterRelayed(9, "1001", "aaa");
  EXPECT_EQ(Describe(actions.at(1)), Number(2) + " flow9 INVITE sip:aaa@x.invalid;transport=ws");
}

TEST_F(RelayCall, WaitingCallRingsAPageThatWasLoadedAgainByItsNewContact) {
  const std::string reloaded = RegisterRelayed(4, "1001", "before", "<urn:uuid:7>");
  Give(FlowClosed{FlowToken(4)});
  EXPECT_THAT(FromTrunk(2, KamailioInvite(reloaded, "c2")), IsEmpty());
  EXPECT_EQ(RegisterRelayed(5, "1001", "after", "<urn:uuid:7>"), reloaded);
  EXPECT_THAT(Describe(actions.at(1)), testing::EndsWith(" flow5 INVITE sip:after@x.invalid;transport=ws"));
}

TEST_F(RelayCall, StoredContactRingsAfterARestart) {
  Restart();
  EXPECT_THAT(FromTrunk(1, KamailioInvite(token)), IsEmpty());
  EXPECT_EQ(RegisterRelayed(5, "1001", "aaa"), token);
  EXPECT_EQ(Describe(actions.at(1)), "#2 flow5 INVITE sip:aaa@x.invalid;transport=ws");
}

TEST_F(RelayCall, LocalContactsAreNotReachableFromTheTrunk) {
  RegisterLocal(4, "1002", "ddd");
  const std::string local_token = b2bua->Registrations(now).at(1).token;
  EXPECT_THAT(FromTrunk(1, KamailioInvite(local_token)), ElementsAre("t1 404 Not Found"));
}

TEST_F(RelayCall, FailureOfTheSipServerReachesTheBrowser) {
  FromBrowser(1, 1, JssipInvite("1001@relay.example", "sip:1003@relay.example"));
  EXPECT_THAT(Give(ClientTransactionFailed{ClientTransactionId(base + 1), FailureReason::kTimeout}),
              ElementsAre("t1 408 Request Timeout"));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(RelayCall, DelayedOfferTakesItsAnswerFromTheAck) {
  const Message invite = KamailioInvite(token, "delayed", "ptag", "");
  FromTrunk(1, invite);
  EXPECT_EQ(Sent(0).body, "");
  const Message sent = Sent(0);
  media.TakeLog();
  Response(base + 1,
           WithSdp(Reply(sent, 200, "OK", "j1", "Contact: <sip:aaa@x.invalid>\n"), "browser-offer"));
  EXPECT_EQ(Sent(0).body, "browser-offer>L1");
  const Message answer = Sent(0);
  // RFC 3725 flow 1: the ACK may come much later.
  EXPECT_THAT(Advance(std::chrono::seconds(30)), IsEmpty());
  EXPECT_THAT(FromTrunk(0, WithSdp(InDialog(invite, answer, "ACK", 100), "late-answer")),
              ElementsAre("ACK flow1 sip:aaa@x.invalid"));
  EXPECT_EQ(Sent(0).body, "late-answer>L2");
  EXPECT_THAT(media.TakeLog(), ElementsAre("offer L2->L1 browser-offer", "answer L1->L2 late-answer"));
}

TEST_F(RelayCall, AckWithoutTheOwedAnswerEndsTheCall) {
  const Message invite = KamailioInvite(token, "delayed", "ptag", "");
  FromTrunk(1, invite);
  Response(base + 1, WithSdp(Reply(Message(Sent(0)), 200, "OK", "j1", "Contact: <sip:aaa@x.invalid>\n"),
                             "browser-offer"));
  EXPECT_THAT(FromTrunk(0, InDialog(invite, Message(Sent(0)), "ACK", 100)),
              ElementsAre("ACK flow1 sip:aaa@x.invalid", Number(2) + " flow1 BYE sip:aaa@x.invalid",
                          Number(3) + " 10.90.2.2:5060 BYE sip:1003@10.90.2.2:5070"));
}

}  // namespace
}  // namespace linegate::sip
