// RFC 3711 appendix B: the vectors for AES-CM and for key derivation.
#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/srtp/key_derivation.h"
#include "drivers/crypto/openssl_aes.h"
#include "tests/support/packet_builder.h"
#include "tests/support/reference_srtp.h"

namespace linegate {
namespace {

using test::FromHex;

std::vector<uint8_t> Bytes(ByteView view) { return {view.begin(), view.end()}; }

TEST(Rfc3711, AppendixB2Keystream) {
  const auto key = FromHex("2B7E151628AED2A6ABF7158809CF4F3C");
  const auto counter = FromHex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000");
  const auto stream = test::AesCmKeystream(key, std::span<const uint8_t, 16>(counter.data(), 16), 1044512);
  EXPECT_EQ(Bytes(ByteView(stream).first(48)), FromHex("E03EAD0935C95E80E166B16DD92B4EB4"
                                                       "D23513162B02D0F72A43A2FE4A5F97AB"
                                                       "41E95B3BB0A2E8DD477901E4FCA894C0"));
  EXPECT_EQ(Bytes(ByteView(stream).last(48)), FromHex("EC8CDF7398607CB0F2D21675EA9EA1E4"
                                                      "362B7C3C6773516318A077D7FC5073AE"
                                                      "6A2CC3787889374FBEB4C81B17BA6C44"));
}

TEST(Rfc3711, AppendixB2ThroughThePacketFormat) {
  // SSRC, rollover counter and sequence number 0 over zeros: the payload becomes the key stream of B.2.
  const test::ReferenceKeys keys{srtp::Profile::kAes128CmHmacSha1_80,
                                 FromHex("2B7E151628AED2A6ABF7158809CF4F3C"), std::vector<uint8_t>(20),
                                 FromHex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")};
  std::vector<uint8_t> packet(12 + 48);
  packet[0] = 0x80;
  const auto out = test::ReferenceProtectRtp(keys, packet, 12, 0);
  EXPECT_EQ(Bytes(ByteView(out).subspan(12, 32)),
            FromHex("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"));
}

TEST(Rfc3711, AppendixB3KeyDerivation) {
  const auto key = FromHex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const auto salt = FromHex("0EC675AD498AFEEBB6960B3AABE6");
  crypto::OpensslAes aes;
  std::vector<uint8_t> cipher_key(16);
  std::vector<uint8_t> cipher_salt(14);
  std::vector<uint8_t> auth_key(94);
  ASSERT_TRUE(srtp::DeriveKey(aes, key, salt, 0, cipher_key));
  ASSERT_TRUE(srtp::DeriveKey(aes, key, salt, 1, auth_key));
  ASSERT_TRUE(srtp::DeriveKey(aes, key, salt, 2, cipher_salt));
  EXPECT_EQ(cipher_key, FromHex("C61E7A93744F39EE10734AFE3FF7A087"));
  EXPECT_EQ(cipher_salt, FromHex("30CBBC08863D8C85D49DB34A9AE1"));
  EXPECT_EQ(auth_key, FromHex("CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE"
                              "E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25"
                              "6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2"));
}

TEST(Rfc3711, AppendixB3ThroughTheProfile) {
  srtp::MasterKey master;
  master.profile = srtp::Profile::kAes128CmHmacSha1_80;
  master.key.Assign(FromHex("E1F97A0D3E018BE0D64FA32C06DE4139"));
  master.salt.Assign(FromHex("0EC675AD498AFEEBB6960B3AABE6"));
  crypto::OpensslAes aes;
  const auto keys = srtp::DeriveSessionKeys(master, aes);
  ASSERT_TRUE(keys);
  EXPECT_EQ(Bytes(keys->rtp.cipher_key.view()), FromHex("C61E7A93744F39EE10734AFE3FF7A087"));
  EXPECT_EQ(Bytes(keys->rtp.salt.view()), FromHex("30CBBC08863D8C85D49DB34A9AE1"));
  EXPECT_EQ(Bytes(keys->rtp.auth_key.view()), FromHex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

}  // namespace
}  // namespace linegate
