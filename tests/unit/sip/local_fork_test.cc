#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// 1001 calls 1002, who is registered on two pages (flows 2 and 3).
class LocalFork : public B2buaFixture {
 protected:
  void SetUp() override {
    RegisterLocal(1, "1001", "aaa");
    RegisterLocal(2, "1002", "bbb");
    RegisterLocal(3, "1002", "ccc");
    invite = JssipInvite("1001@lab.example", "sip:1002@lab.example");
    ASSERT_THAT(InviteLocal(1, 2, invite, "1001"),
                ElementsAre("#1 flow2 INVITE sip:bbb@x.invalid;transport=ws",
                            "#2 flow3 INVITE sip:ccc@x.invalid;transport=ws"));
  }
  Message Ok(uint64_t transaction, std::string_view tag, std::string_view host) {
    return WithSdp(
        Reply(SentRequest(transaction), 200, "OK", tag, "Contact: <sip:z@" + std::string(host) + ">\n"),
        "answer-" + std::string(tag));
  }
  Message invite;
};

TEST_F(LocalFork, BranchesShareTheCallIdAndDifferInTheFromTag) {
  EXPECT_EQ(Header(SentRequest(1), "Call-ID"), Header(SentRequest(2), "Call-ID"));
  EXPECT_NE(Header(SentRequest(1), "From"), Header(SentRequest(2), "From"));
}

TEST_F(LocalFork, FirstAnswerWinsAndTheOthersAreCancelled) {
  Response(1, Reply(SentRequest(1), 180, "Ringing", "b1"));
  EXPECT_THAT(Response(2, Reply(SentRequest(2), 180, "Ringing", "c1")), ElementsAre("t2 180 Ringing"));
  media.TakeLog();
  EXPECT_THAT(Response(2, Ok(2, "c1", "c.invalid")), ElementsAre("cancel #1", "t2 200 OK"));
  EXPECT_EQ(Sent(1).body, "answer-c1>L1");
  EXPECT_THAT(media.TakeLog(), ElementsAre("answer L3->L1 answer-c1", "close L2"));
  const Message answer = Sent(1);
  EXPECT_THAT(Response(1, Reply(SentRequest(1), 487, "Request Terminated", "b1")), IsEmpty());
  EXPECT_THAT(FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7001)),
              ElementsAre("ACK flow3 sip:z@c.invalid"));
}

TEST_F(LocalFork, AnAnswerThatCrossesTheCancelIsAcknowledgedAndEnded) {
  Response(2, Ok(2, "c1", "c.invalid"));
  const Message answer = Sent(1);
  EXPECT_THAT(Response(1, Ok(1, "b1", "b.invalid")),
              ElementsAre("ACK flow2 sip:z@b.invalid", "#3 flow2 BYE sip:z@b.invalid"));
  EXPECT_EQ(b2bua->counters().late_answers, 1u);
  EXPECT_THAT(Response(3, Reply(SentRequest(3), 200, "OK", "")), IsEmpty());
  EXPECT_THAT(FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7001)),
              ElementsAre("ACK flow3 sip:z@c.invalid"));
  EXPECT_EQ(b2bua->Calls().at(0).state, "confirmed");
}

TEST_F(LocalFork, PageThatLostAndLeftDoesNotEndTheCallOfTheOthers) {
  Response(1, Reply(SentRequest(1), 180, "Ringing", "b1"));
  Response(2, Ok(2, "c1", "c.invalid"));
  const Message answer = Sent(1);
  Response(1, Reply(SentRequest(1), 487, "Request Terminated", "b1"));
  FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7001));
  Give(FlowClosed{FlowToken(2)});
  Give(FlowClosed{FlowToken(1)});
  RegisterLocal(8, "1001", "aaa");
  EXPECT_THAT(Advance(std::chrono::seconds(60)), IsEmpty());
  EXPECT_EQ(b2bua->Calls().at(0).state, "confirmed");
}

TEST_F(LocalFork, BusyOnOnePageLeavesTheOtherRinging) {
  EXPECT_THAT(Response(1, Reply(SentRequest(1), 486, "Busy Here", "b1")), IsEmpty());
  EXPECT_THAT(Response(2, Reply(SentRequest(2), 404, "Not Found", "c1")), ElementsAre("t2 486 Busy Here"));
  EXPECT_EQ(b2bua->call_count(), 0u);
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(LocalFork, DeclineEndsAllBranches) {
  EXPECT_THAT(Response(1, Reply(SentRequest(1), 603, "Decline", "b1")),
              ElementsAre("cancel #2", "t2 603 Decline"));
  EXPECT_TRUE(media.open_calls.empty());
  EXPECT_THAT(Response(2, Reply(SentRequest(2), 487, "Request Terminated", "c1")), IsEmpty());
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(LocalFork, CancelReachesEveryBranchAndA2xxAfterItIsEnded) {
  EXPECT_THAT(Give(CancelReceived{ServerTransactionId(2), {}}),
              ElementsAre("t2 487 Request Terminated", "cancel #1", "cancel #2"));
  EXPECT_TRUE(media.open_calls.empty());
  EXPECT_THAT(Response(1, Ok(1, "b1", "b.invalid")),
              ElementsAre("ACK flow2 sip:z@b.invalid", "#3 flow2 BYE sip:z@b.invalid"));
  EXPECT_THAT(Response(2, Reply(SentRequest(2), 487, "Request Terminated", "c1")), IsEmpty());
  EXPECT_EQ(b2bua->call_count(), 1u);  // its BYE is still open
  Response(3, Reply(SentRequest(3), 200, "OK", ""));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(LocalFork, CancelAfterTheAnswerChangesNothing) {
  Response(2, Ok(2, "c1", "c.invalid"));
  EXPECT_THAT(Give(CancelReceived{ServerTransactionId(2), {}}), IsEmpty());
  EXPECT_EQ(b2bua->Calls().at(0).state, "answered");
}

TEST_F(LocalFork, NobodyAnswers) {
  EXPECT_THAT(Advance(std::chrono::seconds(179)), IsEmpty());
  EXPECT_THAT(Advance(std::chrono::seconds(1)),
              ElementsAre("t2 408 Request Timeout", "cancel #1", "cancel #2"));
  EXPECT_THAT(Advance(std::chrono::seconds(35)), IsEmpty());  // nor do they answer the CANCEL
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(LocalFork, AnswerWithoutACommonCodecEndsThatLegAndRefusesTheCaller) {
  Message ok = Ok(1, "b1", "b.invalid");
  ok.body = "unusable";
  EXPECT_THAT(Response(1, ok), ElementsAre("ACK flow2 sip:z@b.invalid", "#3 flow2 BYE sip:z@b.invalid",
                                           "t2 488 Not Acceptable Here", "cancel #2"));
  EXPECT_EQ(Header(Sent(2), "Warning"), "399 linegate \"no common codec\"");
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(LocalFork, CallerThatLeavesWhileItRingsCancels) {
  EXPECT_THAT(Give(FlowClosed{FlowToken(1)}), ElementsAre("cancel #1", "cancel #2"));
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(LocalFork, CallerThatLeavesBeforeItsAckEndsTheCall) {
  Response(2, Ok(2, "c1", "c.invalid"));
  EXPECT_THAT(Give(FlowClosed{FlowToken(1)}),
              ElementsAre("ACK flow3 sip:z@c.invalid", "#3 flow3 BYE sip:z@c.invalid"));
  Response(1, Reply(SentRequest(1), 487, "Request Terminated", "b1"));
  Response(3, Reply(SentRequest(3), 200, "OK", ""));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(LocalFork, PageThatLeavesWhileItRingsIsAFailedBranch) {
  EXPECT_THAT(Give(ClientTransactionFailed{ClientTransactionId(1), FailureReason::kTransport}), IsEmpty());
  EXPECT_THAT(Give(ClientTransactionFailed{ClientTransactionId(2), FailureReason::kTransport}),
              ElementsAre("t2 480 Temporarily Unavailable"));
}

TEST_F(LocalFork, ByeInTheEarlyDialogCancels) {
  Response(1, Reply(SentRequest(1), 180, "Ringing", "b1"));
  const Message ringing = Sent(0);
  EXPECT_THAT(FromBrowser(1, 3, InDialog(invite, ringing, "BYE", 7002)),
              ElementsAre("t3 200 OK", "t2 487 Request Terminated", "cancel #1", "cancel #2"));
}

TEST_F(LocalFork, NeverAcknowledgedAnswerEndsBothSides) {
  Response(2, Ok(2, "c1", "c.invalid"));
  Response(1, Reply(SentRequest(1), 487, "Request Terminated", "b1"));
  EXPECT_THAT(Give(AckTimedOut{ServerTransactionId(2)}),
              ElementsAre("ACK flow3 sip:z@c.invalid", "#3 flow3 BYE sip:z@c.invalid",
                          "#4 flow1 BYE sip:c1001@x.invalid;transport=ws;ob"));
  EXPECT_EQ(b2bua->counters().calls_no_ack, 1u);
  Response(3, Reply(SentRequest(3), 200, "OK", ""));
  Response(4, Reply(SentRequest(4), 200, "OK", ""));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

}  // namespace
}  // namespace linegate::sip
