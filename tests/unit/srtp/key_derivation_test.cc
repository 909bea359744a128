#include "dataplane/srtp/key_derivation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace linegate::srtp {
namespace {

/// Records what it was asked to encrypt and answers with it, so that inputs are visible. The real cipher is
/// tested with RFC 3711 appendix B.3 in tests/conformance/srtp.
class RecordingAes final : public AesBlockCipher {
 public:
  [[nodiscard]] bool Encrypt(ByteView, std::span<const uint8_t, kBlockBytes> in,
                             std::span<uint8_t, kBlockBytes> out) noexcept override {
    blocks.emplace_back(in.begin(), in.end());
    std::copy(in.begin(), in.end(), out.begin());
    return !broken;
  }
  std::vector<std::vector<uint8_t>> blocks;
  bool broken = false;
};

MasterKey Master(Profile profile) {
  const auto traits = *TraitsOf(profile);
  MasterKey master;
  master.profile = profile;
  master.key.Assign(std::vector<uint8_t>(traits.key_bytes, 0x11));
  master.salt.Assign(std::vector<uint8_t>(traits.salt_bytes, 0));
  return master;
}

TEST(KeyDerivation, PutsTheLabelIntoTheSeventhByteAndCountsBlocks) {
  RecordingAes aes;
  std::vector<uint8_t> salt(14);
  for (size_t i = 0; i < salt.size(); ++i) salt[i] = uint8_t(i + 1);
  std::array<uint8_t, 20> out;
  ASSERT_TRUE(DeriveKey(aes, std::vector<uint8_t>(16), salt, 5, out));
  ASSERT_EQ(aes.blocks.size(), 2u);
  EXPECT_EQ(aes.blocks[0], (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8 ^ 5, 9, 10, 11, 12, 13, 14, 0, 0}));
  EXPECT_EQ(aes.blocks[1].back(), 1);
  EXPECT_EQ(out[19], aes.blocks[1][3]);
}

TEST(KeyDerivation, PadsTheAeadSaltOnTheRight) {
  RecordingAes aes;
  std::array<uint8_t, 1> out;
  ASSERT_TRUE(DeriveKey(aes, std::vector<uint8_t>(16), std::vector<uint8_t>(12, 0xff), 0, out));
  EXPECT_EQ(aes.blocks[0][11], 0xff);
  EXPECT_EQ(aes.blocks[0][12], 0);
}

TEST(KeyDerivation, GivesEveryProfileItsLengths) {
  for (Profile profile : {Profile::kAes128CmHmacSha1_80, Profile::kAeadAes128Gcm, Profile::kAeadAes256Gcm}) {
    RecordingAes aes;
    const auto traits = *TraitsOf(profile);
    const auto keys = DeriveSessionKeys(Master(profile), aes);
    ASSERT_TRUE(keys);
    for (const SessionKeySet* set : {&keys->rtp, &keys->rtcp}) {
      EXPECT_EQ(set->cipher_key.view().size(), traits.key_bytes);
      EXPECT_EQ(set->auth_key.view().size(), traits.auth_key_bytes);
      EXPECT_EQ(set->salt.view().size(), traits.salt_bytes);
    }
    EXPECT_EQ(keys->rtp.salt.view()[7], 2);
    EXPECT_EQ(keys->rtcp.salt.view()[7], 5);
  }
}

TEST(KeyDerivation, RefusesWrongLengthsProfilesAndBrokenCiphers) {
  RecordingAes aes;
  MasterKey master = Master(Profile::kAes128CmHmacSha1_80);
  master.profile = Profile::kAeadAes256Gcm;
  EXPECT_FALSE(DeriveSessionKeys(master, aes));
  master.profile = Profile::kNone;
  EXPECT_FALSE(DeriveSessionKeys(master, aes));
  aes.broken = true;
  EXPECT_FALSE(DeriveSessionKeys(Master(Profile::kAeadAes128Gcm), aes));
}

}  // namespace
}  // namespace linegate::srtp
