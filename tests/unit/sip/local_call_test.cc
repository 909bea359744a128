#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LocalCall : public B2buaFixture {
 protected:
  void SetUp() override {
    RegisterLocal(1, "1001", "aaa");
    RegisterLocal(2, "1002", "bbb");
  }
};

TEST_F(LocalCall, EchoAnswersConfirmsAndEnds) {
  const Message invite = JssipInvite("1001@lab.example", "sip:echo@lab.example");
  EXPECT_THAT(FromBrowser(1, 1, invite), ElementsAre("t1 407 Proxy Authentication Required"));
  EXPECT_TRUE(media.open_calls.empty());  // nothing is reserved for strangers
  const Message authorized = Authorize(invite, Message(Sent(0)), "1001", "1001");
  EXPECT_THAT(FromBrowser(1, 2, authorized), ElementsAre("t2 200 OK"));
  const Message answer = Sent(0);
  EXPECT_EQ(answer.body, "offer>L1");
  EXPECT_EQ(Header(answer, "Contact"), "<sip:linegate@gw.example;transport=ws>");
  EXPECT_EQ(b2bua->Calls().at(0).state, "answered");
  EXPECT_THAT(FromBrowser(1, 0, InDialog(authorized, answer, "ACK", 7001)), IsEmpty());
  EXPECT_EQ(b2bua->Calls().at(0).state, "confirmed");
  // JsSIP refreshes its session without SDP after 45 s.
  EXPECT_THAT(
      FromBrowser(1, 3, InDialog(authorized, answer, "UPDATE", 7002, "Session-Expires: 90;refresher=uac\n")),
      ElementsAre("t3 200 OK"));
  EXPECT_EQ(Header(Sent(0), "Session-Expires"), "90;refresher=uac");
  EXPECT_THAT(FromBrowser(1, 4, InDialog(authorized, answer, "BYE", 7003)), ElementsAre("t4 200 OK"));
  EXPECT_EQ(b2bua->call_count(), 0u);
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(LocalCall, BrowserToBrowserCrossesWithoutShowingEitherSide) {
  const Message invite = JssipInvite("1001@lab.example", "sip:1002@lab.example");
  ASSERT_THAT(InviteLocal(1, 2, invite, "1001"),
              ElementsAre("#1 flow2 INVITE sip:bbb@x.invalid;transport=ws"));
  const Message sent = SentRequest(1);
  EXPECT_EQ(sent.body, "offer>L2");
  EXPECT_EQ(Header(sent, "Session-Expires"), "90");
  EXPECT_EQ(Header(sent, "Supported"), "timer, replaces");
  EXPECT_EQ(Header(sent, "Max-Forwards"), "68");
  EXPECT_EQ(Header(sent, "Contact"), "<sip:linegate@gw.example;transport=ws>");
  EXPECT_FALSE(sent.Has("Proxy-Authorization"));  // never another browser's business
  EXPECT_THAT(Header(sent, "From"), HasSubstr("\"1001\" <sip:1001@lab.example>;tag="));
  EXPECT_THAT(Header(sent, "From"), Not(HasSubstr("jtag")));
  EXPECT_NE(Header(sent, "Call-ID"), "jssip-call");

  EXPECT_THAT(Response(1, Reply(sent, 180, "Ringing", "b1", "Contact: <sip:bbb@y.invalid>\n")),
              ElementsAre("t2 180 Ringing"));
  EXPECT_THAT(Header(Sent(0), "To"), Not(HasSubstr("b1")));
  const Message ok =
      WithSdp(Reply(sent, 200, "OK", "b1", "Contact: <sip:bbb@y.invalid;transport=ws>\n"), "answer");
  EXPECT_THAT(Response(1, ok), ElementsAre("t2 200 OK"));
  const Message answer = Sent(0);
  EXPECT_EQ(answer.body, "answer>L1");
  EXPECT_EQ(Header(answer, "CSeq"), "7001 INVITE");
  EXPECT_THAT(FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7001)),
              ElementsAre("ACK flow2 sip:bbb@y.invalid;transport=ws"));

  EXPECT_THAT(FromBrowser(2, 5, FromCallee(sent, "b1", "BYE", 1)),
              ElementsAre("#2 flow1 BYE sip:c1001@x.invalid;transport=ws;ob"));
  EXPECT_EQ(Header(Sent(0), "Call-ID"), "jssip-call");
  EXPECT_TRUE(media.open_calls.empty());  // media ends with the BYE, not with its answer
  EXPECT_THAT(Response(2, Reply(SentRequest(2), 200, "OK", "")), ElementsAre("t5 200 OK"));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(LocalCall, UnknownUserIs404AndAbsentUserIs480) {
  EXPECT_THAT(InviteLocal(1, 2, JssipInvite("1001@lab.example", "sip:9999@lab.example"), "1001"),
              ElementsAre("t2 404 Not Found"));
  EXPECT_THAT(InviteLocal(1, 3, JssipInvite("1001@lab.example", "sip:1003@lab.example"), "1001"),
              ElementsAre("t3 480 Temporarily Unavailable"));
  EXPECT_EQ(b2bua->call_count(), 0u);
}

}  // namespace
}  // namespace linegate::sip
