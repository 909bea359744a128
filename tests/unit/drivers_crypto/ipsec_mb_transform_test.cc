#include "drivers/crypto/ipsec_mb_transform.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <tuple>

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
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kSsrc = 0xcafebabe;

/// nullptr: this processor lacks the instructions.
std::unique_ptr<IpsecMbTransform> MakeTransform(IpsecMbInstructionSet set) {
  auto transform = IpsecMbTransform::Create(set);
  return transform ? *std::move(transform) : nullptr;
}

/// Every profile on every code path of the library that this processor can run.
class IpsecMbTransformTest : public testing::TestWithParam<std::tuple<srtp::Profile, IpsecMbInstructionSet>> {
 protected:
  void SetUp() override {
    transform_ = MakeTransform(std::get<1>(GetParam()));
    if (transform_ == nullptr) GTEST_SKIP() << "not on this processor";
    sender_ = std::make_unique<Runner>(*transform_, key_, Direction::kProtect);
    receiver_ = std::make_unique<Runner>(*transform_, key_, Direction::kUnprotect);
  }
  Bytes Protected(uint64_t index) const {
    return ReferenceProtectRtp(rtp_, RtpPacket(srtp::SequenceNumberOf(index), kSsrc), 12, index);
  }

  srtp::MasterKey key_ = TestMasterKey(std::get<0>(GetParam()));
  srtp::ProfileTraits traits_ = *srtp::TraitsOf(std::get<0>(GetParam()));
  std::unique_ptr<IpsecMbTransform> transform_;
  std::unique_ptr<Runner> sender_;
  std::unique_ptr<Runner> receiver_;
  test::ReferenceKeys rtp_ = ReferenceOf(key_, PacketKind::kRtp);
  test::ReferenceKeys rtcp_ = ReferenceOf(key_, PacketKind::kRtcp);
};

TEST_P(IpsecMbTransformTest, ProtectsRtpOfEverySizeLikeTheReference) {
  for (size_t payload = 0; payload <= 1488; payload += payload < 300 ? 1 : 37) {
    const uint64_t index = MakePacketIndex(uint32_t(payload * 7919), uint16_t(payload));
    const auto packet = RtpPacket(uint16_t(payload), kSsrc, payload);
    const Outcome out = sender_->Rtp(packet, index);
    ASSERT_EQ(out.status, JobStatus::kDone) << payload;
    ASSERT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index)) << payload;
    const Outcome back = receiver_->Rtp(out.packet, index);
    ASSERT_EQ(back.status, JobStatus::kDone) << payload;
    ASSERT_EQ(back.packet, packet) << payload;
  }
}

TEST_P(IpsecMbTransformTest, ProtectsRtcpOfEverySizeLikeTheReference) {
  for (size_t bytes = 8; bytes <= 1200; bytes += bytes < 128 ? 1 : 36) {
    auto packet = RtcpPacket(kSsrc, uint8_t(bytes));
    packet.resize(bytes, 0x77);
    for (uint32_t index : {0u, 1u, uint32_t(bytes * 70001), srtp::kMaxSrtcpIndex}) {
      const Outcome out = sender_->Rtcp(packet, index);
      ASSERT_EQ(out.status, JobStatus::kDone) << bytes;
      ASSERT_EQ(out.packet, ReferenceProtectRtcp(rtcp_, packet, index)) << bytes;
      const Outcome back = receiver_->Rtcp(out.packet);
      ASSERT_EQ(back.status, JobStatus::kDone) << bytes;
      ASSERT_EQ(back.packet, packet) << bytes;
      ASSERT_EQ(back.index, index);
    }
  }
}

TEST_P(IpsecMbTransformTest, TakesIndicesInAnyOrderAndTwice) {
  for (uint64_t index : {uint64_t{70000}, uint64_t{3}, srtp::kMaxPacketIndex, uint64_t{65535},
                         uint64_t{65536}, uint64_t{3}, uint64_t{0}}) {
    const auto packet = RtpPacket(srtp::SequenceNumberOf(index), kSsrc);
    const Outcome out = sender_->Rtp(packet, index);
    ASSERT_EQ(out.status, JobStatus::kDone) << index;
    ASSERT_EQ(out.packet, ReferenceProtectRtp(rtp_, packet, 12, index)) << index;
    ASSERT_EQ(receiver_->Rtp(out.packet, index).packet, packet) << index;
    ASSERT_EQ(receiver_->Rtp(out.packet, index).status, JobStatus::kDone) << index;
  }
}

TEST_P(IpsecMbTransformTest, SeesEveryChangedBitOfRtp) {
  const auto good = Protected(10);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= uint8_t(1 << bit % 8);
    const Outcome out = receiver_->Rtp(bad, 10);
    ASSERT_EQ(out.status, JobStatus::kBadTag) << bit;
    ASSERT_EQ(out.packet.size(), bad.size());
  }
  EXPECT_EQ(receiver_->Rtp(good, 10).status, JobStatus::kDone);
}

TEST_P(IpsecMbTransformTest, SeesEveryChangedBitOfRtcp) {
  const auto good = ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 5);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= uint8_t(1 << bit % 8);
    ASSERT_NE(receiver_->Rtcp(bad).status, JobStatus::kDone) << bit;
  }
  EXPECT_EQ(receiver_->Rtcp(good).packet, RtcpPacket(kSsrc));
}

TEST_P(IpsecMbTransformTest, WrongIndexKeyOrKindIsABadTag) {
  const uint64_t index = MakePacketIndex(2, 7);
  EXPECT_EQ(receiver_->Rtp(Protected(index), MakePacketIndex(1, 7)).status, JobStatus::kBadTag);
  Runner stranger(*transform_, TestMasterKey(std::get<0>(GetParam()), 2), Direction::kUnprotect);
  EXPECT_EQ(stranger.Rtp(Protected(index), index).status, JobStatus::kBadTag);
  EXPECT_EQ(stranger.Rtcp(ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 1)).status, JobStatus::kBadTag);
  EXPECT_NE(receiver_->Rtp(ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 1), 1).status, JobStatus::kDone);
}

TEST_P(IpsecMbTransformTest, SurvivesEveryTruncation) {
  const auto rtp = Protected(1);
  for (size_t length = 0; length < rtp.size(); ++length) {
    const JobStatus status = receiver_->Rtp({rtp.begin(), rtp.begin() + std::ptrdiff_t(length)}, 1).status;
    ASSERT_EQ(status, length < 12 + traits_.rtp_tag_bytes ? JobStatus::kMalformed : JobStatus::kBadTag)
        << length;
  }
  const auto rtcp = ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 1);
  for (size_t length = 0; length < rtcp.size(); ++length) {
    const Outcome out = receiver_->Rtcp({rtcp.begin(), rtcp.begin() + std::ptrdiff_t(length)});
    ASSERT_NE(out.status, JobStatus::kDone) << length;
    ASSERT_NE(out.status, JobStatus::kPending) << length;
    if (length < 8 + traits_.rtcp_tag_bytes + 4) {
      ASSERT_EQ(out.status, JobStatus::kMalformed) << length;
    }
  }
  for (size_t length = 0; length < 12; ++length) {
    EXPECT_EQ(sender_->Rtp(Bytes(length, 0x80), 1).status, JobStatus::kMalformed) << length;
    if (length < 8) {
      EXPECT_EQ(sender_->Rtcp(Bytes(length, 0x80), 1).status, JobStatus::kMalformed) << length;
    }
  }
}

TEST_P(IpsecMbTransformTest, NeedsRoomForTheTag) {
  sender_->spare_bytes = traits_.rtp_tag_bytes - 1;
  const Outcome refused = sender_->Rtp(RtpPacket(1, kSsrc), 1);
  EXPECT_EQ(refused.status, JobStatus::kNoRoom);
  EXPECT_EQ(refused.packet, RtpPacket(1, kSsrc)) << "not touched";
  sender_->spare_bytes = traits_.rtp_tag_bytes;
  EXPECT_EQ(sender_->Rtp(RtpPacket(1, kSsrc), 1).status, JobStatus::kDone);
  sender_->spare_bytes = traits_.rtcp_tag_bytes + 3;
  EXPECT_EQ(sender_->Rtcp(RtcpPacket(kSsrc), 1).status, JobStatus::kNoRoom);
  sender_->spare_bytes = traits_.rtcp_tag_bytes + 4;
  EXPECT_EQ(sender_->Rtcp(RtcpPacket(kSsrc), 1).status, JobStatus::kDone);
}

TEST_P(IpsecMbTransformTest, RefusesWhatItCannotNumberOrMeasure) {
  EXPECT_EQ(sender_->Rtp(RtpPacket(1, kSsrc), srtp::kMaxPacketIndex + 1).status, JobStatus::kRefused);
  EXPECT_EQ(sender_->Rtcp(RtcpPacket(kSsrc), uint64_t{srtp::kMaxSrtcpIndex} + 1).status, JobStatus::kRefused);
  EXPECT_EQ(receiver_->Rtp(Protected(1), srtp::kMaxPacketIndex + 1).status, JobStatus::kRefused);
  const auto largest = RtpPacket(1, kSsrc, IpsecMbTransform::kMaxPacketBytes - 12);
  EXPECT_EQ(sender_->Rtp(largest, 1).packet, ReferenceProtectRtp(rtp_, largest, 12, 1));
  const auto too_large = RtpPacket(1, kSsrc, IpsecMbTransform::kMaxPacketBytes - 11);
  EXPECT_EQ(sender_->Rtp(too_large, 1).status, JobStatus::kRefused);
}

TEST_P(IpsecMbTransformTest, SrtcpWhoseFlagDeniesItsSuiteIsMalformed) {
  auto packet = ReferenceProtectRtcp(rtcp_, RtcpPacket(kSsrc), 5);
  const size_t word = packet.size() - 4 - (traits_.aead ? 0 : traits_.rtcp_tag_bytes);
  packet[word] ^= 0x80;
  EXPECT_EQ(receiver_->Rtcp(packet).status, JobStatus::kMalformed);
}

TEST_P(IpsecMbTransformTest, RefusesKeysOfTheWrongLength) {
  srtp::MasterKey key = key_;
  key.salt.Assign(Bytes(key_.salt.view().size() - 1));
  EXPECT_FALSE(transform_->CreateContext(key, Direction::kProtect));
  key = key_;
  key.profile = srtp::Profile::kNone;
  EXPECT_FALSE(transform_->CreateContext(key, Direction::kProtect));
}

/// Memory that faults on the first byte before and on the first behind it.
class GuardedPages {
 public:
  GuardedPages() : page_(size_t(sysconf(_SC_PAGESIZE))) {
    void* map = mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    LG_FATAL(map != MAP_FAILED);
    base_ = static_cast<uint8_t*>(map);
    LG_FATAL(mprotect(base_ + page_, page_, PROT_READ | PROT_WRITE) == 0);
  }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;
  ~GuardedPages() { munmap(base_, 3 * page_); }
  uint8_t* AtStart() { return base_ + page_; }
  uint8_t* AtEnd(size_t bytes) { return base_ + 2 * page_ - bytes; }

 private:
  size_t page_;
  uint8_t* base_;
};

TEST_P(IpsecMbTransformTest, TouchesNothingOutsideThePacket) {
  GuardedPages pages;
  const auto sender = *transform_->CreateContext(key_, Direction::kProtect);
  const auto receiver = *transform_->CreateContext(key_, Direction::kUnprotect);
  for (size_t payload = 0; payload <= 400; ++payload) {
    const auto packet = RtpPacket(9, kSsrc, payload);
    const size_t protected_bytes = packet.size() + traits_.rtp_tag_bytes;
    for (uint8_t* place : {pages.AtStart(), pages.AtEnd(protected_bytes)}) {
      std::ranges::copy(packet, place);
      srtp::CryptoJob job = {.context = sender.get(),
                             .packet = place,
                             .length = uint32_t(packet.size()),
                             .capacity = uint32_t(protected_bytes),
                             .header_bytes = 12,
                             .ssrc = kSsrc,
                             .index = 9};
      transform_->Protect({&job, 1});
      ASSERT_EQ(job.status, JobStatus::kDone);
      job.context = receiver.get();
      transform_->Unprotect({&job, 1});
      ASSERT_EQ(job.status, JobStatus::kDone);
      ASSERT_TRUE(std::ranges::equal(packet, ByteView(place, job.length)));
    }
  }
}

std::string ParamName(const testing::TestParamInfo<IpsecMbTransformTest::ParamType>& info) {
  static constexpr const char* kSets[] = {"Best", "Sse", "Avx", "Avx2", "Avx512"};
  return std::string(srtp::TraitsOf(std::get<0>(info.param))->name) + "_" +
         kSets[size_t(std::get<1>(info.param))];
}
INSTANTIATE_TEST_SUITE_P(
    ProfilesWithoutLibsrtp, IpsecMbTransformTest,
    testing::Combine(testing::ValuesIn(kProfilesWithoutLibsrtp),
                     testing::Values(IpsecMbInstructionSet::kBest, IpsecMbInstructionSet::kSse,
                                     IpsecMbInstructionSet::kAvx, IpsecMbInstructionSet::kAvx2,
                                     IpsecMbInstructionSet::kAvx512)),
    ParamName);
INSTANTIATE_TEST_SUITE_P(
    Profiles, IpsecMbTransformTest,
    testing::Combine(testing::ValuesIn(kProfiles),
                     testing::Values(IpsecMbInstructionSet::kBest, IpsecMbInstructionSet::kSse,
                                     IpsecMbInstructionSet::kAvx, IpsecMbInstructionSet::kAvx2,
                                     IpsecMbInstructionSet::kAvx512)),
    ParamName);

TEST(IpsecMbTransform, NamesVersionAndInstructionSet) {
  const auto transform = MakeTransform(IpsecMbInstructionSet::kSse);
  ASSERT_NE(transform, nullptr);
  EXPECT_EQ(transform->Describe().substr(0, 10), "ipsec-mb 1");
  EXPECT_NE(transform->Describe().find("(SSE)"), std::string::npos) << transform->Describe();
}

}  // namespace
}  // namespace linegate::crypto
