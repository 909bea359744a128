#include "drivers/crypto/openssl_hmac_sha1.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/support/packet_builder.h"

namespace linegate::crypto {
namespace {

std::vector<uint8_t> Tag(ByteView key, ByteView first, ByteView second) {
  std::array<uint8_t, 20> tag;
  OpensslHmacSha1().Compute(key, first, second, tag);
  return {tag.begin(), tag.end()};
}

TEST(OpensslHmacSha1, MatchesRfc2202) {
  using test::FromHex;
  // Section 3, cases 1, 2 and 6 (a key longer than a block).
  EXPECT_EQ(Tag(std::vector<uint8_t>(20, 0x0b), AsBytes("Hi There"), {}),
            FromHex("b617318655057264e28bc0b6fb378c8ef146be00"));
  EXPECT_EQ(Tag(AsBytes("Jefe"), AsBytes("what do ya want "), AsBytes("for nothing?")),
            FromHex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
  EXPECT_EQ(Tag(std::vector<uint8_t>(80, 0xaa),
                AsBytes("Test Using Larger Than Block-Size Key - Hash Key First"), {}),
            FromHex("aa4ae5e15272d00e95705637ce8a3b55ed402112"));
}

TEST(OpensslHmacSha1, AcceptsEmptyParts) {
  EXPECT_EQ(Tag({}, {}, {}), test::FromHex("fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"));
}

}  // namespace
}  // namespace linegate::crypto
