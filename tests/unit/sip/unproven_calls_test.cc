#include "controlplane/sip/unproven_calls.h"

#include "controlplane/sip/call.h"
#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

IpAddress Source(std::string_view text) { return *IpAddress::Parse(text); }

TEST(UnprovenCalls, NarrowestLimitDecidesWhoMakesRoom) {
  B2buaLimits limits;
  limits.max_unproven_calls_per_flow = 2;
  limits.max_unproven_calls_per_source = 3;
  limits.max_unproven_calls = 4;
  UnprovenCalls calls(limits);
  const IpAddress here = Source("10.0.0.1");
  calls.Add(CallKey(1), FlowToken(7), here);
  calls.Add(CallKey(2), FlowToken(8), here);
  EXPECT_TRUE(calls.Admit(FlowToken(8), here).admitted);
  calls.Add(CallKey(3), FlowToken(8), here);
  // The connection's limit, and the SIP Server still thinks about both.
  EXPECT_FALSE(calls.Admit(FlowToken(8), here).admitted);
  calls.SetChallenged(CallKey(1), true);
  EXPECT_FALSE(calls.Admit(FlowToken(8), here).admitted);  // another connection's call does not help
  calls.SetChallenged(CallKey(3), true);
  EXPECT_EQ(calls.Admit(FlowToken(8), here).evict, CallKey(3));
  // The source's limit: the oldest challenged one of any of its connections.
  EXPECT_EQ(calls.Admit(FlowToken(9), here).evict, CallKey(1));
  EXPECT_EQ(calls.Admit(FlowToken(9), Source("10.0.0.2")).evict, std::nullopt);
  calls.Add(CallKey(4), FlowToken(9), Source("10.0.0.2"));
  // The total.
  EXPECT_EQ(calls.Admit(FlowToken(10), Source("10.0.0.3")).evict, CallKey(1));
  calls.Remove(CallKey(1));
  EXPECT_TRUE(calls.Admit(FlowToken(10), Source("10.0.0.3")).admitted);
  EXPECT_EQ(calls.size(), 3u);
}

TEST(UnprovenCalls, AnIpv6SubscriberIsItsPrefix) {
  B2buaLimits limits;
  limits.max_unproven_calls_per_source = 1;
  UnprovenCalls calls(limits);
  calls.Add(CallKey(1), FlowToken(1), Source("2001:db8:0:1::1"));
  EXPECT_FALSE(calls.Admit(FlowToken(2), Source("2001:db8:0:1:ffff::2")).admitted);
  EXPECT_TRUE(calls.Admit(FlowToken(2), Source("2001:db8:0:2::1")).admitted);
}

/// Flow 5 has no registration: nobody has vouched for it.
class UnknownCaller : public B2buaFixture {
 protected:
  /// The transaction of ours that carries this INVITE upstream; 0 when it was refused.
  uint64_t Call(std::string_view name, uint64_t flow = 5) {
    FromBrowser(flow, 100, JssipInvite("1001@relay.example", "sip:1003@relay.example", name));
    for (const Action& action : actions)
      if (const auto* send = std::get_if<SendRequest>(&action)) return send->transaction.value();
    return 0;
  }
  void Challenge(uint64_t transaction) {
    Response(transaction, Reply(Message(SentRequest(transaction)), 407, "Proxy Authentication Required", "k",
                                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\n"));
  }
};

TEST_F(UnknownCaller, ChallengedCallsMakeRoomForNewerOnes) {
  for (int i = 0; i < 50; ++i) {
    const uint64_t transaction = Call("call-" + std::to_string(i));
    ASSERT_NE(transaction, 0u) << i;
    Challenge(transaction);
    EXPECT_LE(media.open_calls.size(), config.limits.max_unproven_calls_per_flow);
  }
  EXPECT_EQ(b2bua->counters().unproven_evicted, 46u);
  EXPECT_EQ(b2bua->call_count(), 4u);
}

TEST_F(UnknownCaller, RetryOfACallThatMadeRoomIsANewCallUpstreamOfTheSameName) {
  const uint64_t first = Call("early");
  Challenge(first);
  const Message before = SentRequest(first);
  for (int i = 0; i < 4; ++i) Challenge(Call("call-" + std::to_string(i)));
  Message retry = JssipInvite("1001@relay.example", "sip:1003@relay.example", "early");
  retry.Set("CSeq", "7001 INVITE");
  FromBrowser(5, 101, retry);
  const auto* sent = std::get_if<SendRequest>(&actions.back());
  ASSERT_NE(sent, nullptr);
  EXPECT_EQ(Header(sent->request, "Call-ID"), Header(before, "Call-ID"));
  EXPECT_EQ(Header(sent->request, "From"), Header(before, "From"));
}

TEST_F(UnknownCaller, CallThatCameBackWithAPasswordIsNotGivenUp) {
  const uint64_t first = Call("with-password");
  Challenge(first);
  Message retry = JssipInvite("1001@relay.example", "sip:1003@relay.example", "with-password");
  retry.Set("CSeq", "7001 INVITE");
  FromBrowser(5, 101, retry);
  const uint64_t second = std::get<SendRequest>(actions.at(0)).transaction.value();
  for (int i = 0; i < 10; ++i) Challenge(Call("call-" + std::to_string(i)));
  EXPECT_THAT(Response(second, WithSdp(Reply(Message(SentRequest(second)), 200, "OK", "p",
                                             "Contact: <sip:1003@10.90.2.2:5070>\n"),
                                       "answer")),
              ElementsAre("t101 200 OK"));
}

TEST_F(UnknownCaller, CallsThatWaitForTheSipServerAreNotGivenUp) {
  for (int i = 0; i < 4; ++i) ASSERT_NE(Call("call-" + std::to_string(i)), 0u);
  EXPECT_EQ(Call("one-more"), 0u);
  EXPECT_EQ(Sent(0).status, 503);
  EXPECT_EQ(Header(Sent(0), "Retry-After"), "10");
  EXPECT_EQ(b2bua->counters().unproven_over_limit, 1u);
  EXPECT_EQ(media.open_calls.size(), 4u);
}

TEST_F(UnknownCaller, IsKnownOnceTheCalleeRings) {
  for (int i = 0; i < 10; ++i) {
    const uint64_t transaction = Call("call-" + std::to_string(i));
    ASSERT_NE(transaction, 0u) << i;
    Response(transaction, Reply(Message(SentRequest(transaction)), 180, "Ringing", "p"));
  }
  EXPECT_EQ(b2bua->call_count(), 10u);
}

TEST_F(UnknownCaller, RegistrationVouches) {
  RegisterRelayed(5, "1001", "aaa");
  for (int i = 0; i < 10; ++i) ASSERT_NE(Call("call-" + std::to_string(i)), 0u) << i;
}

TEST_F(UnknownCaller, ManyConnectionsOfOneSourceShareItsLimit) {
  for (uint64_t flow = 0; flow < 16; ++flow)
    for (int i = 0; i < 4; ++i)
      ASSERT_NE(Call(std::to_string(flow) + "-" + std::to_string(i), 50 + flow), 0u);
  EXPECT_EQ(Call("one-more", 99), 0u);
}

using Availability = B2buaFixture;

TEST_F(Availability, NewCallsAreRefusedWhileNobodyMovesPackets) {
  RegisterLocal(1, "1001", "aaa");
  media.ready = false;
  EXPECT_THAT(InviteLocal(1, 5, JssipInvite("1001@lab.example", "sip:echo@lab.example"), "1001"),
              ElementsAre("t5 503 Media Not Available"));
  EXPECT_EQ(Header(Sent(0), "Retry-After"), "10");
  EXPECT_THAT(media.TakeLog(), IsEmpty());
  EXPECT_EQ(b2bua->counters().media_not_ready, 1u);
  const std::string token = RegisterRelayed(2, "1001", "bbb");
  EXPECT_THAT(FromTrunk(6, KamailioInvite(token)), ElementsAre("t6 503 Media Not Available"));
  media.ready = true;
  EXPECT_THAT(InviteLocal(1, 7, JssipInvite("1001@lab.example", "sip:echo@lab.example", "again"), "1001"),
              ElementsAre("t7 200 OK"));
}

TEST_F(Availability, ShutdownEndsEveryCallAndTakesNoNewOne) {
  RegisterLocal(1, "1001", "aaa");
  RegisterRelayed(2, "1002", "bbb");
  // Answered by echo, ringing at the SIP Server, challenged.
  const Message invite = JssipInvite("1001@lab.example", "sip:echo@lab.example");
  InviteLocal(1, 5, invite, "1001");
  const Message answer = Sent(0);
  FromBrowser(1, 0, InDialog(invite, answer, "ACK", 7001));
  FromBrowser(2, 6, JssipInvite("1002@relay.example", "sip:1003@relay.example", "ringing"));
  FromBrowser(3, 7, JssipInvite("1003@relay.example", "sip:1003@relay.example", "challenged"));
  const auto challenged = std::get<SendRequest>(actions.at(0)).transaction.value();
  Response(challenged, Reply(Message(SentRequest(challenged)), 407, "Proxy Authentication Required", "k"));
  EXPECT_EQ(b2bua->call_count(), 3u);

  b2bua->Shutdown(now);
  std::vector<std::string> lines;
  std::vector<Message> sent;
  while (auto action = b2bua->PollAction()) {
    lines.push_back(Describe(*action));
    if (const auto* send = std::get_if<SendRequest>(&*action)) sent.push_back(send->request);
  }
  EXPECT_THAT(lines,
              ElementsAre(HasSubstr(" flow1 BYE "), "t6 480 Temporarily Unavailable", HasSubstr("cancel ")));
  EXPECT_THAT(Header(sent.at(0), "Reason"), HasSubstr("Shutting down"));
  EXPECT_TRUE(media.open_calls.empty());
  EXPECT_EQ(b2bua->call_count(), 2u);  // until BYE and CANCEL are answered
  EXPECT_THAT(FromBrowser(2, 8, JssipInvite("1002@relay.example", "sip:1003@relay.example", "late")),
              ElementsAre("t8 503 Shutting Down"));
}

TEST_F(Availability, ManyReInvitesLeaveNothingBehind) {
  SignallingContext context(config, media, hashes, rng);
  const Message invite = WithSdp(JssipInvite("1001@lab.example", "sip:echo@lab.example"), "offer");
  const WssPeer browser{FlowToken(1)};
  Call call(context, CallKey(1), now, {ServerTransactionId(1), browser, {}, invite}, {});
  call.AnswerAsTestNumber(now, LocalService::kEcho);
  const Message answer = std::get<SendResponse>(*context.PollAction()).response;
  const auto give = [&](uint64_t transaction, const Message& request) {
    call.HandleRequest(now, KeyOfRequest(request), {ServerTransactionId(transaction), browser, {}, request});
  };
  give(0, InDialog(invite, answer, "ACK", 7000));
  for (uint32_t i = 1; i <= 100; ++i) {
    give(1 + i, WithSdp(InDialog(invite, answer, "INVITE", 7000 + i), "offer"));
    ASSERT_EQ(std::get<SendResponse>(*context.PollAction()).response.status, 200);
    give(0, InDialog(invite, answer, "ACK", 7000 + i));
  }
  const auto open = call.OpenInvites();
  EXPECT_LE(open.size(), 6u);
  EXPECT_EQ(open.back(), ServerTransactionId(101));
}

}  // namespace
}  // namespace linegate::sip
