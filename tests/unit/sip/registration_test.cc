#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Registration : public B2buaFixture {
 protected:
  Message Register(uint32_t cseq, std::string_view user, std::string_view domain = "lab.example") {
    const std::string aor = "<sip:" + std::string(user) + "@" + std::string(domain) + ">";
    return Text("REGISTER sip:" + std::string(domain) + "\nMax-Forwards: 69\nTo: " + aor + "\nFrom: " + aor +
                ";tag=t\nCall-ID: reg\nCSeq: " + std::to_string(cseq) +
                " REGISTER\nContact: <sip:a@x.invalid;transport=ws>;expires=600\n");
  }
};

TEST_F(Registration, ChallengesWithMd5AndQopAuthAndAcceptsTheRightPassword) {
  const Message request = Register(1, "1001");
  EXPECT_THAT(FromBrowser(1, 1, request), ElementsAre("t1 401 Unauthorized"));
  EXPECT_THAT(Header(Sent(0), "WWW-Authenticate"), HasSubstr("realm=\"lab.example\""));
  EXPECT_THAT(Header(Sent(0), "WWW-Authenticate"), HasSubstr("algorithm=MD5, qop=\"auth\""));
  const Message authorized = Authorize(request, Message(Sent(0)), "1001", "1001");
  EXPECT_THAT(FromBrowser(1, 2, authorized), ElementsAre("t2 200 OK"));
  EXPECT_EQ(Header(Sent(0), "Contact"), "<sip:a@x.invalid;transport=ws>;expires=600");
  // A refresh may reuse its Authorization while the nonce lives.
  Message refresh = authorized;
  refresh.Set("CSeq", "9 REGISTER");
  EXPECT_THAT(FromBrowser(1, 3, refresh), ElementsAre("t3 200 OK"));
  now += std::chrono::seconds(301);
  refresh.Set("CSeq", "10 REGISTER");
  EXPECT_THAT(FromBrowser(1, 4, refresh), ElementsAre("t4 401 Unauthorized"));
  EXPECT_THAT(Header(Sent(0), "WWW-Authenticate"), HasSubstr("stale=true"));
}

TEST_F(Registration, NonceOfTheProcessBeforeIsStaleNotWrong) {
  const Message request = Register(1, "1001");
  FromBrowser(1, 1, request);
  const Message authorized = Authorize(request, Message(Sent(0)), "1001", "1001");
  Restart();
  FromBrowser(1, 2, authorized);
  EXPECT_THAT(Header(Sent(0), "WWW-Authenticate"), HasSubstr("stale=true"));
}

TEST_F(Registration, WrongPasswordUnknownUserAndAnotherUsersAddress) {
  FromBrowser(1, 1, Register(1, "1001"));
  const Message challenge = Sent(0);
  EXPECT_THAT(FromBrowser(1, 2, Authorize(Register(1, "1001"), challenge, "1001", "wrong")),
              ElementsAre("t2 401 Unauthorized"));
  EXPECT_THAT(Header(Sent(0), "WWW-Authenticate"), Not(HasSubstr("stale")));
  EXPECT_THAT(FromBrowser(1, 3, Authorize(Register(1, "9999"), challenge, "9999", "")),
              ElementsAre("t3 401 Unauthorized"));
  EXPECT_THAT(FromBrowser(1, 4, Authorize(Register(1, "1002"), challenge, "1001", "1001")),
              ElementsAre("t4 403 Not Your Address"));
  EXPECT_EQ(b2bua->counters().auth_failures, 2u);
  EXPECT_EQ(bindings.size(), 0u);
}

TEST_F(Registration, PasswordGuessingClosesTheConnection) {
  FromBrowser(1, 1, Register(1, "1001"));
  const Message challenge = Sent(0);
  for (int i = 1; i < 20; ++i)
    EXPECT_EQ(FromBrowser(1, 2, Authorize(Register(1, "1001"), challenge, "1001", "no")).size(), 1u);
  EXPECT_THAT(FromBrowser(1, 3, Authorize(Register(1, "1001"), challenge, "1001", "no")),
              ElementsAre("close flow1 1008", "t3 401 Unauthorized"));
}

TEST_F(Registration, ForeignDomainsAndTheTrunkAreRefused) {
  EXPECT_THAT(FromBrowser(1, 1, Register(1, "1001", "elsewhere.example")),
              ElementsAre("t1 403 Unknown Domain"));
  EXPECT_THAT(FromTrunk(2, Register(1, "1001")), ElementsAre("t2 405 Method Not Allowed"));
}

TEST_F(Registration, CallerMustBeWhoItAuthenticatesAs) {
  const Message invite = JssipInvite("1002@lab.example", "sip:echo@lab.example");
  FromBrowser(1, 1, invite);
  EXPECT_THAT(FromBrowser(1, 2, Authorize(invite, Message(Sent(0)), "1001", "1001")),
              ElementsAre("t2 403 Not Your Address"));
}

TEST_F(Registration, RelayedRegistrationCrossesAndAFailedOneLeavesNothing) {
  EXPECT_THAT(FromBrowser(1, 1, Register(1, "1001", "relay.example")),
              ElementsAre("#1 10.90.2.2:5060 REGISTER sip:relay.example"));
  EXPECT_THAT(Response(1, Reply(SentRequest(1), 403, "Forbidden", "k")), ElementsAre("t1 403 Forbidden"));
  EXPECT_EQ(bindings.size(), 0u);
  FromBrowser(1, 2, Register(2, "1001", "relay.example"));
  EXPECT_THAT(Give(ClientTransactionFailed{ClientTransactionId(2), FailureReason::kTransport}),
              ElementsAre("t2 503 Service Unavailable"));
}

TEST_F(Registration, BindingIsNotTiedToAConnectionThatClosedMeanwhile) {
  FromBrowser(1, 1, Register(1, "1001", "relay.example"));
  Give(FlowClosed{FlowToken(1)});
  const Message sent = SentRequest(1);
  Response(1, Reply(sent, 200, "OK", "k", "Contact: " + Header(sent, "Contact") + "\n"));
  ASSERT_EQ(b2bua->Registrations(now).size(), 1u);
  EXPECT_EQ(b2bua->Registrations(now).at(0).flow, std::nullopt);
}

TEST_F(Registration, ExpiredBindingsAreSwept) {
  RegisterLocal(1, "1001", "aaa");
  EXPECT_EQ(*b2bua->NextTimeout() - now, std::chrono::seconds(10));
  EXPECT_THAT(Advance(std::chrono::seconds(601)), IsEmpty());
  EXPECT_EQ(bindings.size(), 0u);
  EXPECT_EQ(b2bua->counters().bindings_expired, 1u);
  EXPECT_EQ(b2bua->NextTimeout(), std::nullopt);
}

}  // namespace
}  // namespace linegate::sip
