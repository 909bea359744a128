#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BadRequest : public B2buaFixture {
 protected:
  Message Invite() const { return JssipInvite("1001@relay.example", "sip:1003@relay.example"); }
  std::string Outcome(Message request) { return FromBrowser(1, 1, std::move(request)).at(0).substr(3); }
};

TEST_F(BadRequest, MissingOrRepeatedMandatoryHeaders) {
  for (const char* name : {"From", "To", "Call-ID", "CSeq", "Contact"}) {
    Message request = Invite();
    request.Remove(name);
    EXPECT_EQ(FromBrowser(1, 1, request).at(0).substr(3, 3), "400") << name;
  }
  for (const char* name : {"From", "To", "Call-ID", "CSeq"}) {
    Message request = Invite();
    request.Add(name, Header(request, name));
    EXPECT_EQ(Outcome(request), "400 Repeated Header") << name;
  }
  Message request = Invite();
  request.Set("CSeq", "1 BYE");
  EXPECT_EQ(FromBrowser(1, 1, request).at(0).substr(3, 3), "400");
  request = Invite();
  request.Set("From", "<sip:1001@relay.example>");
  EXPECT_EQ(FromBrowser(1, 1, request).at(0).substr(3, 3), "400");
  EXPECT_EQ(b2bua->call_count(), 0u);
}

TEST_F(BadRequest, LimitsOfHeaders) {
  Message request = Invite();
  for (int i = 0; i < 300; ++i) request.Add("X-H", "1");
  EXPECT_EQ(Outcome(request), "513 Too Many Headers");
  request = Invite();
  request.Add("X-H", std::string(9000, 'x'));
  EXPECT_EQ(Outcome(request), "513 Header Too Long");
  EXPECT_EQ(b2bua->counters().oversized, 2u);
}

TEST_F(BadRequest, HopsExtensionsSchemesAndDomains) {
  Message request = Invite();
  request.Set("Max-Forwards", "0");
  EXPECT_EQ(Outcome(request), "483 Too Many Hops");
  request = Invite();
  request.Add("Proxy-Require", "foo, bar");
  EXPECT_EQ(Outcome(request), "420 Bad Extension");
  EXPECT_EQ(Header(Sent(0), "Unsupported"), "foo, bar");
  EXPECT_EQ(Outcome(JssipInvite("1001@elsewhere.example", "sip:1003@relay.example")), "403 Unknown Domain");
  Message to_the_trunk = KamailioInvite("x");
  to_the_trunk.request_uri = "tel:+1";
  EXPECT_THAT(FromTrunk(1, to_the_trunk), ElementsAre("t1 416 Unsupported URI Scheme"));
  request = Invite();
  request.Set("Content-Type", "multipart/mixed;boundary=x");
  request.body = "--x\r\nContent-Type: Application/SDP\r\n";
  EXPECT_EQ(Outcome(request), "415 Unsupported Media Type");
}

TEST_F(BadRequest, RequestsWithoutADialogThatNeedOne) {
  for (const char* method : {"BYE", "UPDATE", "PRACK"}) {
    Message request = Invite();
    request.method = method;
    request.Set("CSeq", std::string("1 ") + method);
    EXPECT_EQ(Outcome(request), "481 Call/Transaction Does Not Exist");
  }
  Message ack = Invite();
  ack.method = "ACK";
  ack.Set("CSeq", "1 ACK");
  EXPECT_THAT(FromBrowser(1, 0, ack), IsEmpty());
}

TEST_F(BadRequest, CallLimits) {
  config.limits.max_calls_per_flow = 2;
  Restart();
  FromBrowser(1, 1, JssipInvite("1001@relay.example", "sip:1003@relay.example", "a"));
  FromBrowser(1, 2, JssipInvite("1001@relay.example", "sip:1003@relay.example", "b"));
  EXPECT_THAT(FromBrowser(1, 3, JssipInvite("1001@relay.example", "sip:1003@relay.example", "c")),
              ElementsAre("t3 503 Too Many Calls"));
  EXPECT_TRUE(Sent(0).Has("Retry-After"));
  EXPECT_THAT(FromBrowser(2, 4, JssipInvite("1001@relay.example", "sip:1003@relay.example", "d")).size(), 1u);
  EXPECT_EQ(b2bua->call_count(), 3u);
}

TEST_F(BadRequest, OfferThatNobodyCanTakeIsRefusedWithoutRinging) {
  EXPECT_THAT(FromBrowser(1, 1, JssipInvite("1001@relay.example", "sip:1003@relay.example", "a", "unusable")),
              ElementsAre("t1 488 Not Acceptable Here"));
  EXPECT_THAT(Header(Sent(0), "Warning"), HasSubstr("no common codec"));
  EXPECT_EQ(b2bua->call_count(), 0u);
  EXPECT_TRUE(media.open_calls.empty());
}

TEST_F(BadRequest, NothingLeavesThroughATrunkThatIsNotThere) {
  config.sip_server.reset();
  Restart();
  EXPECT_THAT(FromBrowser(1, 1, Invite()), ElementsAre("t1 503 No SIP Server"));
}

TEST_F(BadRequest, OptionsToUsAreAnsweredAndOthersCross) {
  const std::string rest =
      "\nTo: <sip:x>\nFrom: <sip:1001@relay.example>;tag=1\nCall-ID: o\nCSeq: 1 OPTIONS\n";
  EXPECT_THAT(FromTrunk(1, Text("OPTIONS sip:10.90.2.1:5060" + rest)), ElementsAre("t1 200 OK"));
  EXPECT_TRUE(Sent(0).Has("Allow"));
  EXPECT_THAT(FromBrowser(1, 2, Text("OPTIONS sip:gw.example" + rest)), ElementsAre("t2 200 OK"));
  EXPECT_THAT(FromBrowser(1, 3, Text("OPTIONS sip:1003@relay.example" + rest)),
              ElementsAre("#1 10.90.2.2:5060 OPTIONS sip:1003@relay.example"));
}

TEST_F(BadRequest, MessageCrossesBothWaysAndItsResponseBack) {
  const std::string token = RegisterRelayed(1, "1001", "aaa");
  const std::string rest =
      "\nTo: <sip:1001@relay.example>\nFrom: <sip:1003@relay.example>;tag=1\nCall-ID: m\nCSeq: 1 "
      "MESSAGE\nX-A: b\n"
      "Content-Type: text/plain\n\nhello";
  EXPECT_THAT(FromTrunk(1, Text("MESSAGE sip:" + token + "@10.90.2.1" + rest)),
              ElementsAre("#2 flow1 MESSAGE sip:aaa@x.invalid;transport=ws"));
  EXPECT_EQ(Sent(0).body, "hello");
  EXPECT_EQ(Header(Sent(0), "X-A"), "b");
  EXPECT_THAT(Response(2, Reply(SentRequest(2), 202, "Accepted", "z")), ElementsAre("t1 202 Accepted"));
  EXPECT_EQ(Header(Sent(0), "Call-ID"), "m");
  EXPECT_THAT(FromTrunk(2, Text("MESSAGE sip:nobody@10.90.2.1" + rest)), ElementsAre("t2 404 Not Found"));
}

}  // namespace
}  // namespace linegate::sip
