#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Browser 1001 (flow 1, caller) in a confirmed call with a phone behind the SIP Server.
class InDialogTest : public B2buaFixture {
 protected:
  void SetUp() override {
    token = RegisterRelayed(1, "1001", "aaa", "<urn:uuid:1>");
    invite = JssipInvite("1001@relay.example", "sip:1003@relay.example");
    FromBrowser(1, 1, invite);
    base = std::get<SendRequest>(actions.at(0)).transaction.value();
    sent = Sent(0);
    Response(base, WithSdp(Reply(sent, 200, "OK", "p1",
                                 "Contact: <sip:1003@10.90.2.2:5070>\nRecord-Route: <sip:10.90.2.2;lr=on>\n"),
                           "answer"));
    answer = Sent(0);
    FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7000));
    media.TakeLog();
  }
  std::string Number(uint64_t offset) const { return "#" + std::to_string(base + offset); }
  Message Browser(std::string_view method, uint32_t cseq, std::string_view extra = {}) {
    return InDialog(invite, answer, method, cseq, extra);
  }
  Message Phone(std::string_view method, uint32_t cseq, std::string_view extra = {}) {
    return FromCallee(sent, "p1", method, cseq, extra);
  }
  Message ReplyTo(uint64_t offset, int status, std::string_view reason, std::string_view extra = {}) {
    return Reply(SentRequest(base + offset), status, reason, "", extra);
  }
  const std::string phone = " 10.90.2.2:5060 ";
  std::string token;
  Message invite, sent, answer;
  uint64_t base = 0;
};

TEST_F(InDialogTest, EveryMethodCrossesBothWaysWithItsFinalResponse) {
  uint32_t cseq = 8000;
  uint64_t offset = 0;
  for (const char* method : {"INFO", "NOTIFY", "MESSAGE", "REFER", "OPTIONS", "SUBSCRIBE", "UNKNOWN"}) {
    const std::string body = "Content-Type: application/dtmf-relay\nX-Id: 1\n\nSignal=5";
    ++offset;
    EXPECT_THAT(FromBrowser(1, 10, Browser(method, ++cseq, body)),
                ElementsAre(Number(offset) + phone + method + " sip:1003@10.90.2.2:5070"));
    EXPECT_EQ(Sent(0).body, "Signal=5");
    EXPECT_EQ(Header(Sent(0), "X-Id"), "1");
    EXPECT_EQ(Header(Sent(0), "Route"), "<sip:10.90.2.2;lr=on>");
    EXPECT_THAT(Response(base + offset, ReplyTo(offset, 299, "Fine", "X-Answer: 2\n")),
                ElementsAre("t10 299 Fine"));
    EXPECT_EQ(Header(Sent(0), "X-Answer"), "2");
    EXPECT_EQ(Header(Sent(0), "CSeq"), std::to_string(cseq) + " " + method);
    ++offset;
    EXPECT_THAT(FromTrunk(20, Phone(method, cseq, body)),
                ElementsAre(Number(offset) + " flow1 " + method + " sip:c1001@x.invalid;transport=ws;ob"));
    EXPECT_THAT(Response(base + offset, ReplyTo(offset, 489, "Bad Event")), ElementsAre("t20 489 Bad Event"));
  }
  EXPECT_THAT(media.TakeLog(), IsEmpty());
}

TEST_F(InDialogTest, SessionTimerUpdateCrossesUnchangedAndItsRefusalToo) {
  const std::string timer = "Session-Expires: 90;refresher=uac\nMin-SE: 90\nSupported: timer\n";
  FromBrowser(1, 10, Browser("UPDATE", 7001, timer));
  EXPECT_EQ(Header(Sent(0), "Session-Expires"), "90;refresher=uac");
  EXPECT_EQ(Header(Sent(0), "Min-SE"), "90");
  EXPECT_EQ(Header(Sent(0), "Supported"), "timer");
  EXPECT_EQ(Header(Sent(0), "Contact"), "<sip:" + token + "@10.90.2.1:5060>");
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 501, "Not Implemented", "Allow: INVITE, ACK, BYE\n")),
              ElementsAre("t10 501 Not Implemented"));
  EXPECT_EQ(b2bua->Calls().at(0).state, "confirmed");
}

TEST_F(InDialogTest, HoldAndRetrieveFromBothSides) {
  EXPECT_THAT(FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "hold")),
              ElementsAre(Number(1) + phone + "INVITE sip:1003@10.90.2.2:5070"));
  EXPECT_EQ(Sent(0).body, "hold>L2");
  EXPECT_THAT(
      Response(base + 1, WithSdp(ReplyTo(1, 200, "OK", "Contact: <sip:1003@10.90.2.2:5071>\n"), "held")),
      ElementsAre("t10 200 OK"));
  EXPECT_EQ(Sent(0).body, "held>L1");
  EXPECT_THAT(FromBrowser(1, 0, Browser("ACK", 7001)),
              ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5071"));
  EXPECT_EQ(Header(Sent(0), "CSeq"), "7001 ACK");

  EXPECT_THAT(FromTrunk(20, WithSdp(Phone("INVITE", 5), "phone-hold")),
              ElementsAre(Number(2) + " flow1 INVITE sip:c1001@x.invalid;transport=ws;ob"));
  EXPECT_THAT(Response(base + 2, WithSdp(ReplyTo(2, 200, "OK"), "ok")), ElementsAre("t20 200 OK"));
  EXPECT_THAT(FromTrunk(0, Phone("ACK", 5)), ElementsAre("ACK flow1 sip:c1001@x.invalid;transport=ws;ob"));
  EXPECT_THAT(media.TakeLog(), ElementsAre("offer L1->L2 hold", "answer L2->L1 held",
                                           "offer L2->L1 phone-hold", "answer L1->L2 ok"));
}

TEST_F(InDialogTest, RepeatedAnswerOfAReInviteGetsItsAckAgain) {
  FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "hold"));
  const Message ok = WithSdp(ReplyTo(1, 200, "OK"), "held");
  Response(base + 1, ok);
  EXPECT_THAT(Response(base + 1, ok), IsEmpty());  // not yet acknowledged by the browser
  FromBrowser(1, 0, Browser("ACK", 7001));
  EXPECT_THAT(Response(base + 1, ok), ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5070"));
}

TEST_F(InDialogTest, ReInvitesThatCrossAreGlare) {
  FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "one"));
  EXPECT_THAT(FromTrunk(20, WithSdp(Phone("INVITE", 5), "two")), ElementsAre("t20 491 Request Pending"));
  EXPECT_THAT(FromBrowser(1, 11, WithSdp(Browser("INVITE", 7002), "three")),
              ElementsAre("t11 500 Earlier INVITE Still Open"));
  EXPECT_TRUE(Sent(0).Has("Retry-After"));
  EXPECT_THAT(FromTrunk(21, WithSdp(Phone("UPDATE", 6), "four")), ElementsAre("t21 491 Request Pending"));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 491, "Request Pending")), ElementsAre("t10 491 Request Pending"));
  EXPECT_THAT(media.TakeLog(), ElementsAre("offer L1->L2 one", "rollback L1->L2"));
  // After the pause both may try again.
  EXPECT_THAT(FromTrunk(22, WithSdp(Phone("INVITE", 7), "five")),
              ElementsAre(Number(2) + " flow1 INVITE sip:c1001@x.invalid;transport=ws;ob"));
}

TEST_F(InDialogTest, SecondAttemptAfterGlareMayKeepItsNumberAsJssipDoes) {
  FromTrunk(20, WithSdp(Phone("INVITE", 5), "phone's"));
  EXPECT_THAT(FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "one")),
              ElementsAre("t10 491 Request Pending"));
  Response(base + 1, ReplyTo(1, 488, "Not Acceptable Here"));
  FromBrowser(1, 11, Browser("INFO", 7003));
  EXPECT_THAT(FromBrowser(1, 12, WithSdp(Browser("INVITE", 7001), "one")),
              ElementsAre(Number(3) + " 10.90.2.2:5060 INVITE sip:1003@10.90.2.2:5070"));
  const Message sent_again = Sent(0);
  Response(base + 3, WithSdp(ReplyTo(3, 200, "OK"), "answer"));
  EXPECT_THAT(FromBrowser(1, 0, Browser("ACK", 7003)),
              ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5070"));
  EXPECT_EQ(ParseCSeq(Header(Sent(0), "CSeq"))->number, ParseCSeq(Header(sent_again, "CSeq"))->number);
  // Only then, and only once.
  EXPECT_THAT(FromBrowser(1, 13, WithSdp(Browser("INVITE", 7001), "one")),
              ElementsAre("t13 500 CSeq Out Of Order"));
}

TEST_F(InDialogTest, GlareOfTheOtherSideCountsTheSame) {
  FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "one"));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 491, "Request Pending")), ElementsAre("t10 491 Request Pending"));
  EXPECT_THAT(FromBrowser(1, 11, WithSdp(Browser("INVITE", 7001), "one")),
              ElementsAre(Number(2) + " 10.90.2.2:5060 INVITE sip:1003@10.90.2.2:5070"));
}

TEST_F(InDialogTest, RefusedUpdateRollsItsOfferBack) {
  FromTrunk(20, WithSdp(Phone("UPDATE", 5), "offer2"));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 488, "Not Acceptable Here")),
              ElementsAre("t20 488 Not Acceptable Here"));
  EXPECT_THAT(media.TakeLog(), ElementsAre("offer L2->L1 offer2", "rollback L2->L1"));
}

TEST_F(InDialogTest, OfferThatCannotBeRelayedIsRefusedAndTheCallGoesOn) {
  EXPECT_THAT(FromTrunk(20, WithSdp(Phone("INVITE", 5), "unusable")),
              ElementsAre("t20 488 Not Acceptable Here"));
  EXPECT_THAT(FromTrunk(21, WithSdp(Phone("INVITE", 6), "good")),
              ElementsAre(Number(1) + " flow1 INVITE sip:c1001@x.invalid;transport=ws;ob"));
}

TEST_F(InDialogTest, AnswerThatCannotBeRelayedEndsTheCall) {
  FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "offer2"));
  EXPECT_THAT(Response(base + 1, WithSdp(ReplyTo(1, 200, "OK"), "unusable")),
              ElementsAre("ACK 10.90.2.2:5060 sip:1003@10.90.2.2:5070", "t10 488 Not Acceptable Here",
                          Number(2) + phone + "BYE sip:1003@10.90.2.2:5070",
                          Number(3) + " flow1 BYE sip:c1001@x.invalid;transport=ws;ob"));
  EXPECT_THAT(Header(Sent(2), "Reason"), HasSubstr("cause=488"));
}

TEST_F(InDialogTest, OfferlessReInviteTakesOfferAndAnswerTheOtherWayRound) {
  FromTrunk(20, Phone("INVITE", 5));
  EXPECT_EQ(Sent(0).body, "");
  Response(base + 1, WithSdp(ReplyTo(1, 200, "OK"), "browser-offer"));
  EXPECT_EQ(Sent(0).body, "browser-offer>L2");
  EXPECT_THAT(FromTrunk(0, WithSdp(Phone("ACK", 5), "mcp-answer")),
              ElementsAre("ACK flow1 sip:c1001@x.invalid;transport=ws;ob"));
  EXPECT_EQ(Sent(0).body, "mcp-answer>L1");
  EXPECT_THAT(media.TakeLog(), ElementsAre("offer L1->L2 browser-offer", "answer L2->L1 mcp-answer"));
}

TEST_F(InDialogTest, ByeThatCrossesAByeIsAnsweredOnBothSides) {
  EXPECT_THAT(FromBrowser(1, 10, Browser("BYE", 7001)),
              ElementsAre(Number(1) + phone + "BYE sip:1003@10.90.2.2:5070"));
  EXPECT_THAT(FromTrunk(20, Phone("BYE", 5)), ElementsAre("t20 200 OK", "t10 200 OK"));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 481, "Call/Transaction Does Not Exist")), IsEmpty());
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(InDialogTest, ChallengedByeIsRetried) {
  FromBrowser(1, 10, Browser("BYE", 7001));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 407, "Proxy Authentication Required",
                                         "Proxy-Authenticate: Digest realm=\"x\"\n")),
              ElementsAre("t10 407 Proxy Authentication Required"));
  EXPECT_THAT(FromBrowser(1, 11, Browser("BYE", 7002, "Proxy-Authorization: Digest username=\"1001\"\n")),
              ElementsAre(Number(2) + phone + "BYE sip:1003@10.90.2.2:5070"));
  EXPECT_THAT(Response(base + 2, ReplyTo(2, 200, "OK")), ElementsAre("t11 200 OK"));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(InDialogTest, RequestStillOpenWhenTheCallEndsGets487) {
  FromTrunk(20, Phone("INFO", 5));
  EXPECT_THAT(FromBrowser(1, 10, Browser("BYE", 7001)),
              ElementsAre("t20 487 Request Terminated", Number(2) + phone + "BYE sip:1003@10.90.2.2:5070"));
}

TEST_F(InDialogTest, UnknownDialogAndOldCSeq) {
  Message stranger = Browser("INFO", 7001);
  stranger.Set("To", "<sip:1003@relay.example>;tag=guess");
  EXPECT_THAT(FromBrowser(1, 10, stranger), ElementsAre("t10 481 Call/Transaction Does Not Exist"));
  EXPECT_THAT(FromBrowser(1, 11, Browser("INFO", 6999)), ElementsAre("t11 500 CSeq Out Of Order"));
  EXPECT_THAT(FromBrowser(2, 12, Browser("INFO", 7001)),
              ElementsAre("t12 481 Call/Transaction Does Not Exist"));
  EXPECT_THAT(FromTrunk(13, Browser("INFO", 7001)), ElementsAre("t13 481 Call/Transaction Does Not Exist"));
  EXPECT_EQ(b2bua->counters().foreign_flow, 2u);
}

TEST_F(InDialogTest, PeerThatForgotTheCallEndsIt) {
  FromTrunk(20, WithSdp(Phone("INVITE", 5), "offer2"));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 481, "Call/Transaction Does Not Exist")),
              ElementsAre("t20 481 Call/Transaction Does Not Exist",
                          Number(2) + phone + "BYE sip:1003@10.90.2.2:5070"));
}

TEST_F(InDialogTest, CallOutlivesItsConnectionForTheGraceAndGoesOnOnTheNewOne) {
  EXPECT_THAT(Give(FlowClosed{FlowToken(1)}), IsEmpty());
  EXPECT_THAT(FromTrunk(20, Phone("INFO", 5)), ElementsAre("t20 503 Connection Lost"));
  Advance(std::chrono::seconds(44));
  EXPECT_EQ(RegisterRelayed(8, "1001", "aaa", "<urn:uuid:1>"), token);
  EXPECT_THAT(Advance(std::chrono::seconds(60)), IsEmpty());
  EXPECT_THAT(FromBrowser(8, 30, Browser("INFO", 7001)),
              ElementsAre(testing::HasSubstr("INFO sip:1003@10.90.2.2:5070")));
  EXPECT_THAT(FromTrunk(21, Phone("INFO", 6)), ElementsAre(testing::HasSubstr("flow8 INFO")));
  // The old connection is no way in any more.
  EXPECT_THAT(FromBrowser(1, 31, Browser("INFO", 7002)),
              ElementsAre("t31 481 Call/Transaction Does Not Exist"));
}

TEST_F(InDialogTest, CallEndsWhenTheBrowserStaysAway) {
  Give(FlowClosed{FlowToken(1)});
  EXPECT_THAT(Advance(std::chrono::seconds(45)),
              ElementsAre(Number(1) + phone + "BYE sip:1003@10.90.2.2:5070"));
  EXPECT_TRUE(media.open_calls.empty());
  EXPECT_EQ(b2bua->counters().calls_flow_lost, 1u);
}

TEST_F(InDialogTest, DeadMediaEndsBothSides) {
  b2bua->EndCall(now, CallId(*media.open_calls.begin()));
  EXPECT_THAT(Advance(Duration(0)),
              ElementsAre(Number(1) + phone + "BYE sip:1003@10.90.2.2:5070",
                          Number(2) + " flow1 BYE sip:c1001@x.invalid;transport=ws;ob"));
}

TEST_F(InDialogTest, CancelOfAReInviteCrosses) {
  FromBrowser(1, 10, WithSdp(Browser("INVITE", 7001), "offer2"));
  EXPECT_THAT(Give(CancelReceived{ServerTransactionId(10), {}}), ElementsAre("cancel " + Number(1)));
  EXPECT_THAT(Response(base + 1, ReplyTo(1, 487, "Request Terminated")),
              ElementsAre("t10 487 Request Terminated"));
  EXPECT_EQ(b2bua->Calls().at(0).state, "confirmed");
}

TEST_F(InDialogTest, TransferNamesTheOtherCallAsTheOtherSideKnowsIt) {
  // 1001 has a second call (consultation); its Replaces names that call by the browser's Call-ID and tags.
  const Message second = JssipInvite("1001@relay.example", "sip:1004@relay.example", "second");
  FromBrowser(1, 40, second);
  const Message second_sent = Sent(0);
  Response(base + 1,
           WithSdp(Reply(second_sent, 200, "OK", "q1", "Contact: <sip:1004@10.90.2.2:5070>\n"), "answer"));
  const std::string our_tag(*GetTag(Header(Sent(0), "To")));
  const std::string refer_to =
      "Refer-To: <sip:1004@relay.example?Replaces=second%3Bto-tag%3D" + our_tag + "%3Bfrom-tag%3Djtag>\n";
  FromBrowser(1, 41, Browser("REFER", 7001, refer_to));
  const std::string expected = "<sip:1004@relay.example?Replaces=" + Header(second_sent, "Call-ID") +
                               "%3Bto-tag%3Dq1%3Bfrom-tag%3D" +
                               std::string(*GetTag(Header(second_sent, "From"))) + ">";
  EXPECT_EQ(Header(Sent(0), "Refer-To"), expected);
  FromBrowser(1, 42, Browser("REFER", 7002, "Refer-To: <sip:1004@relay.example>;x=1\n"));
  EXPECT_EQ(Header(Sent(0), "Refer-To"), "<sip:1004@relay.example>;x=1");
}

}  // namespace
}  // namespace linegate::sip
