#include "drivers/crypto/null_transform.h"

#include "tests/unit/drivers_crypto/srtp_fixture.h"

namespace linegate::crypto {
namespace {

using srtp::Direction;
using srtp::JobStatus;

class NullTransformTest : public testing::TestWithParam<srtp::Profile> {
 protected:
  NullTransform transform_;
  Runner sender_{transform_, TestMasterKey(GetParam()), Direction::kProtect};
  Runner receiver_{transform_, TestMasterKey(GetParam()), Direction::kUnprotect};
};

TEST_P(NullTransformTest, HasTheSizesOfTheRealProfileAndRoundTrips) {
  const auto traits = *srtp::TraitsOf(GetParam());
  const auto packet = RtpPacket(7, 1);
  const Outcome out = sender_.Rtp(packet, 7);
  ASSERT_EQ(out.status, JobStatus::kDone);
  EXPECT_EQ(out.packet.size(), packet.size() + traits.rtp_tag_bytes);
  EXPECT_EQ(receiver_.Rtp(out.packet, 7).packet, packet);
  EXPECT_EQ(receiver_.Rtp(out.packet, 7).packet, packet) << "stateless";

  const auto report = RtcpPacket(1);
  const Outcome control = sender_.Rtcp(report, 33);
  EXPECT_EQ(control.packet.size(), report.size() + traits.rtcp_tag_bytes + 4);
  const Outcome back = receiver_.Rtcp(control.packet);
  EXPECT_EQ(back.packet, report);
  EXPECT_EQ(back.index, 33u);
}

TEST_P(NullTransformTest, SeesWrongIndexKeyAndBytes) {
  const Outcome out = sender_.Rtp(RtpPacket(7, 1), 7);
  EXPECT_EQ(receiver_.Rtp(out.packet, 65543).status, JobStatus::kBadTag);
  auto bad = out.packet;
  bad[20] ^= 1;
  EXPECT_EQ(receiver_.Rtp(bad, 7).status, JobStatus::kBadTag);
  Runner stranger(transform_, TestMasterKey(GetParam(), 2), Direction::kUnprotect);
  EXPECT_EQ(stranger.Rtp(out.packet, 7).status, JobStatus::kBadTag);
  EXPECT_EQ(receiver_.Rtp({0x80, 0, 0, 1}, 1).status, JobStatus::kMalformed);
}

INSTANTIATE_TEST_SUITE_P(Profiles, NullTransformTest, testing::ValuesIn(kProfiles), ProfileName);

}  // namespace
}  // namespace linegate::crypto
