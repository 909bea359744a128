#include "controlplane/sdp/codec.h"

#include <gmock/gmock.h>

#include "controlplane/sdp/sdp_parser.h"
#include "tests/unit/sdp/sdp_test_data.h"

namespace linegate::sdp {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Describe(const std::vector<Codec>& codecs) {
  std::vector<std::string> lines;
  for (const Codec& codec : codecs) {
    std::string line =
        std::to_string(codec.payload_type) + " " + codec.name + "/" + std::to_string(codec.clock_rate);
    if (!codec.parameters.empty()) line += "/" + codec.parameters;
    for (const std::string& fmtp : codec.fmtp) line += " [" + fmtp + "]";
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> CodecsIn(const std::string& media_lines) {
  const auto parsed = Parse("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n" + media_lines);
  EXPECT_TRUE(parsed);
  return Describe(CodecsOf(parsed->media[0]));
}

TEST(Codecs, OfChromiumAreItsListWithoutRed) {
  const auto parsed = Parse(testing::ReadSdp("chromium_offer_audio"));
  EXPECT_THAT(
      Describe(CodecsOf(parsed->media[0])),
      ElementsAre("111 opus/48000/2 [minptime=10;useinbandfec=1]", "9 G722/8000", "0 PCMU/8000",
                  "8 PCMA/8000", "13 CN/8000", "110 telephone-event/48000", "126 telephone-event/8000"));
}

TEST(Codecs, StaticPayloadTypesNeedNoRtpmap) {
  EXPECT_THAT(CodecsIn("m=audio 4 RTP/AVP 0 8 18 101\r\na=fmtp:18 annexb=no\r\n"),
              ElementsAre("0 PCMU/8000", "8 PCMA/8000", "18 G729/8000 [annexb=no]"));
}

TEST(Codecs, KeepEveryFmtpByteExact) {
  EXPECT_THAT(
      CodecsIn(
          "m=audio 4 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96  a=1; b = 2 \r\na=fmtp:96 c\r\n"),
      ElementsAre("96 opus/48000/2 [ a=1; b = 2 ] [c]"));
}

TEST(Codecs, IgnoreWhatIsMalformedOrRepeated) {
  EXPECT_THAT(CodecsIn("m=audio 4 RTP/AVP 0 0 128 x 97 98 99\r\na=rtpmap:97 broken\r\na=rtpmap:98 a/0\r\n"
                       "a=rtpmap:99 /8000\r\n"),
              ElementsAre("0 PCMU/8000"));
}

TEST(Codecs, AreBounded) {
  std::string line = "m=audio 4 RTP/AVP", maps;
  for (int i = 35; i < 127; ++i) {
    line += " " + std::to_string(i);
    maps += "a=rtpmap:" + std::to_string(i) + " x" + std::to_string(i) + "/8000\r\n";
  }
  EXPECT_EQ(CodecsIn(line + "\r\n" + maps).size(), kMaxCodecs);
}

TEST(Codecs, SameEncodingIgnoresCaseAndReadsNoChannelsAsOne) {
  EXPECT_TRUE(SameEncoding({0, "pcmu", 8000, "", {}}, {7, "PCMU", 8000, "1", {"x"}}));
  EXPECT_FALSE(SameEncoding({96, "opus", 48000, "2", {}}, {96, "opus", 48000, "", {}}));
  EXPECT_FALSE(SameEncoding({101, "telephone-event", 8000, "", {}}, {101, "telephone-event", 48000, "", {}}));
}

TEST(Codecs, TelephoneEventNeedsACodecOfItsClock) {
  std::vector<Codec> codecs = {{111, "opus", 48000, "2", {}},
                               {13, "CN", 8000, "", {}},
                               {101, "telephone-event", 8000, "", {}},
                               {110, "telephone-event", 48000, "", {}}};
  DropUnmatchedTelephoneEvents(codecs);
  EXPECT_THAT(Describe(codecs), ElementsAre("111 opus/48000/2", "13 CN/8000", "110 telephone-event/48000"));
}

}  // namespace
}  // namespace linegate::sdp
