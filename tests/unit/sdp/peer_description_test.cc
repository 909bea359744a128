#include "controlplane/sdp/peer_description.h"

#include <gmock/gmock.h>

#include "tests/unit/sdp/sdp_test_data.h"

namespace linegate::sdp {
namespace {

using ::testing::ElementsAre;
using testing::ReadSdp;
using testing::Replace;

std::string Refusal(const SdpResult<PeerDescription>& result) {
  return result ? "served" : std::to_string(result.error().status) + " " + result.error().reason;
}
std::string WebRefusal(const std::string& sdp) { return Refusal(DescribeWebRtcPeer(sdp, kAnyAudio)); }
std::string RtpRefusal(const std::string& sdp) { return Refusal(DescribeRtpPeer(sdp, kAnyAudio)); }

TEST(DescribeWebRtcPeer, ReadsChromium) {
  const auto peer = DescribeWebRtcPeer(ReadSdp("chromium_offer_audio_video_data"), kAnyAudio);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->webrtc.ufrag, "gPzs");
  EXPECT_EQ(peer->webrtc.pwd, "FONMBhqqLG1TwRoEfSzhShco");
  EXPECT_EQ(peer->webrtc.setup, Setup::kActPass);
  EXPECT_TRUE(peer->webrtc.bundled);
  EXPECT_EQ(peer->webrtc.fingerprints.size(), 1u);
  EXPECT_EQ(peer->audio.direction, Direction::kSendRecv);
  ASSERT_EQ(peer->layout.lines.size(), 3u);
  EXPECT_EQ(peer->layout.audio, 0u);
  EXPECT_EQ(peer->layout.lines[1].mid, "1");
  EXPECT_EQ(peer->layout.lines[1].format, "96");
  EXPECT_EQ(peer->layout.lines[2].kind, "application");
}

TEST(DescribeWebRtcPeer, ReadsTheSessionLevelFingerprintOfFirefox) {
  const auto peer = DescribeWebRtcPeer(ReadSdp("firefox_offer_audio"), kAnyAudio);
  ASSERT_TRUE(peer);
  EXPECT_THAT(peer->webrtc.fingerprints[0], ::testing::StartsWith("sha-256 4A:AD"));
  EXPECT_EQ(peer->audio.codecs.size(), 5u);
}

TEST(DescribeWebRtcPeer, NeedsNoUsableCandidate) {
  std::string sdp = ReadSdp("firefox_offer_audio");
  EXPECT_EQ(WebRefusal(Replace(sdp, "a=candidate:0 1 UDP 2122252543 192.168.7.21 52004 typ host\r\n", "")),
            "served");
  EXPECT_EQ(WebRefusal(Replace(sdp, "a=candidate:0 1 UDP 2122252543 192.168.7.21", "a=candidate:nonsense")),
            "served");
}

TEST(DescribeWebRtcPeer, RefusesWhatCannotBeSecured) {
  const std::string sdp = ReadSdp("chromium_offer_audio");
  EXPECT_EQ(WebRefusal(Replace(sdp, "a=fingerprint", "a=x")), "488 no DTLS fingerprint");
  EXPECT_EQ(WebRefusal(Replace(sdp, "a=ice-ufrag:Yy2P", "a=ice-ufrag:Yy2")),
            "488 missing or malformed ice-ufrag");
  EXPECT_EQ(WebRefusal(Replace(sdp, "a=ice-ufrag:Yy2P", "a=ice-ufrag:Yy P")),
            "488 missing or malformed ice-ufrag");
  EXPECT_EQ(WebRefusal(Replace(sdp, "UMRK46LTgq", "UMRK46L")), "488 missing or malformed ice-pwd");
  EXPECT_EQ(WebRefusal(Replace(sdp, "a=rtcp-mux", "a=x")), "488 no rtcp-mux");
  EXPECT_EQ(WebRefusal(ReadSdp("baresip_offer")), "488 media protocol is not RTP over DTLS");
  EXPECT_EQ(WebRefusal("v=0\r\nx"), "400 malformed SDP, line 2: not TYPE=VALUE");
}

TEST(DescribeWebRtcPeer, FindsTheAudioLineThatIsInUse) {
  const std::string audio = ReadSdp("chromium_offer_audio");
  const std::string section = audio.substr(audio.find("m=audio"));
  const std::string session = audio.substr(0, audio.find("m=audio"));
  const auto stopped_first =
      DescribeWebRtcPeer(session + Replace(section, "m=audio 9", "m=audio 0") + section, kAnyAudio);
  ASSERT_TRUE(stopped_first);
  EXPECT_EQ(stopped_first->layout.audio, 1u);
  const auto bundle_only = DescribeWebRtcPeer(
      session + Replace(section, "m=audio 9", "m=audio 0") + "a=bundle-only\r\n", kAnyAudio);
  ASSERT_TRUE(bundle_only);
  EXPECT_FALSE(bundle_only->audio.refused);
}

TEST(DescribeWebRtcPeer, RefusedAnswerNeedsNoTransport) {
  const auto peer = DescribeWebRtcPeer("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\n", 0);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->audio.refused);
  EXPECT_EQ(peer->audio.direction, Direction::kInactive);
}

TEST(DescribeRtpPeer, ReadsBaresip) {
  const auto peer = DescribeRtpPeer(ReadSdp("baresip_offer"), kAnyAudio);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->rtp.rtp.ToString(), "10.90.2.2:20360");
  EXPECT_EQ(peer->rtp.rtcp.ToString(), "10.90.2.2:20361");
  EXPECT_FALSE(peer->rtcp_mux);
  EXPECT_THAT(peer->audio.packet_times, ElementsAre("ptime:20"));
}

TEST(DescribeRtpPeer, ReadsRtcpAttributeInBothForms) {
  const std::string sdp = ReadSdp("baresip_offer");
  const auto rtcp = [&](const std::string& value) {
    const auto peer = DescribeRtpPeer(Replace(sdp, "a=rtcp-rsize", "a=rtcp:" + value), kAnyAudio);
    return peer ? peer->rtp.rtcp.ToString() : "refused";
  };
  EXPECT_EQ(rtcp("30001"), "10.90.2.2:30001");
  EXPECT_EQ(rtcp("30001 IN IP4 10.90.2.9"), "10.90.2.9:30001");
  EXPECT_EQ(rtcp("0"), "10.90.2.2:20361");
  EXPECT_EQ(rtcp("70000 IN IP4 x"), "10.90.2.2:20361");
}

TEST(DescribeRtpPeer, MediaLevelConnectionWins) {
  const auto peer = DescribeRtpPeer(ReadSdp("baresip_offer") + "c=IN IP6 fd90:2::2\r\n", kAnyAudio);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->rtp.rtp.ToString(), "[fd90:2::2]:20360");
}

TEST(DescribeRtpPeer, SessionLevelDirectionApplies) {
  const std::string sdp =
      Replace(Replace(ReadSdp("baresip_offer"), "a=sendrecv\r\n", ""), "a=tool:baresip 1.0.0", "a=sendonly");
  EXPECT_EQ(DescribeRtpPeer(sdp, kAnyAudio)->audio.direction, Direction::kSendOnly);
}

TEST(DescribeRtpPeer, UnspecifiedAddressIsNowhere) {
  const std::string sdp = Replace(ReadSdp("baresip_offer"), "IN IP4 10.90.2.2\r\nt", "IN IP4 0.0.0.0\r\nt");
  const auto direction = [](const std::string& text) {
    return DescribeRtpPeer(text, kAnyAudio)->audio.direction;
  };
  EXPECT_EQ(DescribeRtpPeer(sdp, kAnyAudio)->rtp.rtp, Endpoint{});
  EXPECT_EQ(direction(sdp), Direction::kInactive);
  EXPECT_EQ(direction(Replace(sdp, "a=sendrecv", "a=sendonly")), Direction::kSendOnly);
  EXPECT_EQ(direction(Replace(sdp, "a=sendrecv", "a=recvonly")), Direction::kInactive);
  const std::string v6 = Replace(sdp, "IN IP4 0.0.0.0", "IN IP6 ::");
  EXPECT_EQ(direction(v6), Direction::kInactive);
}

TEST(DescribeRtpPeer, ReadsWhatTheLegMayBeEncryptedWith) {
  const std::string sdp = ReadSdp("baresip_offer");
  const std::string good =
      "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
  const auto plain = DescribeRtpPeer(sdp, kAnyAudio);
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->secure);
  EXPECT_EQ(plain->crypto.count, 0u);
  const auto opportunistic = DescribeRtpPeer(sdp + good, kAnyAudio);  // RFC 8643
  ASSERT_TRUE(opportunistic);
  EXPECT_FALSE(opportunistic->secure);
  ASSERT_EQ(opportunistic->crypto.served.size(), 1u);
  EXPECT_EQ(opportunistic->crypto.served[0].tag, 2u);
  for (const char* protocol : {"RTP/SAVP", "RTP/SAVPF"}) {
    const auto secure = DescribeRtpPeer(
        Replace(sdp, "RTP/AVP", protocol) + "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x\r\n" + good, kAnyAudio);
    ASSERT_TRUE(secure);
    EXPECT_TRUE(secure->secure);
    EXPECT_EQ(secure->crypto.count, 2u);
    EXPECT_EQ(secure->crypto.served.size(), 1u) << "the other line is left alone";
  }
}

TEST(DescribeRtpPeer, RefusesWhatItCannotReach) {
  const std::string sdp = ReadSdp("baresip_offer");
  EXPECT_EQ(RtpRefusal(Replace(sdp, "c=IN IP4 10.90.2.2", "c=IN IP4 phone.example")),
            "488 c= is no unicast IP address");
  EXPECT_EQ(RtpRefusal(Replace(sdp, "c=IN IP4 10.90.2.2", "c=IN IP4 224.2.1.1/127")),
            "488 c= is no unicast IP address");
  EXPECT_EQ(RtpRefusal(Replace(sdp, "RTP/AVP", "UDP/TLS/RTP/SAVP")),
            "488 media protocol is none of RTP/AVP, RTP/AVPF, RTP/SAVP and RTP/SAVPF");
  EXPECT_EQ(RtpRefusal(Replace(sdp, "m=audio", "m=image")), "488 no audio is offered");
  EXPECT_EQ(Refusal(DescribeRtpPeer(sdp, 1)), "488 the answer lacks the offered audio line");
}

TEST(Description, SurvivesEveryTruncation) {
  for (const char* name : testing::kCaptures) {
    const std::string text = ReadSdp(name);
    for (size_t length = 0; length <= text.size(); ++length) {
      (void)DescribeRtpPeer(std::string_view(text).substr(0, length), kAnyAudio);
      (void)DescribeWebRtcPeer(std::string_view(text).substr(0, length), kAnyAudio);
    }
  }
}

}  // namespace
}  // namespace linegate::sdp
