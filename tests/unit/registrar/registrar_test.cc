#include "controlplane/registrar/registrar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/registrar/flow_registry.h"
#include "controlplane/registrar/registration_relay.h"
#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::registrar {
namespace {

using sip::Header;
using sip::Message;
using sip::Text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Message Register(uint32_t cseq, std::string_view lines, std::string_view call_id = "r1") {
  return Text(
      "REGISTER sip:lab.example\nMax-Forwards: 70\nTo: <sip:1001@LAB.example>\nFrom: "
      "<sip:1001@lab.example>;tag=f\nCall-ID: " +
      std::string(call_id) + "\nCSeq: " + std::to_string(cseq) + " REGISTER\n" + std::string(lines));
}

class RegistrarTest : public ::testing::Test {
 protected:
  RegistrarTest() {
    const std::array<uint8_t, 32> bytes{9};
    key.Assign(bytes);
  }
  Message Give(const Message& request) {
    outcome = registrar.Register(now, request, "ltag");
    return outcome.response;
  }
  std::vector<std::string> Contacts(const Message& response) const {
    std::vector<std::string> contacts;
    for (const auto contact : response.GetAll("Contact")) contacts.emplace_back(contact);
    return contacts;
  }

  sip::OpensslHashFunctions hashes;
  SecretBytes<32> key;
  sip::Identity identity{hashes, key};
  RegistrationConfig config;
  MemoryBindingStore store;
  Registrar registrar{config, store, identity};
  TimePoint now = TimePoint(std::chrono::hours(1));
  RegisterOutcome outcome;
};

TEST_F(RegistrarTest, BindsRefreshesAndListsItsContacts) {
  EXPECT_THAT(Contacts(Give(Register(
                  1,
                  "Contact: <sip:a@x.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\nExpires: "
                  "300\n"))),
              ElementsAre("<sip:a@x.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";expires=300"));
  EXPECT_EQ(outcome.bound.size(), 1u);
  EXPECT_EQ(store.All(now).at(0).aor, "sip:1001@lab.example");
  now += std::chrono::seconds(100);
  // Another page of the same user, and a new contact of the same instance after a reload.
  Give(Register(1, "Contact: <sip:b@y.invalid>;expires=600;q=0.5\n", "r2"));
  const auto contacts =
      Contacts(Give(Register(2, "Contact: <sip:a2@z.invalid>;+sip.instance=\"<urn:uuid:1>\";expires=600\n")));
  EXPECT_THAT(contacts, ElementsAre("<sip:a2@z.invalid>;+sip.instance=\"<urn:uuid:1>\";expires=600",
                                    "<sip:b@y.invalid>;expires=600"));
}

TEST_F(RegistrarTest, ClampsExpires) {
  EXPECT_EQ(Give(Register(1, "Contact: <sip:a@x>;expires=30\n")).status, 423);
  EXPECT_EQ(Header(outcome.response, "Min-Expires"), "60");
  EXPECT_THAT(Contacts(Give(Register(2, "Contact: <sip:a@x>;expires=999999\n"))),
              ElementsAre("<sip:a@x>;expires=3600"));
  EXPECT_THAT(Contacts(Give(Register(3, "Contact: <sip:a@x>\n"))), ElementsAre("<sip:a@x>;expires=600"));
  EXPECT_THAT(Contacts(Give(Register(4, "Contact: <sip:a@x>;expires=junk\n"))),
              ElementsAre("<sip:a@x>;expires=600"));
}

TEST_F(RegistrarTest, RemovesOneOrAll) {
  Give(Register(1, "Contact: <sip:a@x>, <sip:b@x>\n"));
  EXPECT_THAT(Contacts(Give(Register(2, "Contact: <sip:a@x>;expires=0\n"))),
              ElementsAre("<sip:b@x>;expires=600"));
  EXPECT_EQ(Give(Register(3, "Contact: *\nExpires: 60\n")).status, 400);
  EXPECT_EQ(Give(Register(4, "Contact: *\n")).status, 400);
  EXPECT_EQ(Give(Register(5, "Contact: *, <sip:b@x>\nExpires: 0\n")).status, 400);
  EXPECT_EQ(store.size(), 1u);
  EXPECT_THAT(Contacts(Give(Register(6, "Contact: *\nExpires: 0\n"))), IsEmpty());
  EXPECT_EQ(outcome.removed.size(), 1u);
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(RegistrarTest, ForgetsWhatExpires) {
  Give(Register(1, "Contact: <sip:a@x>;expires=60\n"));
  now += std::chrono::seconds(60);
  EXPECT_THAT(Contacts(Give(Register(2, ""))), IsEmpty());
}

TEST_F(RegistrarTest, OlderRequestOfTheSameAgentChangesNothing) {
  Give(Register(5, "Contact: <sip:a@x>;expires=600\n"));
  EXPECT_EQ(Give(Register(4, "Contact: <sip:a@x>;expires=0\n")).status, 500);
  EXPECT_EQ(Give(Register(4, "Contact: *\nExpires: 0\n")).status, 500);
  EXPECT_EQ(store.size(), 1u);
  EXPECT_EQ(Give(Register(1, "Contact: <sip:a@x>;expires=0\n", "other-call")).status, 200);
}

TEST_F(RegistrarTest, LimitsContactsAndBindings) {
  config.max_contacts_per_aor = 2;
  EXPECT_EQ(Give(Register(1, "Contact: <sip:a@x>, <sip:b@x>, <sip:c@x>\n")).status, 503);
  EXPECT_TRUE(outcome.response.Has("Retry-After"));
  EXPECT_EQ(store.size(), 0u);
  EXPECT_EQ(Give(Register(2, "Contact: <sip:a@x>, <sip:b@x>\n")).status, 200);
  EXPECT_EQ(Give(Register(3, "Contact: <sip:a@x>;expires=0, <sip:c@x>\n")).status, 200);
  config.max_bindings = 2;
  EXPECT_EQ(Give(Register(4, "Contact: <sip:d@x>\n")).status, 503);
}

TEST_F(RegistrarTest, SaysSoWhenABindingCannotBeStored) {
  store.fail_next_put = true;
  EXPECT_EQ(Give(Register(1, "Contact: <sip:a@x>\n")).status, 500);
  EXPECT_THAT(outcome.bound, IsEmpty());
}

TEST_F(RegistrarTest, RefusesWhatItCannotRead) {
  EXPECT_EQ(Give(Register(1, "Contact: <>\n")).status, 400);
  Message tel = Register(1, "");
  tel.Set("To", "<tel:+123>");
  EXPECT_EQ(Give(tel).status, 400);
}

class RegistrationRelayTest : public RegistrarTest {
 protected:
  Message Forward(const Message& request) {
    auto forwarded = relay.Forward(now, request);
    EXPECT_TRUE(forwarded);
    if (!forwarded) return {};
    pending = forwarded->pending;
    browser_request = request;
    return forwarded->request;
  }
  Message Return(const Message& response) {
    outcome = relay.Return(now, browser_request, pending, response, "ltag");
    return outcome.response;
  }
  RegistrationRelay relay{config, store, identity, *Endpoint::Parse("10.90.2.1:5060")};
  RegisterRequest pending;
  Message browser_request;
  const std::string jssip =
      "Contact: "
      "<sip:a@x.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:1>\";expires=600\nExpires: "
      "600\n"
      "Supported: path,gruu,outbound\nAuthorization: Digest username=\"1001\", uri=\"sip:lab.example\", "
      "response=\"r\"\n";
};

TEST_F(RegistrationRelayTest, StandsInForTheBrowser) {
  const Message out = Forward(Register(3, jssip));
  const std::string token = pending.contacts.at(0).token;
  EXPECT_EQ(out.request_uri, "sip:lab.example");
  EXPECT_EQ(Header(out, "Contact"),
            "<sip:" + token + "@10.90.2.1:5060>;+sip.instance=\"<urn:uuid:1>\";expires=600");
  EXPECT_FALSE(out.Has("Supported"));
  EXPECT_EQ(Header(out, "Authorization"),
            "Digest username=\"1001\", uri=\"sip:lab.example\", response=\"r\"");
  EXPECT_EQ(Header(out, "CSeq"), "3 REGISTER");
  EXPECT_EQ(Header(out, "To"), "<sip:1001@LAB.example>");
  for (const auto& field : out.headers) EXPECT_THAT(field.value, Not(HasSubstr(".invalid")));
  EXPECT_EQ(store.size(), 0u);  // nothing before the 2xx

  const Message ok =
      Return(sip::Reply(out, 200, "OK", "up",
                        "Contact: <sip:other@10.1.1.1>;expires=100, <sip:" + token +
                            "@10.90.2.1:5060>;expires=300;pub-gruu=\"sip:x\"\nPath: <sip:p>\nX-Y: 1\n"));
  EXPECT_THAT(
      Contacts(ok),
      ElementsAre(
          "<sip:a@x.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:1>\";expires=300"));
  EXPECT_FALSE(ok.Has("Path"));
  EXPECT_EQ(Header(ok, "X-Y"), "1");
  EXPECT_EQ(Header(ok, "Call-ID"), "r1");
  EXPECT_THAT(outcome.bound, ElementsAre(token));
  const Binding binding = *store.FindByToken(token, now);
  EXPECT_EQ(binding.contact_uri, "sip:a@x.invalid;transport=ws");
  EXPECT_EQ(binding.expires_at, now + std::chrono::seconds(300));
}

TEST_F(RegistrationRelayTest, TokenAndCallIdAreStableOverRefreshAndRestart) {
  const Message first = Forward(Register(3, jssip));
  RegistrationRelay restarted{config, store, identity, *Endpoint::Parse("10.90.2.1:5060")};
  const auto second = restarted.Forward(now, Register(4, jssip));
  ASSERT_TRUE(second);
  EXPECT_EQ(Header(first, "Contact"), Header(second->request, "Contact"));
  EXPECT_EQ(Header(first, "Call-ID"), Header(second->request, "Call-ID"));
  EXPECT_EQ(Header(first, "From"), Header(second->request, "From"));
}

TEST_F(RegistrationRelayTest, ChallengeCrossesAndWritesNothing) {
  const Message out = Forward(Register(3, jssip));
  const Message response = Return(sip::Reply(
      out, 401, "Unauthorized", "up", "WWW-Authenticate: Digest realm=\"x\", qop=\"auth,auth-int\"\n"));
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(Header(response, "WWW-Authenticate"), "Digest realm=\"x\", qop=\"auth,auth-int\"");
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(RegistrationRelayTest, UnregistersOneAndAll) {
  Message out = Forward(Register(3, jssip));
  Return(sip::Reply(out, 200, "OK", "up", "Contact: " + Header(out, "Contact") + "\n"));
  EXPECT_EQ(store.size(), 1u);
  out = Forward(Register(4, "Contact: *\nExpires: 0\n"));
  EXPECT_EQ(Header(out, "Contact"), "*");
  Return(sip::Reply(out, 200, "OK", "up"));
  EXPECT_EQ(store.size(), 0u);
  EXPECT_EQ(outcome.removed.size(), 1u);

  out = Forward(Register(5, jssip));
  Return(sip::Reply(out, 200, "OK", "up", "Contact: " + Header(out, "Contact") + "\n"));
  out = Forward(
      Register(6, "Contact: <sip:a@x.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";expires=0\n"));
  Return(sip::Reply(out, 200, "OK", "up"));
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(RegistrationRelayTest, BindingThatTheServerDropsIsDroppedHereToo) {
  Message out = Forward(Register(3, jssip));
  Return(sip::Reply(out, 200, "OK", "up", "Contact: " + Header(out, "Contact") + "\n"));
  out = Forward(Register(4, jssip));
  EXPECT_THAT(Contacts(Return(sip::Reply(out, 200, "OK", "up"))), IsEmpty());
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(RegistrationRelayTest, ClampsAndRefusesBeforeTheServerIsAsked) {
  EXPECT_EQ(relay.Forward(now, Register(1, "Contact: <sip:a@x>;expires=30\n")).error().status, 423);
  EXPECT_EQ(relay.Forward(now, Register(1, "Contact: *\nExpires: 5\n")).error().status, 400);
  const Message out = Forward(Register(1, "Contact: <sip:a@x>\nExpires: 99999\n"));
  EXPECT_EQ(Header(out, "Expires"), "3600");
  EXPECT_THAT(Header(out, "Contact"), HasSubstr("expires=3600"));
}

TEST(FlowRegistry, MovesATokenToItsNewFlow) {
  FlowRegistry flows;
  flows.Bind("t1", sip::FlowToken(1));
  flows.Bind("t2", sip::FlowToken(1));
  flows.Bind("t1", sip::FlowToken(2));
  flows.DropFlow(sip::FlowToken(1));
  EXPECT_EQ(flows.FlowOf("t1"), sip::FlowToken(2));
  EXPECT_EQ(flows.FlowOf("t2"), std::nullopt);
  EXPECT_EQ(flows.TokensOf(sip::FlowToken(1)), nullptr);
  flows.Unbind("t1");
  flows.Unbind("t1");
  EXPECT_EQ(flows.TokensOf(sip::FlowToken(2)), nullptr);
}

}  // namespace
}  // namespace linegate::registrar
