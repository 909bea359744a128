#include "controlplane/net/sofia_codec.h"

#include <gtest/gtest.h>

#include "controlplane/sip/sip_text.h"

namespace linegate::net {
namespace {

std::string Invite(std::string_view extra) {
  return "INVITE sip:b%6fb@LAB.example;transport=WS SIP/2.0\r\nVia: SIP/2.0/WSS h.invalid;branch=z9hG4bKx\r\n"
         "Max-Forwards: 70\r\n"
         "From: \"J\xc3\xbcrgen\"  <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 01 INVITE\r\n"
         "Contact: <sip:9b@h.invalid;transport=ws;ob>\r\n" +
         std::string(extra) + "Content-Length: 0\r\n\r\n";
}

TEST(SofiaParser, AcceptsWhatJsSipSendsAndKeepsItsBytes) {
  const std::string bytes = Invite(
      "Authorization: Digest username=\"a\",realm=\"r, x\", nonce=\"n==\",uri=\"sip:x\",response=\"00\"\r\n"
      "Proxy-Authorization: Bearer  eyJ.x_y-z\r\nX-Any: <<>>;;\"\r\nSupported: ice,replaces,outbound\r\n");
  const auto parsed = SofiaParser().Parse(bytes);
  ASSERT_TRUE(parsed) << parsed.error().reason;
  EXPECT_EQ(sip::Serialise(parsed->message, parsed->vias), bytes);
}

TEST(SofiaParser, AcceptsRepeatedHeadersThatMayRepeat) {
  const auto parsed = SofiaParser().Parse(
      Invite("Route: <sip:a;lr>\r\nRoute: <sip:b;lr>\r\nSupported: a\r\nSupported: b\r\nX: 1\r\nX: 2\r\n"));
  ASSERT_TRUE(parsed) << parsed.error().reason;
  EXPECT_EQ(parsed->message.GetAll("Supported").size(), 2u);
}

TEST(SofiaParser, RefusesWhatSofiaRefusesAndCanAnswer) {
  for (const char* extra :
       {"From: <sip:x@y>;tag=2\r\n", "To: <sip:x@y>\r\n", "Call-ID: y\r\n", "CSeq: 2 INVITE\r\n",
        "Max-Forwards: 7\r\n", "Content-Type: text\r\n", "Contact: <sip:a@b\r\n", "Route: <>,\r\n"}) {
    const auto parsed = SofiaParser().Parse(Invite(extra));
    ASSERT_FALSE(parsed) << extra;
    EXPECT_EQ(parsed.error().status, 400) << extra;
    EXPECT_TRUE(parsed.error().request) << extra;
  }
}

TEST(SofiaParser, AcceptsMethodsThatSofiaMisreads) {
  for (const char* method :
       {"PING", "SERVICE", "NOVEL", "!interesting-Method0123456789_*+`.%indeed'~", "A"}) {
    std::string bytes = Invite("");
    while (bytes.find("INVITE") != std::string::npos) bytes.replace(bytes.find("INVITE"), 6, method);
    const auto parsed = SofiaParser().Parse(bytes);
    ASSERT_TRUE(parsed) << method << parsed.error().reason;
    EXPECT_EQ(parsed->message.method, method);
    bytes.insert(bytes.find("Contact"), "To: <sip:second@x>\r\n");
    EXPECT_FALSE(SofiaParser().Parse(bytes)) << method;
  }
}

TEST(SofiaParser, RelaysMalformedHeadersThatNobodyActsOn) {
  EXPECT_TRUE(SofiaParser().Parse(Invite("Date: yesterday\r\nTimestamp: x\r\n")));
}

TEST(SofiaParser, SurvivesEveryTruncation) {
  const std::string bytes = Invite("");
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(SofiaParser().Parse(std::string_view(bytes).substr(0, length))) << length;
  }
}

}  // namespace
}  // namespace linegate::net
