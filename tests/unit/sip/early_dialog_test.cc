#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A phone calls browser 1001 (flow 1) through the SIP Server; the browser rings.
class EarlyDialog : public B2buaFixture {
 protected:
  void SetUp() override {
    token = RegisterRelayed(1, "1001", "aaa");
    invite = KamailioInvite(token);
    invite.Add("Alert-Info", "<http://x>;info=alert-autoanswer;delay=0");
    FromTrunk(1, invite);
    base = std::get<SendRequest>(actions.at(0)).transaction.value();
    sent = Sent(0);
    Response(base, Reply(sent, 180, "Ringing", "j1", "Contact: <sip:aaa@x.invalid;transport=ws>\n"));
    ringing = Sent(0);
    media.TakeLog();
  }
  std::string Number(uint64_t offset) const { return "#" + std::to_string(base + offset); }
  std::string token;
  Message invite, sent, ringing;
  uint64_t base = 0;
};

TEST_F(EarlyDialog, AutoAnswerHeaderReachesTheBrowser) {
  EXPECT_EQ(Header(sent, "Alert-Info"), "<http://x>;info=alert-autoanswer;delay=0");
}

TEST_F(EarlyDialog, NotifyTalkCrossesBeforeTheAnswer) {
  EXPECT_THAT(
      FromTrunk(2, InDialog(invite, ringing, "NOTIFY", 101, "Event: talk\nSubscription-State: active\n")),
      ElementsAre(Number(1) + " flow1 NOTIFY sip:aaa@x.invalid;transport=ws"));
  EXPECT_EQ(Header(Sent(0), "Event"), "talk");
  EXPECT_EQ(Header(Sent(0), "To"), "<sip:1001@relay.example>;tag=j1");
  EXPECT_THAT(Response(base + 1, Reply(SentRequest(base + 1), 200, "OK", "")), ElementsAre("t2 200 OK"));
}

TEST_F(EarlyDialog, UpdateWithoutSdpCrossesAndOneWithAnOfferMustWait) {
  EXPECT_THAT(FromTrunk(2, InDialog(invite, ringing, "UPDATE", 101)),
              ElementsAre(Number(1) + " flow1 UPDATE sip:aaa@x.invalid;transport=ws"));
  EXPECT_THAT(FromTrunk(3, WithSdp(InDialog(invite, ringing, "UPDATE", 102), "offer2")),
              ElementsAre("t3 500 Earlier Offer Still Open"));
  EXPECT_THAT(FromBrowser(1, 4, WithSdp(FromCallee(sent, "j1", "UPDATE", 5), "offer3")),
              ElementsAre("t4 491 Request Pending"));
}

TEST_F(EarlyDialog, ReliableProvisionalResponsesAreAcknowledgedEndToEnd) {
  const std::string reliable = "Require: 100rel\nRSeq: 4711\n";
  EXPECT_THAT(Response(base, WithSdp(Reply(sent, 183, "Session Progress", "j1", reliable), "early")),
              ElementsAre("t1 183 Session Progress"));
  EXPECT_EQ(Header(Sent(0), "RSeq"), "1");
  EXPECT_EQ(Header(Sent(0), "Require"), "100rel");
  EXPECT_EQ(Sent(0).body, "early>L1");
  EXPECT_THAT(FromTrunk(2, InDialog(invite, ringing, "PRACK", 101, "RAck: 1 100 INVITE\n")),
              ElementsAre(Number(1) + " flow1 PRACK sip:aaa@x.invalid;transport=ws"));
  EXPECT_EQ(Header(Sent(0), "RAck"), "4711 100 INVITE");
  EXPECT_THAT(FromTrunk(3, InDialog(invite, ringing, "PRACK", 102, "RAck: 9 100 INVITE\n")),
              ElementsAre("t3 481 Call/Transaction Does Not Exist"));
}

TEST_F(EarlyDialog, OfferAfterAnEarlyAnswerIsANewExchange) {
  Response(base, WithSdp(Reply(sent, 183, "Session Progress", "j1", "RSeq: 1\nRequire: 100rel\n"), "early"));
  EXPECT_THAT(FromTrunk(2, WithSdp(InDialog(invite, ringing, "UPDATE", 101), "offer2")),
              ElementsAre(Number(1) + " flow1 UPDATE sip:aaa@x.invalid;transport=ws"));
  EXPECT_EQ(Sent(0).body, "offer2>L2");
  Response(base + 1, WithSdp(Reply(SentRequest(base + 1), 200, "OK", ""), "answer2"));
  EXPECT_EQ(Sent(0).body, "answer2>L1");
  EXPECT_THAT(media.TakeLog(),
              ElementsAre("answer L2->L1 early", "offer L1->L2 offer2", "answer L2->L1 answer2"));
}

TEST_F(EarlyDialog, ReInviteBeforeTheAnswerIsRefused) {
  EXPECT_THAT(FromTrunk(2, WithSdp(InDialog(invite, ringing, "INVITE", 101), "x")),
              ElementsAre("t2 500 Earlier INVITE Still Open"));
  EXPECT_THAT(FromBrowser(1, 3, WithSdp(FromCallee(sent, "j1", "INVITE", 5), "y")),
              ElementsAre("t3 491 Request Pending"));
}

TEST_F(EarlyDialog, ByeOfTheCalleeBeforeItsAnswerIsAgainstTheRules) {
  EXPECT_THAT(FromBrowser(1, 3, FromCallee(sent, "j1", "BYE", 5)),
              ElementsAre("t3 481 Call/Transaction Does Not Exist"));
}

TEST_F(EarlyDialog, OneForkIsCancelledWhileTheOtherOfTheSameCallRings) {
  // The SIP Server forks to two pages of one user: equal Call-ID and From tag, other Request-URI.
  const std::string second_token = RegisterRelayed(2, "1001", "bbb");
  FromTrunk(7, KamailioInvite(second_token));
  const Message second = Sent(0);
  EXPECT_EQ(Header(second, "Call-ID"), Header(sent, "Call-ID"));
  EXPECT_NE(Header(second, "From"), Header(sent, "From"));
  EXPECT_THAT(Give(CancelReceived{ServerTransactionId(1), {}}),
              ElementsAre("t1 487 Request Terminated", "cancel " + Number(0)));
  EXPECT_EQ(b2bua->call_count(), 2u);
  EXPECT_THAT(Response(base, Reply(sent, 487, "Request Terminated", "j1")), IsEmpty());
  EXPECT_EQ(b2bua->call_count(), 1u);
}

TEST_F(EarlyDialog, RejectionsOfTheBrowserCross) {
  EXPECT_THAT(Response(base, Reply(sent, 486, "Busy Here", "j1", "X-Reason: lunch\n")),
              ElementsAre("t1 486 Busy Here"));
  EXPECT_EQ(Header(Sent(0), "X-Reason"), "lunch");
  EXPECT_EQ(b2bua->call_count(), 0u);
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(EarlyDialog, RedirectionKeepsItsContact) {
  Response(base, Reply(sent, 302, "Moved", "j1", "Contact: <sip:1009@relay.example>\n"));
  EXPECT_EQ(Header(Sent(0), "Contact"), "<sip:1009@relay.example>");
}

}  // namespace
}  // namespace linegate::sip
