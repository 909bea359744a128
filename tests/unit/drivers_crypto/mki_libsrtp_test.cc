// Our engine and our MKI against libsrtp2's own MKI support (srtp_protect_mki and its kin), packet by packet and in both
// directions: two master keys in one libsrtp2 session, told apart by their MKIs.
#include <srtp2/srtp.h>

#include <array>
#include <random>

#include "dataplane/srtp/mki.h"
#include "dataplane/srtp/packet_index.h"
#include "drivers/crypto/ipsec_mb_transform.h"
#include "drivers/crypto/libsrtp_transform.h"
#include "tests/support/srtp_end.h"
#include "tests/unit/drivers_crypto/srtp_fixture.h"

namespace linegate::crypto {
namespace {

using srtp::Profile;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kSsrc = 0xcafebabe;
constexpr int kPackets = 2000;

/// A libsrtp2 session with two master keys.
class LibsrtpSession {
 public:
  LibsrtpSession(const std::array<srtp::MasterKey, 2>& keys, srtp_ssrc_type_t type) {
    static LibsrtpTransform initialises;
    for (size_t i = 0; i < keys.size(); ++i) {
      material_[i].assign(keys[i].key.view().begin(), keys[i].key.view().end());
      material_[i].insert(material_[i].end(), keys[i].salt.view().begin(), keys[i].salt.view().end());
      mki_[i].assign(keys[i].mki.bytes, keys[i].mki.bytes + keys[i].mki.length);
      masters_[i] = {material_[i].data(), mki_[i].data(), unsigned(mki_[i].size())};
      pointers_[i] = &masters_[i];
    }
    srtp_policy_t policy = {};
    for (srtp_crypto_policy_t* crypto : {&policy.rtp, &policy.rtcp}) Fill(keys[0].profile, *crypto);
    policy.rtp.auth_tag_len = int(srtp::TraitsOf(keys[0].profile)->rtp_tag_bytes);
    policy.ssrc = {type, 0};
    policy.keys = pointers_.data();
    policy.num_master_keys = pointers_.size();
    policy.window_size = 1024;
    LG_FATAL(srtp_create(&session_, &policy) == srtp_err_status_ok);
  }
  LibsrtpSession(const LibsrtpSession&) = delete;
  LibsrtpSession& operator=(const LibsrtpSession&) = delete;
  ~LibsrtpSession() { srtp_dealloc(session_); }

  Bytes Protect(Bytes packet, srtp::PacketKind kind, unsigned key) {
    int length = int(packet.size());
    packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + SRTP_MAX_MKI_LEN);
    const auto status = kind == srtp::PacketKind::kRtp
                            ? srtp_protect_mki(session_, packet.data(), &length, 1, key)
                            : srtp_protect_rtcp_mki(session_, packet.data(), &length, 1, key);
    EXPECT_EQ(status, srtp_err_status_ok);
    packet.resize(size_t(length));
    return packet;
  }
  srtp_err_status_t Unprotect(Bytes& packet, srtp::PacketKind kind) {
    int length = int(packet.size());
    const auto status = kind == srtp::PacketKind::kRtp
                            ? srtp_unprotect_mki(session_, packet.data(), &length, 1)
                            : srtp_unprotect_rtcp_mki(session_, packet.data(), &length, 1);
    packet.resize(size_t(length));
    return status;
  }

 private:
  static void Fill(Profile profile, srtp_crypto_policy_t& crypto) {
    switch (profile) {
      case Profile::kAeadAes128Gcm:
        return srtp_crypto_policy_set_aes_gcm_128_16_auth(&crypto);
      case Profile::kAeadAes256Gcm:
        return srtp_crypto_policy_set_aes_gcm_256_16_auth(&crypto);
      case Profile::kNullHmacSha1_80:
      case Profile::kNullHmacSha1_32:
        return srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&crypto);
      case Profile::kAes256CmHmacSha1_80:
      case Profile::kAes256CmHmacSha1_32:
        return srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&crypto);
      default:
        return srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&crypto);
    }
  }

  std::array<Bytes, 2> material_, mki_;
  std::array<srtp_master_key_t, 2> masters_ = {};
  std::array<srtp_master_key_t*, 2> pointers_ = {};
  srtp_t session_ = nullptr;
};

class MkiAgainstLibsrtp : public testing::TestWithParam<std::tuple<Profile, uint8_t>> {
 protected:
  static std::array<srtp::MasterKey, 2> Keys() {
    const auto [profile, length] = GetParam();
    std::array<srtp::MasterKey, 2> keys = {TestMasterKey(profile, 1), TestMasterKey(profile, 2)};
    for (uint8_t i = 0; i < 2; ++i) {
      keys[i].mki.length = length;
      keys[i].mki.bytes[length - 1] = uint8_t(i + 1);
    }
    return keys;
  }
  const std::array<srtp::MasterKey, 2> keys_ = Keys();
  const bool libsrtp_reads_its_rtcp_ =
      srtp::TraitsOf(keys_[0].profile)->rtp_tag_bytes == srtp::TraitsOf(keys_[0].profile)->rtcp_tag_bytes;
  std::unique_ptr<IpsecMbTransform> transform_ = *IpsecMbTransform::Create();
};

TEST_P(MkiAgainstLibsrtp, EveryPacketIsTheSameAndIsReadByTheOther) {
  LibsrtpSession sender(keys_, ssrc_any_outbound), receiver(keys_, ssrc_any_inbound);
  std::mt19937 random(7);
  // Each key is used for a stretch, as after a change of key; libsrtp2 counts on in its one stream.
  uint64_t index = 65000;
  uint32_t srtcp_index = 0;
  for (unsigned key = 0; key < 2; ++key) {
    test::SrtpEnd ours(*transform_, keys_[key], keys_[key]);
    for (int n = 0; n < kPackets / 2; ++n) {
      ++index;
      const Bytes rtp = RtpPacket(srtp::SequenceNumberOf(index), kSsrc, random() % 1300);
      const Bytes protected_rtp = ours.Protect(rtp, index);
      ASSERT_EQ(protected_rtp, sender.Protect(rtp, srtp::PacketKind::kRtp, key)) << "packet " << n;
      ASSERT_EQ(ours.Unprotect(protected_rtp, index), rtp);
      Bytes received = protected_rtp;
      ASSERT_EQ(receiver.Unprotect(received, srtp::PacketKind::kRtp), srtp_err_status_ok) << "packet " << n;
      ASSERT_EQ(received, rtp);
      if (n % 5 != 0) continue;
      const Bytes rtcp = RtcpPacket(kSsrc, uint8_t(random()));
      const Bytes protected_rtcp = ours.ProtectRtcp(rtcp, ++srtcp_index);
      ASSERT_EQ(protected_rtcp, sender.Protect(rtcp, srtp::PacketKind::kRtcp, key)) << "report " << n;
      ASSERT_EQ(ours.UnprotectRtcp(protected_rtcp), rtcp);
      // libsrtp2 2.5 looks for the MKI of SRTCP in front of as many bytes as SRTP's tag has: with the 32-bit suites it does
      // not read what it wrote itself.
      if (!libsrtp_reads_its_rtcp_) continue;
      received = protected_rtcp;
      ASSERT_EQ(receiver.Unprotect(received, srtp::PacketKind::kRtcp), srtp_err_status_ok) << "report " << n;
      ASSERT_EQ(received, rtcp);
    }
  }
}

TEST_P(MkiAgainstLibsrtp, TheOtherKeysPacketIsToldByItsMkiAlone) {
  LibsrtpSession sender(keys_, ssrc_any_outbound);
  test::SrtpEnd first(*transform_, keys_[0], keys_[0]);
  const Bytes rtp = RtpPacket(7, kSsrc);
  const Bytes second_key = sender.Protect(rtp, srtp::PacketKind::kRtp, 1);
  EXPECT_TRUE(first.Unprotect(second_key, 7).empty());
  test::SrtpEnd second(*transform_, keys_[1], keys_[1]);
  EXPECT_EQ(second.Unprotect(second_key, 7), rtp);
}

INSTANTIATE_TEST_SUITE_P(ProfilesAndLengths, MkiAgainstLibsrtp,
                         testing::Combine(testing::ValuesIn(kProfiles), testing::Values(1, 2, 4, 8)),
                         [](const testing::TestParamInfo<MkiAgainstLibsrtp::ParamType>& suite) {
                           return std::string(srtp::TraitsOf(std::get<0>(suite.param))->name) + "_" +
                                  std::to_string(std::get<1>(suite.param));
                         });

}  // namespace
}  // namespace linegate::crypto
