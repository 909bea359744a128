#include "controlplane/sip/dialog.h"
#include "controlplane/sip/dialog_table.h"
#include "controlplane/sip/digest.h"
#include "controlplane/sip/identity.h"
#include "controlplane/sip/pass_through.h"
#include "tests/unit/sip/b2bua_fixture.h"

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// ---- digest

TEST(Digest, ComputesTheExampleOfRfc7616) {
  const OpensslHashFunctions hashes;
  // RFC 7616 section 3.9.1 (the same example with MD5).
  const auto credentials = ParseDigestCredentials(
      "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=MD5, "
      "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "
      "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, "
      "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
  ASSERT_TRUE(credentials);
  const std::string ha1 = ComputeHa1(hashes, "Mufasa", "http-auth@example.org", "Circle of Life");
  EXPECT_EQ(ComputeDigestResponse(hashes, ha1, *credentials, "GET"), credentials->response);
}

TEST(Digest, ReadsQuotesEscapesAndRefusesOtherSchemes) {
  const auto credentials = ParseDigestCredentials(
      "digest  username=\"a\\\"b, c\",realm=r , nonce=\"n\", uri=\"sip:x;y=1,2\", response=\"z\"");
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->username, "a\"b, c");
  EXPECT_EQ(credentials->uri, "sip:x;y=1,2");
  EXPECT_FALSE(ParseDigestCredentials("Bearer abc"));
  EXPECT_FALSE(ParseDigestCredentials("Digest"));
  EXPECT_FALSE(ParseDigestCredentials("Digest username=\"a\""));
}

TEST(Digest, RemovesAuthIntOnlyBesideAuth) {
  EXPECT_EQ(WithoutAuthInt("Digest realm=\"r\", qop=\"auth,auth-int\", nonce=\"n\""),
            "Digest realm=\"r\", qop=\"auth\", nonce=\"n\"");
  EXPECT_EQ(WithoutAuthInt("Digest qop=\"auth-int, auth\""), "Digest qop=\"auth\"");
  for (const char* untouched : {"Digest realm=\"r\",  qop=\"auth\"", "Digest qop=\"auth-int\"",
                                "Digest realm=\"qop=auth,auth-int\"", "Bearer qop=\"auth,auth-int\"", ""})
    EXPECT_EQ(WithoutAuthInt(untouched), untouched);
}

TEST(Digest, VerifiesOnlyWhatItAskedFor) {
  const OpensslHashFunctions hashes;
  const std::array<uint8_t, 32> bytes{5};
  const DigestAuthenticator authenticator(hashes, SecretBytes<32>(bytes), std::chrono::seconds(10));
  const TimePoint now(std::chrono::hours(1));
  const std::string ha1 = ComputeHa1(hashes, "u", "r", "p");
  auto credentials =
      *ParseDigestCredentials(authenticator.Challenge(now, "r", DigestAuthenticator::Stale::kNo) +
                              ", username=\"u\", uri=\"sip:x\", response=\"?\", cnonce=c, nc=1");
  const auto verdict = [&](TimePoint at) {
    credentials.response = ComputeDigestResponse(hashes, ha1, credentials, "INVITE");
    return authenticator.Verify(at, credentials, "INVITE", "sip:x", "r", ha1);
  };
  using Verdict = DigestAuthenticator::Verdict;
  EXPECT_EQ(verdict(now), Verdict::kAccepted);
  EXPECT_EQ(verdict(now + std::chrono::seconds(11)), Verdict::kStale);
  EXPECT_EQ(authenticator.Verify(now, credentials, "BYE", "sip:x", "r", ha1), Verdict::kRejected);
  EXPECT_EQ(authenticator.Verify(now, credentials, "INVITE", "sip:y", "r", ha1), Verdict::kRejected);
  EXPECT_EQ(authenticator.Verify(now, credentials, "INVITE", "sip:x", "r", ""), Verdict::kRejected);
  credentials.nonce.back() = credentials.nonce.back() == '0' ? '1' : '0';
  EXPECT_EQ(verdict(now), Verdict::kStale);  // right password, but not our nonce
  credentials.qop = "auth-int";
  EXPECT_EQ(verdict(now), Verdict::kRejected);
}

// ---- identity

TEST(Identity, DependsOnEveryPartAndOnTheKey) {
  const OpensslHashFunctions hashes;
  const std::array<uint8_t, 32> one{1}, two{2};
  const Identity a(hashes, SecretBytes<32>(one)), b(hashes, SecretBytes<32>(two));
  EXPECT_EQ(a.CallId("x"), a.CallId("x"));
  EXPECT_NE(a.CallId("x"), b.CallId("x"));
  EXPECT_NE(a.Tag("ab", "c", ""), a.Tag("a", "bc", ""));
  EXPECT_NE(a.Tag("ab", "c", "d"), a.Tag("ab", "cd", ""));
  EXPECT_EQ(a.ContactToken("sip:u@h", "i").size(), 26u);
}

// ---- pass-through

TEST(PassThrough, CopiesUnknownHeadersByteExactAndInOrder) {
  const Message in = Text(
      "INVITE sip:x\nX-B: 1,  2 ;q\nVia: v\nX-A: {\"j\": 1}\nRoute: <sip:r>\nX-B: again\nContact: "
      "<sip:c>\nReplaces: z\n");
  Message out;
  CopyHeaders(in, out, Credentials::kCross);
  ASSERT_EQ(out.headers.size(), 3u);
  EXPECT_EQ(out.headers[0].value, "1,  2 ;q");
  EXPECT_EQ(out.headers[1].value, "{\"j\": 1}");
  EXPECT_EQ(out.headers[2].value, "again");
}

TEST(PassThrough, EveryHeaderOfTheTableIsTreatedWhateverItsCase) {
  for (const char* owned :
       {"via", "FROM", "to", "Call-Id", "cseq", "contact", "ROUTE", "record-route", "max-forwards",
        "content-length", "path", "service-route", "flow-timer", "rseq", "rack", "proxy-require"})
    EXPECT_EQ(TreatmentOf(owned), Treatment::kOwn) << owned;
  for (const char* reference : {"replaces", "JOIN", "target-dialog", "refer-to", "in-reply-to"})
    EXPECT_EQ(TreatmentOf(reference), Treatment::kReference) << reference;
  for (const char* copied : {"Session-Expires", "Min-SE", "User-to-User", "Alert-Info", "Call-Info",
                             "P-Asserted-Identity", "X-Genesys-CallUUID", "WWW-Authenticate", "Allow",
                             "Event", "Subscription-State", "Referred-By", "Reason"})
    EXPECT_EQ(TreatmentOf(copied), Treatment::kCopy) << copied;
}

TEST(PassThrough, OptionTagsOfTheHopGoAndTheOthersKeepTheirBytes) {
  const Message in = Text(
      "INVITE sip:x\nSupported: timer,ice,replaces,outbound\nSupported: 100rel\nSupported: "
      "path,gruu,outbound\nRequire: outbound\n");
  Message out;
  CopyHeaders(in, out, Credentials::kCross);
  std::vector<std::string> values;
  for (const HeaderField& field : out.headers) values.push_back(field.name + "=" + field.value);
  EXPECT_THAT(values, ElementsAre("Supported=timer, replaces", "Supported=100rel"));
}

TEST(PassThrough, CredentialsStayWithTheirChallenger) {
  const Message in = Text("INVITE sip:x\nAuthorization: a\nProxy-Authorization: b\n");
  Message crossed, stripped;
  CopyHeaders(in, crossed, Credentials::kCross);
  CopyHeaders(in, stripped, Credentials::kStrip);
  EXPECT_EQ(crossed.headers.size(), 2u);
  EXPECT_THAT(stripped.headers, IsEmpty());
}

TEST(PassThrough, BodiesAreKnownByTheirType) {
  EXPECT_EQ(BodyKindOf(Text("INVITE x\nContent-Type: Application/SDP;charset=x\n\nv=0")), BodyKind::kSdp);
  EXPECT_EQ(BodyKindOf(Text("INVITE x\nContent-Type: application/sdp\n")), BodyKind::kNone);
  EXPECT_EQ(BodyKindOf(Text("INVITE x\nContent-Type: multipart/mixed\n\ncontent-type: application/SDP")),
            BodyKind::kMultipartWithSdp);
  EXPECT_EQ(BodyKindOf(Text("INVITE x\nContent-Type: multipart/mixed\n\ntext")), BodyKind::kOther);
  Message message = Text("INVITE x\nContent-Type: text/plain\nContent-Disposition: render\nX-A: 1\n\nhello");
  SetSdpBody(message, "v=0");
  EXPECT_EQ(Header(message, "Content-Type"), "application/sdp");
  EXPECT_FALSE(message.Has("Content-Disposition"));
  RemoveBody(message);
  EXPECT_EQ(message.headers.size(), 1u);
}

// ---- dialogs

Message DialogInvite() {
  return Text(
      "INVITE sip:us\nRecord-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>\nRecord-Route: <sip:10.0.0.3;lr>\n"
      "To: <sip:b@x>\nFrom: <sip:a@x>;tag=a1\nCall-ID: c\nCSeq: 5 INVITE\nContact: \"A\" "
      "<sip:a@10.0.0.9:5070;ob>\n");
}

TEST(DialogTest, CalleeUsesTheRecordedRouteInOrderAndCallerReversed) {
  const Dialog callee = MakeUasDialog(DialogInvite(), "b1", TrunkPeer{});
  EXPECT_THAT(callee.route_set, ElementsAre("<sip:10.0.0.1;lr>", "<sip:10.0.0.2;lr>", "<sip:10.0.0.3;lr>"));
  EXPECT_EQ(callee.local, "<sip:b@x>;tag=b1");
  EXPECT_EQ(callee.remote_target, "sip:a@10.0.0.9:5070;ob");
  EXPECT_EQ(std::get<TrunkPeer>(callee.NextHop()).next_hop.ToString(), "10.0.0.1:5060");
  const Message request = callee.MakeRequest("BYE", 1);
  EXPECT_EQ(request.request_uri, "sip:a@10.0.0.9:5070;ob");
  EXPECT_EQ(request.GetAll("Route").size(), 3u);

  const Message ok =
      Reply(DialogInvite(), 200, "OK", "b1", "Record-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>\n");
  const Dialog caller = MakeUacDialog(DialogInvite(), ok, TrunkPeer{});
  EXPECT_THAT(caller.route_set, ElementsAre("<sip:10.0.0.2;lr>", "<sip:10.0.0.1;lr>"));
  EXPECT_EQ(caller.key.remote_tag, "b1");
}

TEST(DialogTest, StrictRouterTakesTheRequestUri) {
  Message invite = DialogInvite();
  invite.Remove("Record-Route");
  invite.Add("Record-Route", "<sip:10.0.0.1>, <sip:10.0.0.2;lr>");
  const Message request = MakeUasDialog(invite, "b1", TrunkPeer{}).MakeRequest("BYE", 1);
  EXPECT_EQ(request.request_uri, "sip:10.0.0.1");
  EXPECT_THAT(request.GetAll("Route"), ElementsAre("<sip:10.0.0.2;lr>", "<sip:a@10.0.0.9:5070;ob>"));
}

TEST(DialogTest, NextHopIsRouteThenTargetThenTheSipServer) {
  const TrunkPeer server{*Endpoint::Parse("10.90.2.2:5060")};
  Message invite = DialogInvite();
  invite.Remove("Record-Route");
  EXPECT_EQ(std::get<TrunkPeer>(MakeUasDialog(invite, "b", server).NextHop()).next_hop.ToString(),
            "10.0.0.9:5070");
  invite.Set("Contact", "<sip:a@phone.example>");
  EXPECT_EQ(std::get<TrunkPeer>(MakeUasDialog(invite, "b", server).NextHop()), server);
  invite.Add("Record-Route", "<sip:[fd90::2]:5080;transport=TCP;lr>");
  const auto hop = std::get<TrunkPeer>(MakeUasDialog(invite, "b", server).NextHop());
  EXPECT_EQ(hop.next_hop.ToString(), "[fd90::2]:5080");
  EXPECT_TRUE(hop.prefer_tcp);
  const Peer browser = WssPeer{FlowToken(3)};
  EXPECT_EQ(MakeUasDialog(invite, "b", browser).NextHop(), browser);
}

TEST(DialogTest, CSeqCrossesUnlessItWasUsed) {
  Dialog dialog;
  EXPECT_EQ(dialog.TakeCSeq(7000), 7000u);
  EXPECT_EQ(dialog.TakeCSeq(7005), 7005u);
  EXPECT_EQ(dialog.TakeCSeq(7005), 7006u);
  EXPECT_EQ(dialog.TakeCSeq(0), 7007u);
}

TEST(DialogTable, KeepsMirroredDialogsOfAHairpinApart) {
  DialogTable table;
  const DialogKey to_server{"c", "x", "y"}, from_server{"c", "y", "x"}, a{"ca", "a1", "a2"},
      b{"cb", "b1", "b2"};
  table.Add(to_server, CallKey(1));
  table.Add(from_server, CallKey(2));
  table.Add(a, CallKey(1));
  table.Add(b, CallKey(2));
  table.SetPartner(a, to_server);
  table.SetPartner(to_server, a);
  EXPECT_EQ(table.Find(to_server)->call, CallKey(1));
  EXPECT_EQ(table.Find(from_server)->call, CallKey(2));
  EXPECT_EQ(table.PartnerCallId("ca"), "c");
  EXPECT_EQ(table.PartnerCallId("cb"), std::nullopt);
  table.Remove(to_server);
  EXPECT_EQ(table.Find(to_server), nullptr);
  EXPECT_NE(table.Find(from_server), nullptr);
}

TEST(DialogTable, TranslatesEveryHeaderThatNamesADialog) {
  DialogTable table;
  const DialogKey ours{"ca", "l1", "r1"}, beyond{"cb", "l2", "r2"};
  table.Add(ours, CallKey(1));
  table.Add(beyond, CallKey(1));
  table.SetPartner(ours, beyond);
  Message out;
  TranslateReferences(
      Text("INVITE x\nReplaces: ca;to-tag=l1;from-tag=r1;early-only\nJoin: ca;from-tag=r1;to-tag=l1\n"
           "Target-Dialog: ca;local-tag=r1;remote-tag=l1\nIn-Reply-To: ca, other\nReplaces: "
           "zz;to-tag=1;from-tag=2\n"),
      out, table);
  std::vector<std::string> values;
  for (const HeaderField& field : out.headers) values.push_back(field.value);
  EXPECT_THAT(values, ElementsAre("cb;to-tag=r2;from-tag=l2;early-only", "cb;from-tag=l2;to-tag=r2",
                                  "cb;local-tag=l2;remote-tag=r2", "cb, other", "zz;to-tag=1;from-tag=2"));
}

}  // namespace
}  // namespace linegate::sip
