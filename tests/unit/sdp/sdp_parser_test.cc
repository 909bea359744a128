#include "controlplane/sdp/sdp_parser.h"

#include <gmock/gmock.h>

#include "controlplane/sdp/sdp_writer.h"
#include "tests/unit/sdp/sdp_test_data.h"

namespace linegate::sdp {
namespace {

using ::testing::ElementsAre;
using testing::kCaptures;
using testing::ReadSdp;

std::string ErrorOf(const std::string& text) {
  const auto parsed = Parse(text);
  return parsed ? "parsed" : parsed.error().ToString();
}

TEST(SdpParser, ParsesCapture) {
  const auto parsed = Parse(ReadSdp("chromium_offer_audio_video"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->origin.username, "-");
  EXPECT_EQ(parsed->origin.session_id, 9021094750966769707u);
  EXPECT_EQ(parsed->origin.session_version, 2u);
  EXPECT_EQ(parsed->origin.address, "127.0.0.1");
  EXPECT_EQ(parsed->Attribute("group"), "BUNDLE 0 1");
  ASSERT_EQ(parsed->media.size(), 2u);
  const MediaSection& audio = parsed->media[0];
  EXPECT_EQ(audio.kind, "audio");
  EXPECT_EQ(audio.port, 9);
  EXPECT_EQ(audio.protocol, "UDP/TLS/RTP/SAVPF");
  EXPECT_THAT(audio.formats, ElementsAre("111", "63", "9", "0", "8", "13", "110", "126"));
  EXPECT_EQ(audio.Attribute("mid"), "0");
  EXPECT_EQ(audio.Attribute("sendrecv"), "");
  EXPECT_EQ(audio.First('c'), "IN IP4 0.0.0.0");
  EXPECT_EQ(audio.Attributes("candidate").size(), 2u);
  EXPECT_EQ(parsed->media[1].formats.size(), 23u);
}

TEST(SdpParser, RoundTripsByteExact) {
  for (const char* name : kCaptures) {
    const std::string text = ReadSdp(name);
    const auto parsed = Parse(text);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(Write(*parsed), text) << name;
  }
}

TEST(SdpParser, SurvivesEveryTruncation) {
  const std::string text = ReadSdp("chromium_offer_audio");
  for (size_t length = 0; length <= text.size(); ++length) {
    const auto parsed = Parse(std::string_view(text).substr(0, length));
    if (parsed) {
      EXPECT_TRUE(Parse(Write(*parsed))) << length;
    }
  }
}

TEST(SdpParser, KeepsUnknownLinesInPlace) {
  const std::string text =
      "v=0\r\no=- 1 1 IN IP4 h\r\ns=x y\r\ni=info\r\nu=http://x\r\nb=AS:64\r\nt=0 "
      "0\r\nz=9\r\nk=clear\r\na=foo:bar \r\n"
      "m=audio 4/2 RTP/AVP 0\r\ni=title\r\nq=odd\r\na=what ever: this\r\n";
  const auto parsed = Parse(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(Write(*parsed), text);
  EXPECT_EQ(parsed->media[0].port_count, 2u);
}

TEST(SdpParser, AcceptsBareLineFeedsAndAMissingLastLineEnd) {
  const auto parsed = Parse("v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\nm=audio 4 RTP/AVP 0");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->media.size(), 1u);
}

TEST(SdpParser, AddsMandatoryLinesThatThePeerForgot) {
  const auto parsed = Parse("v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 1.2.3.4\r\na=x\r\nm=audio 4 RTP/AVP 0\r\n");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(Write(*parsed),
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\na=x\r\nm=audio 4 RTP/AVP 0\r\n");
}

TEST(SdpParser, NamesTheLineOfAnError) {
  const std::string head = "v=0\r\no=- 1 1 IN IP4 h\r\n";
  EXPECT_EQ(ErrorOf(""), "empty");
  EXPECT_EQ(ErrorOf("garbage"), "line 1: not TYPE=VALUE");
  EXPECT_EQ(ErrorOf("s=-\r\n"), "line 1: does not begin with v=0");
  EXPECT_EQ(ErrorOf("v=1\r\n"), "line 1: does not begin with v=0");
  EXPECT_EQ(ErrorOf("v=0\r\ns=-\r\n"), "no o= line");
  EXPECT_EQ(ErrorOf("v=0\r\no=- x 1 IN IP4 h\r\n"), "line 2: malformed or second o= line");
  EXPECT_EQ(ErrorOf(head + "o=- 1 1 IN IP4 h\r\n"), "line 3: malformed or second o= line");
  EXPECT_EQ(ErrorOf(head + "v=0\r\n"), "line 3: second v= line");
  EXPECT_EQ(ErrorOf(head + "m=audio 70000 RTP/AVP 0\r\n"), "line 3: malformed m= line");
  EXPECT_EQ(ErrorOf(head + "m=audio 4 RTP/AVP\r\n"), "line 3: malformed m= line");
  EXPECT_EQ(ErrorOf(head + "a=x\ry\r\n"), "line 3: control character");
  EXPECT_EQ(ErrorOf(head + "\r\nt=0 0\r\n"), "line 3: not TYPE=VALUE");
}

TEST(SdpParser, IsBounded) {
  std::string text = "v=0\r\no=- 1 1 IN IP4 h\r\n";
  std::string many_media = text, many_lines = text;
  for (size_t i = 0; i <= kMaxMediaSections; ++i) many_media += "m=audio 4 RTP/AVP 0\r\n";
  for (size_t i = 0; i <= kMaxLines; ++i) many_lines += "a=x\r\n";
  EXPECT_EQ(ErrorOf(many_media), "line 19: more than 16 m= lines");
  EXPECT_EQ(ErrorOf(many_lines), "line 513: more than 512 lines");
  EXPECT_EQ(ErrorOf(text + "a=" + std::string(kMaxBytes, 'x')), "longer than 64 KiB");
}

TEST(Section, AttributeNamesMatchWhole) {
  Section section;
  section.AddAttribute("rtcp-mux");
  section.AddAttribute("rtcp", "9 IN IP4 h");
  EXPECT_EQ(section.Attribute("rtcp"), "9 IN IP4 h");
  EXPECT_FALSE(section.HasAttribute("rtc"));
}

}  // namespace
}  // namespace linegate::sdp
