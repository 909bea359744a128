#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "dataplane/srtp/packet_index.h"
#include "drivers/crypto/ipsec_mb_transform.h"
#include "drivers/crypto/libsrtp_transform.h"
#include "tests/unit/drivers_crypto/srtp_fixture.h"

namespace linegate::crypto {
namespace {

using srtp::Direction;
using srtp::JobStatus;
using srtp::PacketKind;
using test::ReferenceProtectRtcp;
using test::ReferenceProtectRtp;
using Bytes = std::vector<uint8_t>;

/// One packet of a batch, and what must become of it.
struct Sample {
  const srtp::MasterKey* key;
  PacketKind kind;
  uint32_t header_bytes;
  uint32_t ssrc;
  uint64_t index;
  Bytes plain;
};

/// Both engines side by side: traffic with loss, reordering, rollover, CSRCs and header extensions, in batches
/// that mix sessions, profiles and kinds.
class IpsecMbBatchTest : public testing::TestWithParam<IpsecMbInstructionSet> {
 protected:
  static constexpr size_t kSessions = 2 * std::size(kProfiles);
  struct Session {
    srtp::MasterKey key;
    std::unique_ptr<srtp::CryptoContext> ours[2];  // by Direction
    std::unique_ptr<srtp::CryptoContext> theirs[2];
    uint64_t next_rtp = 0;
    uint32_t next_rtcp = 1;
  };

  void SetUp() override {
    auto transform = IpsecMbTransform::Create(GetParam());
    if (!transform) GTEST_SKIP() << "not on this processor";
    transform_ = *std::move(transform);
    for (size_t i = 0; i < kSessions; ++i) {
      Session session;
      session.key = TestMasterKey(kProfiles[i % std::size(kProfiles)], uint8_t(i + 1));
      for (Direction direction : {Direction::kProtect, Direction::kUnprotect}) {
        session.ours[size_t(direction)] = *transform_->CreateContext(session.key, direction);
        session.theirs[size_t(direction)] = *libsrtp_.CreateContext(session.key, direction);
      }
      session.next_rtp = 65536 - 300 + i;  // rolls over early in the run
      sessions_.push_back(std::move(session));
    }
  }

  Sample NextRtp(Session& session, uint32_t ssrc) {
    session.next_rtp += random_() % 8 == 0 ? 1 + random_() % 5 : 1;  // loss
    const uint64_t late = random_() % 10 == 0 ? random_() % 20 : 0;  // reordering: an index of before
    const uint64_t index = session.next_rtp - std::min(late, session.next_rtp);
    const size_t csrcs = random_() % 4;
    const size_t extension_words = random_() % 3;
    Bytes plain =
        RtpPacket(srtp::SequenceNumberOf(index), ssrc,
                  csrcs * 4 + (extension_words > 0 ? 4 + extension_words * 4 : 0) + random_() % 1300);
    plain[0] = uint8_t(0x80 | csrcs | (extension_words > 0 ? 0x10 : 0));
    size_t header_bytes = 12 + csrcs * 4;
    if (extension_words > 0) {
      StoreBe16(plain.data() + header_bytes, 0xbede);
      StoreBe16(plain.data() + header_bytes + 2, uint16_t(extension_words));
      header_bytes += 4 + extension_words * 4;
    }
    return {&session.key, PacketKind::kRtp, uint32_t(header_bytes), ssrc, index, std::move(plain)};
  }
  Sample NextRtcp(Session& session, uint32_t ssrc) {
    Bytes plain = RtcpPacket(ssrc, uint8_t(random_()));
    plain.resize(8 + 4 * (random_() % 60), uint8_t(random_()));
    return {&session.key, PacketKind::kRtcp, 8, ssrc, session.next_rtcp++, std::move(plain)};
  }

  /// Runs `packets` as one batch through one engine; every job starts at another alignment.
  std::vector<Bytes> Run(srtp::SrtpTransform& engine, Direction direction, const std::vector<Sample>& samples,
                         const std::vector<size_t>& owners, const std::vector<Bytes>& packets, bool ours) {
    std::vector<Bytes> buffers;
    std::vector<srtp::CryptoJob> jobs;
    for (size_t i = 0; i < samples.size(); ++i) {
      const size_t shift = i % 16;
      Bytes& buffer = buffers.emplace_back(shift + packets[i].size() + srtp::kMaxOverheadBytes);
      std::ranges::copy(packets[i], buffer.begin() + std::ptrdiff_t(shift));
      Session& session = sessions_[owners[i]];
      const bool index_known = direction == Direction::kProtect || samples[i].kind == PacketKind::kRtp;
      jobs.push_back({.context = (ours ? session.ours : session.theirs)[size_t(direction)].get(),
                      .packet = buffer.data() + shift,
                      .length = uint32_t(packets[i].size()),
                      .capacity = uint32_t(buffer.size() - shift),
                      .header_bytes = samples[i].header_bytes,
                      .ssrc = samples[i].ssrc,
                      .index = index_known ? samples[i].index : 0,
                      .kind = samples[i].kind});
    }
    if (direction == Direction::kProtect) {
      engine.Protect(jobs);
    } else {
      engine.Unprotect(jobs);
    }
    std::vector<Bytes> out;
    statuses_.clear();
    for (size_t i = 0; i < jobs.size(); ++i) {
      statuses_.push_back(jobs[i].status);
      out.emplace_back(jobs[i].packet, jobs[i].packet + jobs[i].length);
      if (jobs[i].status == JobStatus::kDone) {
        EXPECT_EQ(jobs[i].index, samples[i].index);
      }
    }
    return out;
  }

  /// A batch of distinct packets.
  void Draw(size_t count, std::vector<Sample>& samples, std::vector<size_t>& owners,
            std::vector<Bytes>& plain) {
    samples.clear(), owners.clear(), plain.clear();
    while (samples.size() < count) {
      const size_t owner = random_() % kSessions;
      const auto ssrc = uint32_t(0x1000 + owner);
      Sample sample = random_() % 6 == 0 ? NextRtcp(sessions_[owner], ssrc) : NextRtp(sessions_[owner], ssrc);
      if (sample.kind == PacketKind::kRtp && !seen_.emplace(owner, sample.index).second) continue;
      plain.push_back(sample.plain);
      samples.push_back(std::move(sample));
      owners.push_back(owner);
    }
  }

  std::mt19937 random_{20250101};
  std::unique_ptr<IpsecMbTransform> transform_;
  LibsrtpTransform libsrtp_;
  std::vector<Session> sessions_;
  std::set<std::pair<size_t, uint64_t>> seen_;
  std::vector<JobStatus> statuses_;
};

TEST_P(IpsecMbBatchTest, AgreesWithLibsrtpPacketByPacketInBothDirections) {
  std::vector<Sample> samples;
  std::vector<size_t> owners;
  std::vector<Bytes> plain;
  for (size_t batch = 0; batch < 200; ++batch) {
    Draw(batch % 100, samples, owners, plain);
    const auto ours = Run(*transform_, Direction::kProtect, samples, owners, plain, true);
    ASSERT_TRUE(std::ranges::all_of(statuses_, [](JobStatus s) { return s == JobStatus::kDone; }));
    const auto theirs = Run(libsrtp_, Direction::kProtect, samples, owners, plain, false);
    for (size_t i = 0; i < ours.size(); ++i) {
      ASSERT_EQ(statuses_[i], JobStatus::kDone)
          << srtp::TraitsOf(samples[i].key->profile)->name << int(samples[i].kind);
      ASSERT_EQ(ours[i], theirs[i]) << srtp::TraitsOf(samples[i].key->profile)->name << ", batch " << batch
                                    << " packet " << i;
      const auto keys = ReferenceOf(*samples[i].key, samples[i].kind);
      ASSERT_EQ(ours[i], samples[i].kind == PacketKind::kRtp
                             ? ReferenceProtectRtp(keys, plain[i], samples[i].header_bytes, samples[i].index)
                             : ReferenceProtectRtcp(keys, plain[i], uint32_t(samples[i].index)));
    }
    ASSERT_EQ(Run(libsrtp_, Direction::kUnprotect, samples, owners, ours, false), plain);
    ASSERT_TRUE(std::ranges::all_of(statuses_, [](JobStatus s) { return s == JobStatus::kDone; }));
    ASSERT_EQ(Run(*transform_, Direction::kUnprotect, samples, owners, theirs, true), plain);
    ASSERT_TRUE(std::ranges::all_of(statuses_, [](JobStatus s) { return s == JobStatus::kDone; }));
  }
}

TEST_P(IpsecMbBatchTest, OneBadPacketLeavesTheOthersUnharmed) {
  std::vector<Sample> samples;
  std::vector<size_t> owners;
  std::vector<Bytes> plain;
  for (size_t batch = 0; batch < 100; ++batch) {
    Draw(1 + batch, samples, owners, plain);
    auto packets = Run(*transform_, Direction::kProtect, samples, owners, plain, true);
    std::vector<bool> harmed(packets.size());
    for (size_t i = 0; i < packets.size(); ++i) {
      harmed[i] = random_() % 4 == 0;
      if (!harmed[i]) continue;
      if (random_() % 8 == 0) {
        packets[i].resize(random_() % 12);
      } else {
        packets[i].back() ^= 0x01;
      }
    }
    const auto out = Run(*transform_, Direction::kUnprotect, samples, owners, packets, true);
    for (size_t i = 0; i < packets.size(); ++i) {
      if (harmed[i]) {
        ASSERT_EQ(statuses_[i], packets[i].size() < 12 ? JobStatus::kMalformed : JobStatus::kBadTag);
        ASSERT_EQ(out[i].size(), packets[i].size());
      } else {
        ASSERT_EQ(statuses_[i], JobStatus::kDone)
            << srtp::TraitsOf(samples[i].key->profile)->name << int(samples[i].kind);
        ASSERT_EQ(out[i], plain[i]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, IpsecMbBatchTest,
                         testing::Values(IpsecMbInstructionSet::kBest, IpsecMbInstructionSet::kSse,
                                         IpsecMbInstructionSet::kAvx2));

}  // namespace
}  // namespace linegate::crypto
