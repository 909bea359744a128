#include "controlplane/sdp/local_description.h"

#include <gmock/gmock.h>

#include "controlplane/sdp/sdp_writer.h"

namespace linegate::sdp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const AudioStream kStream{{{0, "PCMU", 8000, "", {}}}, Direction::kSendRecv, {"ptime:20"}, false};

LocalRtp RtpAt(uint16_t rtcp_port) { return {{IpAddress::V4(10, 0, 0, 1), 40000}, rtcp_port, false}; }

TEST(DescribeRtp, SaysRtcpOnlyWhereItIsNotTheNextPort) {
  EXPECT_THAT(Write(DescribeRtp(RtpOfferLayout(), kStream, RtpAt(40001), 1)), Not(HasSubstr("a=rtcp")));
  EXPECT_THAT(Write(DescribeRtp(RtpOfferLayout(), kStream, RtpAt(40007), 1)),
              HasSubstr("a=rtcp:40007 IN IP4 10.0.0.1\r\n"));
}

TEST(DescribeRtp, RefusesEveryLineButTheStream) {
  const Layout layout{
      {{"image", "udptl", "t38", ""}, {"audio", "RTP/AVP", "0", ""}, {"audio", "RTP/AVP", "8", ""}}, 1};
  const std::string sdp = Write(DescribeRtp(layout, kStream, RtpAt(40001), 1));
  EXPECT_THAT(sdp, HasSubstr("m=image 0 udptl t38\r\nm=audio 40000 RTP/AVP 0\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=sendrecv\r\nm=audio 0 RTP/AVP 8\r\n"));
}

LocalWebRtc Web() {
  LocalWebRtc local;
  local.ufrag = "u", local.pwd = "p", local.fingerprint = "sha-256 AB", local.setup = "passive";
  local.candidates = {"1 1 udp 1 10.0.0.1 20000 typ host"};
  local.address = {IpAddress::V4(10, 0, 0, 1), 20000};
  local.msid = "s t";
  return local;
}

TEST(DescribeWebRtc, OfAPeerWithoutMidAndBundleHasNeither) {
  LocalWebRtc local = Web();
  local.bundled = false;
  const std::string sdp = Write(DescribeWebRtc({{{"audio", "RTP/SAVPF", "0", ""}}, 0}, kStream, local, 1));
  EXPECT_THAT(sdp, Not(HasSubstr("BUNDLE")));
  EXPECT_THAT(sdp, Not(HasSubstr("a=mid")));
  EXPECT_THAT(sdp, HasSubstr("m=audio 20000 RTP/SAVPF 0\r\n"));
}

TEST(DescribeWebRtc, NamesNoTrackThatIsNotSent) {
  AudioStream receiving = kStream;
  receiving.direction = Direction::kRecvOnly;
  EXPECT_THAT(Write(DescribeWebRtc(WebRtcOfferLayout(), receiving, Web(), 1)), Not(HasSubstr("a=msid")));
}

TEST(VersionedWriter, RaisesTheVersionOnlyWhenTheDescriptionChanged) {
  VersionedWriter writer;
  AudioStream stream = kStream;
  const auto write = [&] { return writer.Write(DescribeRtp(RtpOfferLayout(), stream, RtpAt(40001), 77)); };
  EXPECT_THAT(write(), HasSubstr("o=- 77 1 IN IP4 10.0.0.1\r\n"));
  EXPECT_THAT(write(), HasSubstr("o=- 77 1 "));
  stream.direction = Direction::kSendOnly;
  EXPECT_THAT(write(), HasSubstr("o=- 77 2 "));
  stream.direction = Direction::kSendRecv;
  EXPECT_THAT(write(), HasSubstr("o=- 77 3 "));
}

TEST(Direction, ReversesAndIntersects) {
  EXPECT_EQ(Reverse(Direction::kSendOnly), Direction::kRecvOnly);
  EXPECT_EQ(Reverse(Direction::kSendRecv), Direction::kSendRecv);
  EXPECT_EQ(Intersect(Direction::kSendOnly, Direction::kRecvOnly), Direction::kInactive);
}

}  // namespace
}  // namespace linegate::sdp
