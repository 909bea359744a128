#include "controlplane/sip/sip_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Message WithHeaders(std::vector<HeaderField> headers) {
  Message message;
  message.method = "INVITE";
  message.headers = std::move(headers);
  return message;
}

TEST(Message, GetsHeadersWhateverTheirCase) {
  const Message message = WithHeaders({{"Call-ID", "x"}, {"X-A", "1"}, {"x-a", "2"}});
  EXPECT_EQ(message.Get("call-id"), "x");
  EXPECT_THAT(message.GetAll("X-a"), ElementsAre("1", "2"));
  EXPECT_FALSE(message.Has("X-B"));
}

TEST(Message, SetReplacesTheFirstWhereItStandsAndRemovesRepetitions) {
  Message message = WithHeaders({{"A", "1"}, {"B", "2"}, {"a", "3"}});
  message.Set("A", "9");
  ASSERT_EQ(message.headers.size(), 2u);
  EXPECT_EQ(message.headers[0].value, "9");
  message.Set("C", "4");
  EXPECT_EQ(message.headers.back().name, "C");
  message.Remove("b");
  EXPECT_FALSE(message.Has("B"));
}

TEST(SipText, SplitsListsAtCommasOutsideQuotesAndAngles) {
  EXPECT_THAT(SplitCommas(R"("Doe, \"J\"" <sip:a@b?X=1,2>;q=1, <sip:c@d> ,, *)"),
              ElementsAre(R"("Doe, \"J\"" <sip:a@b?X=1,2>;q=1)", "<sip:c@d>", "*"));
  EXPECT_THAT(SplitCommas(R"(Digest realm="a,b", qop="auth,auth-int")"),
              ElementsAre(R"(Digest realm="a,b")", R"(qop="auth,auth-int")"));
  EXPECT_THAT(SplitCommas("\"open, never closed"), ElementsAre("\"open, never closed"));
  EXPECT_THAT(SplitCommas(" , "), IsEmpty());
}

TEST(SipText, ListsSpanRepeatedHeaders) {
  const Message message = WithHeaders({{"Supported", "path, gruu"}, {"Supported", "Outbound"}});
  EXPECT_THAT(ListValues(message, "supported"), ElementsAre("path", "gruu", "Outbound"));
  EXPECT_TRUE(ListHas(message, "Supported", "outbound"));
  EXPECT_FALSE(ListHas(message, "Supported", "pat"));
}

TEST(SipText, RemovingTokensKeepsAnUntouchedListByteExact) {
  EXPECT_EQ(WithoutTokens("path,gruu ,  timer", {"outbound"}), "path,gruu ,  timer");
  EXPECT_EQ(WithoutTokens("path,GRUU ,  timer", {"gruu"}), "path, timer");
  EXPECT_EQ(WithoutTokens("gruu", {"gruu"}), "");
}

TEST(SipText, ReadsHeaderParameters) {
  EXPECT_EQ(GetParam("\"x;tag=1\" <sip:a@b;tag=2> ; Tag = 3;x", "tag"), "3");
  EXPECT_EQ(GetParam("<sip:a@b>;x", "x"), "");
  EXPECT_EQ(GetParam("sip:a@b;tag=7", "tag"), "7");
  EXPECT_EQ(GetParam("<sip:a@b>", "tag"), std::nullopt);
  EXPECT_EQ(GetParam("<sip:a@b>;+sip.instance=\"<urn:uuid:1;2>\"", "+sip.instance"), "\"<urn:uuid:1;2>\"");
  EXPECT_EQ(WithoutParams("presence ;id=7"), "presence");
}

TEST(SipText, EditsOneParameterAndKeepsEveryOtherByte) {
  EXPECT_EQ(SetParam("<sip:a@b>;tag=1 ;x=\"y\"", "tag", "2"), "<sip:a@b>;tag=2;x=\"y\"");
  EXPECT_EQ(SetParam("<sip:a@b;tag=0>", "tag", "2"), "<sip:a@b;tag=0>;tag=2");
  EXPECT_EQ(SetParam("1800", "refresher", "uac"), "1800;refresher=uac");
  EXPECT_EQ(RemoveParam("<sip:a@b>;reg-id=1;x;reg-id=2", "reg-id"), "<sip:a@b>;x");
  EXPECT_EQ(RemoveParam("<sip:a@b>;y", "x"), "<sip:a@b>;y");
}

TEST(SipText, ParsesNameAddrAndAddrSpec) {
  auto parsed = ParseNameAddr(R"("A \"<b>\"" <sip:a@b;lr?x=1>;tag=9)");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->display, R"("A \"<b>\"")");
  EXPECT_EQ(parsed->uri, "sip:a@b;lr?x=1");
  EXPECT_EQ(parsed->params, ";tag=9");

  parsed = ParseNameAddr("J. Smith <tel:+1>");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->display, "J. Smith");
  EXPECT_EQ(parsed->uri, "tel:+1");

  parsed = ParseNameAddr("sip:a@b;tag=1");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->uri, "sip:a@b");
  EXPECT_EQ(parsed->params, ";tag=1");

  EXPECT_EQ(ParseNameAddr("*")->uri, "*");
  EXPECT_FALSE(ParseNameAddr(""));
  EXPECT_FALSE(ParseNameAddr("<sip:a@b"));
  EXPECT_FALSE(ParseNameAddr("<>"));
  EXPECT_FALSE(ParseNameAddr("<sip:a@b> junk"));
}

TEST(SipText, ReplacesTheUriOfAnElement) {
  EXPECT_EQ(WithUri("\"A\"  <sip:a@b>;expires=60", "sip:c@d"), "\"A\" <sip:c@d>;expires=60");
  EXPECT_EQ(WithUri("sip:a@b;expires=60", "sip:c@d"), "<sip:c@d>;expires=60");
}

TEST(SipText, SplitsUris) {
  auto uri = ParseUri("sip:al%69ce;d=1:secret@[2001:db8::1]:5061;transport=tcp;ob?Subject=x");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->user, "al%69ce;d=1");
  EXPECT_EQ(uri->host, "[2001:db8::1]");
  EXPECT_EQ(uri->port, 5061);
  EXPECT_EQ(uri->params, ";transport=tcp;ob");
  EXPECT_EQ(uri->headers, "Subject=x");
  EXPECT_TRUE(uri->is_sip());
  EXPECT_EQ(GetUriParam("sip:a@b;transport=tcp;ob", "Transport"), "tcp");
  EXPECT_EQ(GetUriParam("sip:a@b;transport=tcp;ob", "ob"), "");
  EXPECT_EQ(GetUriParam("sip:a@b", "ob"), std::nullopt);

  uri = ParseUri("tel:+358-555;x=1");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->user, "+358-555;x=1");
  EXPECT_FALSE(uri->is_sip());

  for (const char* bad : {"", "sip", "sip:", "sip:@b", "sip:a@", "sip:a@b:99999", "sip:a@[::1", "sip:a@b:x",
                          "1sip:a@b", "<sip:a@b>"}) {
    EXPECT_FALSE(ParseUri(bad)) << bad;
  }
}

TEST(SipText, ComparesHosts) {
  EXPECT_TRUE(SameHost("Lab.Example", "lab.example"));
  EXPECT_TRUE(SameHost("[fd90:1::1]", "fd90:1:0:0::1"));
  EXPECT_FALSE(SameHost("10.0.0.1", "10.0.0.2"));
  EXPECT_FALSE(SameHost("lab.example", "example"));
}

TEST(SipText, ParsesCSeq) {
  EXPECT_EQ(ParseCSeq(" 42   INVITE ")->number, 42u);
  EXPECT_EQ(ParseCSeq("42 INVITE")->method, "INVITE");
  for (const char* bad : {"", "INVITE", "42", "-1 INVITE", "2147483648 INVITE", "1 A B"})
    EXPECT_FALSE(ParseCSeq(bad)) << bad;
}

TEST(SipText, ExpandsCompactNames) {
  EXPECT_EQ(ExpandCompactName("v"), "Via");
  EXPECT_EQ(ExpandCompactName("I"), "Call-ID");
  EXPECT_EQ(ExpandCompactName("q"), "q");
  EXPECT_EQ(ExpandCompactName("X-Via"), "X-Via");
}

TEST(SipText, DecodesEscapes) {
  EXPECT_EQ(PercentDecode("a%42%43"), "aBC");
  EXPECT_FALSE(PercentDecode("%4"));
  EXPECT_FALSE(PercentDecode("%zz"));
  EXPECT_FALSE(PercentDecode("%0d%0a"));
}

}  // namespace
}  // namespace linegate::sip
