// RFC 6188 section 7: the key derivation vectors of AES-256 and AES-192.
#include <gtest/gtest.h>

#include "dataplane/srtp/key_derivation.h"
#include "drivers/crypto/openssl_aes.h"
#include "tests/support/packet_builder.h"

namespace linegate {
namespace {

using test::FromHex;

struct Vector {
  srtp::Profile profile;
  const char* master_key;
  const char* master_salt;
  const char* cipher_key;
  const char* salt;
  const char* auth_key;
};

std::vector<uint8_t> Bytes(ByteView view) { return {view.begin(), view.end()}; }

class Rfc6188 : public testing::TestWithParam<Vector> {};

TEST_P(Rfc6188, SessionKeys) {
  srtp::MasterKey master;
  master.profile = GetParam().profile;
  master.key.Assign(FromHex(GetParam().master_key));
  master.salt.Assign(FromHex(GetParam().master_salt));
  crypto::OpensslAes aes;
  const auto keys = srtp::DeriveSessionKeys(master, aes);
  ASSERT_TRUE(keys);
  EXPECT_EQ(Bytes(keys->rtp.cipher_key.view()), FromHex(GetParam().cipher_key));
  EXPECT_EQ(Bytes(keys->rtp.salt.view()), FromHex(GetParam().salt));
  EXPECT_EQ(Bytes(keys->rtp.auth_key.view()), FromHex(GetParam().auth_key));
}

INSTANTIATE_TEST_SUITE_P(
    Section7, Rfc6188,
    testing::Values(Vector{srtp::Profile::kAes256CmHmacSha1_80,
                           "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
                           "3b04803de51ee7c96423ab5b78d2",
                           "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
                           "fa31791685ca444a9e07c6c64e93", "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"},
                    Vector{srtp::Profile::kAes192CmHmacSha1_32,
                           "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1", "c8522f3acd4ce86d5add78edbb11",
                           "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb", "2372b82d639b6d8503a47adc0a6c",
                           "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb"}));

}  // namespace
}  // namespace linegate
