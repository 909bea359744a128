#include "controlplane/sip/message_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linegate::sip {
namespace {

using ::testing::ElementsAre;

// Captured from JsSIP 3.10 in Chromium, shortened.
constexpr std::string_view kCapture =
    "REGISTER sip:lab.example SIP/2.0\r\n"
    "Via: SIP/2.0/WSS kq5ri7ebte0j.invalid;branch=z9hG4bK7716325\r\n"
    "Max-Forwards: 69\r\n"
    "To: <sip:1001@lab.example>\r\n"
    "From: <sip:1001@lab.example>;tag=s2tlv4b0a6\r\n"
    "Call-ID: hvlkq2ql8l8mdjfptq7vhn\r\n"
    "CSeq: 1 REGISTER\r\n"
    "Contact: <sip:9dsabi01@kq5ri7ebte0j.invalid;transport=ws>;+sip.ice;reg-id=1;"
    "+sip.instance=\"<urn:uuid:c2d9f7e1-0b5c-4b0c-b2f5-1f0e1f8c3c6b>\";expires=600\r\n"
    "Expires: 600\r\n"
    "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n"
    "Supported: path,gruu,outbound\r\n"
    "User-Agent: JsSIP 3.10.1\r\n"
    "Content-Length: 0\r\n\r\n";

/// Every header a pass-through gateway must not touch, in forms that a re-encoder would change.
const std::vector<HeaderField> kExactFields = {
    {"Max-Forwards", "069"},
    {"From", "\"J\\\"o  e\"   <sip:A%41@Lab.Example;X=y>;TAG=Aa.1 ;z"},
    {"To", "sip:bob@LAB.example"},
    {"Call-ID", "a!%*_+`'~()<>:\\\"/[]?{}b@host"},
    {"CSeq", "0007  INVITE"},
    {"Authorization",
     "Digest username=\"a\",realm=\"r, x\", nonce=\"n==\",uri=\"sip:x\",response=\"00\",algorithm=md5"},
    {"Proxy-Authorization", "Bearer  eyJhbGciOi.J9.x_y-z"},
    {"WWW-Authenticate", "Digest realm=\"a\",qop=\"auth,auth-int\", nonce=\"1\""},
    {"X-Data", "  inner   blanks\tand\ttabs"},
    {"X-Empty", ""},
    {"x-lower-CASE", "1"},
    {"X-Data", "again"},
};

TEST(MessageWire, ParsesCapture) {
  const auto parsed = SplitMessage(kCapture, {});
  ASSERT_TRUE(parsed) << parsed.error().reason;
  EXPECT_EQ(parsed->message.method, "REGISTER");
  EXPECT_EQ(parsed->message.request_uri, "sip:lab.example");
  EXPECT_EQ(parsed->message.Get("Call-ID"), "hvlkq2ql8l8mdjfptq7vhn");
  EXPECT_FALSE(parsed->message.Has("Via"));
  EXPECT_FALSE(parsed->message.Has("Content-Length"));
  EXPECT_THAT(parsed->vias, ElementsAre("SIP/2.0/WSS kq5ri7ebte0j.invalid;branch=z9hG4bK7716325"));
  EXPECT_EQ(parsed->top_via.transport, "WSS");
  EXPECT_EQ(parsed->top_via.sent_by, "kq5ri7ebte0j.invalid");
  EXPECT_EQ(parsed->top_via.branch, "z9hG4bK7716325");
}

TEST(MessageWire, RoundTrips) {
  const auto parsed = SplitMessage(kCapture, {});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(Serialise(parsed->message, parsed->vias), kCapture);
}

TEST(MessageWire, KeepsEveryValueByteExact) {
  Message message;
  message.method = "INVITE";
  message.request_uri = "sip:b%6fb@LAB.example;transport=WS;x=%2c?h=1";
  message.headers = kExactFields;
  message.headers[8].value = "inner   blanks\tand\ttabs";  // blanks around a value are not part of it
  message.body = std::string("v=0\r\n\0\xff", 7);
  const std::string bytes = Serialise(message, {"SIP/2.0/WSS a.invalid;branch=z9hG4bK1"});
  const auto parsed = SplitMessage(bytes, {});
  ASSERT_TRUE(parsed) << parsed.error().reason;
  EXPECT_EQ(parsed->message.request_uri, message.request_uri);
  ASSERT_EQ(parsed->message.headers.size(), message.headers.size());
  for (size_t i = 0; i < message.headers.size(); ++i) {
    EXPECT_EQ(parsed->message.headers[i].name, message.headers[i].name);
    EXPECT_EQ(parsed->message.headers[i].value, message.headers[i].value);
  }
  EXPECT_EQ(parsed->message.body, message.body);
}

TEST(MessageWire, SurvivesEveryTruncation) {
  for (size_t length = 0; length < kCapture.size(); ++length) {
    const auto parsed = SplitMessage(kCapture.substr(0, length), {});
    ASSERT_FALSE(parsed) << length;
    EXPECT_EQ(parsed.error().status, 400) << length;
  }
}

TEST(MessageWire, UnfoldsAndExpandsCompactNames) {
  const auto parsed = SplitMessage(
      "OPTIONS sip:a SIP/2.0\r\nv: SIP / 2.0 / WSS\r\n\t h:5060 ;branch=z9hG4bKx\r\nf:<sip:a@b>\r\n  "
      ";tag=1\r\n"
      "t: <sip:c@d>\r\ni  : x\r\nCSeq: 1\r\n OPTIONS\r\nl: 0\r\n\r\n",
      {});
  ASSERT_TRUE(parsed) << parsed.error().reason;
  EXPECT_EQ(parsed->message.Get("From"), "<sip:a@b> ;tag=1");
  EXPECT_EQ(parsed->message.Get("Call-ID"), "x");
  EXPECT_EQ(parsed->message.Get("CSeq"), "1 OPTIONS");
  EXPECT_EQ(parsed->top_via.sent_by, "h:5060");
  EXPECT_EQ(parsed->message.Get("Max-Forwards"), "70") << "supplied when missing";
}

std::string Options(std::string_view extra, std::string_view after = "") {
  return "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/WSS h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
         "<sip:c@d>\r\n"
         "Call-ID: x\r\nCSeq: 1 OPTIONS\r\n" +
         std::string(extra) + "\r\n" + std::string(after);
}

TEST(MessageWire, RefusesWithTheRightStatusAndCanAnswer) {
  struct Row {
    const char* what;
    std::string bytes;
    int status;
  };
  std::string many;
  for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
  std::string version = Options("");
  version.replace(version.find("SIP/2.0"), 7, "SIP/7.0");
  std::string long_uri = Options("");
  long_uri.replace(8, 5, "sip:" + std::string(9000, 'a'));
  std::string cseq = Options("");
  cseq.replace(cseq.find("1 OPTIONS"), 9, "1 INVITE");
  const std::vector<Row> rows = {
      {"half a body", Options("Content-Length: 5\r\n", "abcd"), 400},
      {"second message behind", Options("Content-Length: 0\r\n", Options("")), 400},
      {"negative Content-Length", Options("Content-Length: -1\r\n"), 400},
      {"two Content-Lengths", Options("Content-Length: 0\r\nl: 0\r\n"), 400},
      {"too many headers", Options(many), 400},
      {"long header line", Options("X: " + std::string(9000, 'a') + "\r\n"), 400},
      {"long folded header",
       Options("X: " + std::string(5000, 'a') + "\r\n " + std::string(5000, 'a') + "\r\n"), 400},
      {"too large", Options("", std::string(65536, 'a')), 513},
      {"line without colon", Options("Nonsense\r\n"), 400},
      {"bare LF in a value", Options("X: a\nTo: <sip:evil@x>\r\n"), 400},
      {"bare CR in a value", Options("X: a\rb\r\n"), 400},
      {"NUL in a value", Options(std::string("X: a\0b\r\n", 8)), 400},
      {"version", version, 505},
      {"long Request-URI", long_uri, 414},
      {"CSeq method", cseq, 400},
  };
  for (const Row& row : rows) {
    const auto parsed = SplitMessage(row.bytes, {});
    ASSERT_FALSE(parsed) << row.what;
    EXPECT_EQ(parsed.error().status, row.status) << row.what;
    ASSERT_TRUE(parsed.error().request) << row.what;
    EXPECT_EQ(parsed.error().request->message.Get("Call-ID"), "x") << row.what;
  }
}

TEST(MessageWire, CannotAnswerWhatHasNoIdentity) {
  std::string without_call_id = Options("");
  without_call_id.erase(without_call_id.find("Call-ID"), 12);
  std::string ack = Options("Content-Length: 9\r\n");
  while (ack.find("OPTIONS") != std::string::npos) ack.replace(ack.find("OPTIONS"), 7, "ACK");
  for (const std::string& bytes :
       {std::string("hello"), std::string("\r\n\r\n"), std::string(), std::string(70000, 'x'),
        without_call_id, ack, std::string("SIP/2.0 200 OK\r\n\r\n"), std::string("SIP/2.0 20 OK\r\n\r\n"),
        std::string("INVITE  sip:a SIP/2.0\r\n\r\n")}) {
    const auto parsed = SplitMessage(bytes, {});
    ASSERT_FALSE(parsed) << bytes.substr(0, 40);
    EXPECT_FALSE(parsed.error().request) << bytes.substr(0, 40);
  }
}

TEST(MessageWire, ParsesVias) {
  const auto via = ParseVia("SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=z9hG4bK.a;received=10.0.0.1");
  ASSERT_TRUE(via);
  EXPECT_EQ(via->sent_by, "[2001:db8::1]:5060");
  EXPECT_EQ(via->branch, "z9hG4bK.a");
  for (const char* bad :
       {"", "SIP/2.0", "SIP/2.0/UDP", "SIP/2.0/UDP ;branch=x", "HTTP/2.0/UDP h", "SIP/3.0/UDP h"}) {
    EXPECT_FALSE(ParseVia(bad)) << bad;
  }
}

}  // namespace
}  // namespace linegate::sip
