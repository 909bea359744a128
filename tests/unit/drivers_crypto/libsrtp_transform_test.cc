#include "drivers/crypto/libsrtp_transform.h"

#include "dataplane/srtp/packet_index.h"
#include "tests/unit/drivers_crypto/srtp_fixture.h"

namespace linegate::crypto {
namespace {

using srtp::Direction;
using srtp::JobStatus;
using srtp::MakePacketIndex;
using srtp::PacketKind;
using test::ReferenceProtectRtcp;
using test::ReferenceProtectRtp;

constexpr uint32_t kSsrc = 0xcafebabe;

class LibsrtpTransformTest : public testing::TestWithParam<srtp::Profile> {
 protected:
  LibsrtpTransform transform_;
  srtp::MasterKey key_ = TestMasterKey(GetParam());
  Runner sender_{transform_, key_, Direction::kProtect};
  Runner receiver_{transform_, key_, Direction::kUnprotect};
  test::ReferenceKeys rtp_ = ReferenceOf(key_, PacketKind::kRtp);
  test::ReferenceKeys rtcp_ = ReferenceOf(key_, PacketKind::kRtcp);

  std::vector<uint8_t> Protected(uint64_t index, uint32_t ssrc = kSsrc) {
    return ReferenceProtectRtp(rtp_, RtpPacket(srtp::SequenceNumberOf(index), ssrc), 12, index);
  }
};

TEST_P(LibsrtpTransformTest, ProtectsRtpLikeTheReference) {
  for (uint64_t index : {0, 1, 2, 5, 1000, 30000}) {
    const auto packet = RtpPacket(uint16_t(index), kSsrc);
    const Outcome out = sender_.Rtp(packet, index);
    ASSERT_EQ(out.status, JobStatus::kDone) << index;
    EXPECT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index)) << index;
    const Outcome back = receiver_.Rtp(out.packet, index);
    ASSERT_EQ(back.status, JobStatus::kDone) << index;
    EXPECT_EQ(back.packet, packet);
  }
}

TEST_P(LibsrtpTransformTest, ProtectsRtcpLikeTheReference) {
  for (uint32_t index : {1u, 2u, 3u, 7u, 40u}) {
    const auto packet = RtcpPacket(kSsrc, uint8_t(index));
    const Outcome out = sender_.Rtcp(packet, index);
    ASSERT_EQ(out.status, JobStatus::kDone) << index;
    EXPECT_EQ(out.packet, ReferenceProtectRtcp(rtcp_, packet, index)) << index;
    const Outcome back = receiver_.Rtcp(out.packet);
    ASSERT_EQ(back.status, JobStatus::kDone) << index;
    EXPECT_EQ(back.packet, packet);
    EXPECT_EQ(back.index, index);
  }
}

TEST_P(LibsrtpTransformTest, CarriesRolloverFrom65535To0) {
  for (uint64_t index = 65530; index < 65545; ++index) {
    const auto packet = RtpPacket(srtp::SequenceNumberOf(index), kSsrc);
    const Outcome out = sender_.Rtp(packet, index);
    ASSERT_EQ(out.status, JobStatus::kDone) << index;
    ASSERT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index)) << index;
    ASSERT_EQ(receiver_.Rtp(out.packet, index).packet, packet) << index;
  }
}

TEST_P(LibsrtpTransformTest, DecryptsLatePacketsAcrossTheRollover) {
  for (uint64_t index : {65530, 65540, 65535, 65541, 65531, 65536}) {
    const Outcome back = receiver_.Rtp(Protected(index), index);
    ASSERT_EQ(back.status, JobStatus::kDone) << index;
    EXPECT_EQ(back.packet, RtpPacket(srtp::SequenceNumberOf(index), kSsrc));
  }
}

TEST_P(LibsrtpTransformTest, EncryptsReorderedPacketsUnderTheirOwnIndex) {
  for (uint64_t index : {65600, 65530, 65599, 65601, 65535}) {
    const auto packet = RtpPacket(srtp::SequenceNumberOf(index), kSsrc);
    const Outcome out = sender_.Rtp(packet, index);
    ASSERT_EQ(out.status, JobStatus::kDone) << index;
    EXPECT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index)) << index;
  }
}

TEST_P(LibsrtpTransformTest, AcceptsPacketsUpToItsWindowBehind) {
  const uint64_t highest = MakePacketIndex(3, 100);
  ASSERT_EQ(receiver_.Rtp(Protected(highest), highest).status, JobStatus::kDone);
  const uint64_t last = highest - LibsrtpTransform::kWindow + 1;
  EXPECT_EQ(receiver_.Rtp(Protected(last), last).status, JobStatus::kDone);
  EXPECT_EQ(receiver_.Rtp(Protected(last - 1), last - 1).status, JobStatus::kRefused);
}

TEST_P(LibsrtpTransformTest, GoesOnAtAnyRolloverCounterAfterARestart) {
  const uint64_t index = MakePacketIndex(0x12345, 40000);
  const auto packet = RtpPacket(40000, kSsrc);
  const Outcome out = sender_.Rtp(packet, index);
  ASSERT_EQ(out.status, JobStatus::kDone);
  EXPECT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index));
  ASSERT_EQ(receiver_.Rtp(out.packet, index).status, JobStatus::kDone);
  EXPECT_EQ(receiver_.Rtp(Protected(index - 20), index - 20).status, JobStatus::kDone);
  EXPECT_EQ(receiver_.Rtp(Protected(index + 1), index + 1).status, JobStatus::kDone);
}

TEST_P(LibsrtpTransformTest, WrongRolloverCounterIsABadTag) {
  const uint64_t index = MakePacketIndex(2, 7);
  EXPECT_EQ(receiver_.Rtp(Protected(index), MakePacketIndex(1, 7)).status, JobStatus::kBadTag);
  EXPECT_EQ(receiver_.Rtp(Protected(index), index).status, JobStatus::kDone);
}

TEST_P(LibsrtpTransformTest, ABadTagChangesNothing) {
  const auto good = Protected(10);
  for (size_t byte = 0; byte < good.size(); ++byte) {
    if (byte == 0) continue;  // V, P, X, CC: the caller has parsed these
    auto bad = good;
    bad[byte] ^= 1;
    // The dictated index stays: a changed sequence number or SSRC must fail by its tag.
    EXPECT_NE(receiver_.Rtp(bad, 10).status, JobStatus::kDone) << byte;
  }
  auto far_ahead = Protected(MakePacketIndex(9, 9));
  far_ahead.back() ^= 1;
  EXPECT_EQ(receiver_.Rtp(far_ahead, MakePacketIndex(9, 9)).status, JobStatus::kBadTag);
  const Outcome back = receiver_.Rtp(good, 10);
  ASSERT_EQ(back.status, JobStatus::kDone);
  EXPECT_EQ(back.packet, RtpPacket(10, kSsrc));
}

TEST_P(LibsrtpTransformTest, BadRtcpTagsChangeNothing) {
  const auto packet = RtcpPacket(kSsrc);
  const auto good = ReferenceProtectRtcp(rtcp_, packet, 5);
  for (size_t byte = 0; byte < good.size(); ++byte) {
    auto bad = good;
    bad[byte] ^= 1;
    EXPECT_NE(receiver_.Rtcp(bad).status, JobStatus::kDone) << byte;
  }
  EXPECT_EQ(receiver_.Rtcp(good).packet, packet);
}

TEST_P(LibsrtpTransformTest, WrongKeyIsABadTag) {
  Runner stranger(transform_, TestMasterKey(GetParam(), 2), Direction::kUnprotect);
  EXPECT_EQ(stranger.Rtp(Protected(1), 1).status, JobStatus::kBadTag);
  EXPECT_EQ(stranger.Rtcp(ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 1)).status, JobStatus::kBadTag);
}

TEST_P(LibsrtpTransformTest, RefusesEveryTruncation) {
  const auto rtp = Protected(1);
  for (size_t length = 0; length < rtp.size(); ++length) {
    EXPECT_NE(receiver_.Rtp({rtp.begin(), rtp.begin() + std::ptrdiff_t(length)}, 1).status, JobStatus::kDone);
  }
  const auto rtcp = ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 1);
  for (size_t length = 0; length < rtcp.size(); ++length) {
    EXPECT_NE(receiver_.Rtcp({rtcp.begin(), rtcp.begin() + std::ptrdiff_t(length)}).status, JobStatus::kDone);
  }
  EXPECT_EQ(receiver_.Rtp(rtp, 1).status, JobStatus::kDone);
}

TEST_P(LibsrtpTransformTest, NeedsRoomForTheTag) {
  const auto traits = *srtp::TraitsOf(GetParam());
  sender_.spare_bytes = traits.rtp_tag_bytes - 1;
  EXPECT_EQ(sender_.Rtp(RtpPacket(1, kSsrc), 1).status, JobStatus::kNoRoom);
  sender_.spare_bytes = traits.rtp_tag_bytes;
  EXPECT_EQ(sender_.Rtp(RtpPacket(1, kSsrc), 1).status, JobStatus::kDone);
  sender_.spare_bytes = traits.rtcp_tag_bytes + 3;
  EXPECT_EQ(sender_.Rtcp(RtcpPacket(kSsrc), 1).status, JobStatus::kNoRoom);
  sender_.spare_bytes = traits.rtcp_tag_bytes + 4;
  EXPECT_EQ(sender_.Rtcp(RtcpPacket(kSsrc), 1).status, JobStatus::kDone);
}

TEST_P(LibsrtpTransformTest, SameTransmitIndexGivesTheSameBytes) {
  const auto first = sender_.Rtp(RtpPacket(9, kSsrc), 9);
  ASSERT_EQ(first.status, JobStatus::kDone);
  EXPECT_EQ(sender_.Rtp(RtpPacket(9, kSsrc), 9).packet, first.packet);
}

TEST_P(LibsrtpTransformTest, RefusesWhatItDecryptedBefore) {
  ASSERT_EQ(receiver_.Rtp(Protected(9), 9).status, JobStatus::kDone);
  EXPECT_EQ(receiver_.Rtp(Protected(9), 9).status, JobStatus::kRefused);
}

TEST_P(LibsrtpTransformTest, SrtcpIndexNeverGoesBack) {
  ASSERT_EQ(sender_.Rtcp(RtcpPacket(kSsrc), 5).status, JobStatus::kDone);
  const auto packet = RtcpPacket(kSsrc);
  const Outcome out = sender_.Rtcp(packet, 5);
  EXPECT_EQ(out.status, JobStatus::kRefused);
  EXPECT_EQ(out.packet, packet) << "not touched";
  EXPECT_EQ(sender_.Rtcp(packet, 0).status, JobStatus::kRefused);
  EXPECT_EQ(sender_.Rtcp(packet, uint64_t{1} << 31).status, JobStatus::kRefused);
  EXPECT_EQ(sender_.Rtcp(packet, 6).packet, ReferenceProtectRtcp(rtcp_, packet, 6));
}

TEST_P(LibsrtpTransformTest, CatchesUpWithAHighSrtcpIndexInBoundedSteps) {
  const auto packet = RtcpPacket(kSsrc);
  const uint32_t mark = 2 * LibsrtpTransform::kMaxSrtcpStepsPerJob + 10;
  uint32_t refused = 0;
  uint32_t index = mark;
  Outcome out = sender_.Rtcp(packet, index);
  while (out.status == JobStatus::kRefused && refused < 10) {
    ++refused, ++index;
    out = sender_.Rtcp(packet, index);
  }
  ASSERT_EQ(out.status, JobStatus::kDone);
  EXPECT_EQ(refused, 2u);
  EXPECT_EQ(out.packet, ReferenceProtectRtcp(rtcp_, packet, index));
}

TEST_P(LibsrtpTransformTest, ServesMoreSourcesThanItKeepsStreams) {
  const uint32_t sources = 3 * LibsrtpTransform::kMaxStreams;
  for (uint64_t round = 0; round < 2; ++round) {
    for (uint32_t ssrc = 1; ssrc <= sources; ++ssrc) {
      const uint64_t index = MakePacketIndex(uint32_t(round), uint16_t(100 + round));
      const auto packet = RtpPacket(uint16_t(index), ssrc);
      const Outcome out = sender_.Rtp(packet, index);
      ASSERT_EQ(out.status, JobStatus::kDone) << ssrc;
      ASSERT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index)) << ssrc;
      ASSERT_EQ(receiver_.Rtp(out.packet, index).packet, packet) << ssrc;
      const auto report = RtcpPacket(ssrc);
      const Outcome control = sender_.Rtcp(report, round + 1);
      ASSERT_EQ(control.status, JobStatus::kDone) << ssrc;
      ASSERT_EQ(control.packet, ReferenceProtectRtcp(rtcp_, report, uint32_t(round + 1)));
      ASSERT_EQ(receiver_.Rtcp(control.packet).packet, report);
    }
  }
}

TEST_P(LibsrtpTransformTest, StrangersDoNotEvictStreams) {
  ASSERT_EQ(receiver_.Rtp(Protected(70000), 70000).status, JobStatus::kDone);
  for (uint32_t ssrc = 1; ssrc < 100; ++ssrc) {
    auto bad = Protected(1, ssrc);
    bad.back() ^= 1;
    ASSERT_EQ(receiver_.Rtp(bad, 1).status, JobStatus::kBadTag);
  }
  EXPECT_EQ(receiver_.Rtp(Protected(70000), 70000).status, JobStatus::kRefused) << "still remembered";
  EXPECT_EQ(receiver_.Rtp(Protected(70001), 70001).status, JobStatus::kDone);
}

TEST_P(LibsrtpTransformTest, LeavesHeaderExtensionsAndCsrcsClear) {
  auto packet = RtpPacket(3, kSsrc, 40);
  packet[0] = 0x91;  // X, one CSRC
  StoreBe16(packet.data() + 16, 0xbede);
  StoreBe16(packet.data() + 18, 1);
  const size_t header_bytes = 12 + 4 + 4 + 4;
  const Outcome out = sender_.Rtp(packet, 3);
  ASSERT_EQ(out.status, JobStatus::kDone);
  EXPECT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, header_bytes, 3));
}

TEST_P(LibsrtpTransformTest, HandlesEmptyPayloads) {
  const auto packet = RtpPacket(4, kSsrc, 0);
  const Outcome out = sender_.Rtp(packet, 4);
  ASSERT_EQ(out.status, JobStatus::kDone);
  EXPECT_EQ(receiver_.Rtp(out.packet, 4).packet, packet);
}

TEST_P(LibsrtpTransformTest, RefusesKeysOfTheWrongLength) {
  srtp::MasterKey key = TestMasterKey(GetParam());
  key.salt.Assign(key.salt.view().first(key.salt.view().size() - 1));
  EXPECT_FALSE(transform_.CreateContext(key, Direction::kProtect));
  key = TestMasterKey(GetParam());
  key.profile = srtp::Profile::kNone;
  EXPECT_FALSE(transform_.CreateContext(key, Direction::kProtect));
}

INSTANTIATE_TEST_SUITE_P(Profiles, LibsrtpTransformTest, testing::ValuesIn(kProfiles), ProfileName);

TEST(LibsrtpTransform, NamesItsVersion) {
  EXPECT_EQ(LibsrtpTransform().Describe().substr(0, 10), "libsrtp2 2");
}

TEST(LibsrtpTransform, MixesContextsInOneBatch) {
  LibsrtpTransform transform;
  std::vector<std::unique_ptr<srtp::CryptoContext>> contexts;
  std::vector<std::vector<uint8_t>> packets;
  std::vector<srtp::CryptoJob> jobs;
  for (srtp::Profile profile : kProfiles) {
    contexts.push_back(*transform.CreateContext(TestMasterKey(profile), Direction::kProtect));
    packets.push_back(RtpPacket(1, kSsrc));
    packets.back().resize(packets.back().size() + 16);
  }
  for (size_t i = 0; i < contexts.size(); ++i) {
    jobs.push_back({.context = contexts[i].get(),
                    .packet = packets[i].data(),
                    .length = 172,
                    .capacity = 188,
                    .header_bytes = 12,
                    .ssrc = kSsrc,
                    .index = 1});
  }
  transform.Protect(jobs);
  for (size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(jobs[i].status, JobStatus::kDone);
    EXPECT_EQ(jobs[i].length, 172 + srtp::TraitsOf(kProfiles[i])->rtp_tag_bytes);
  }
}

TEST(LibsrtpTransform, RefusesTheSuitesItWouldKeyOtherwiseThanOthers) {
  LibsrtpTransform transform;
  for (srtp::Profile profile : kProfilesWithoutLibsrtp) {
    EXPECT_FALSE(transform.CreateContext(TestMasterKey(profile), Direction::kProtect));
  }
}

}  // namespace
}  // namespace linegate::crypto
