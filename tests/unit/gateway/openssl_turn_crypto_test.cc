#include "controlplane/app/openssl_turn_crypto.h"

#include <gtest/gtest.h>

namespace linegate::app {
namespace {

std::vector<uint8_t> FromHex(std::string_view hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(uint8_t(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}
template <typename Range>
std::vector<uint8_t> Bytes(const Range& range) {
  return {range.begin(), range.end()};
}

TEST(OpenSslTurnCrypto, Digests) {
  OpenSslTurnCrypto crypto;
  // RFC 8489 section 9.2.2: the key of user "user", realm "realm", password "pass".
  EXPECT_EQ(Bytes(crypto.Md5(AsBytes("user:realm:pass"))), FromHex("8493fbc53ba582fb4c044c456bdc40eb"));
  EXPECT_EQ(Bytes(crypto.Sha256(AsBytes("abc"))),
            FromHex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST(OpenSslTurnCrypto, HmacsOfTwoPiecesAreThoseOfTheWhole) {
  OpenSslTurnCrypto crypto;
  std::array<uint8_t, 20> sha1;
  crypto.hmac_sha1().Compute(AsBytes("Jefe"), AsBytes("what do ya want "), AsBytes("for nothing?"), sha1);
  EXPECT_EQ(Bytes(sha1), FromHex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));  // RFC 2202 section 3
  std::array<uint8_t, 32> sha256;
  crypto.hmac_sha256().Compute(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"), {}, sha256);
  EXPECT_EQ(
      Bytes(sha256),
      FromHex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));  // RFC 4231 section 4.3
}

TEST(OpenSslTurnCrypto, OpensGcmOfAnyNonceLengthAndRefusesWhatWasTouched) {
  OpenSslTurnCrypto crypto;
  // Test cases 16 and 18 of "The Galois/Counter Mode of Operation": nonces of 12 and 60 bytes.
  const auto key = FromHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const auto data = FromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto plain = FromHex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aed"
      "f5"
      "aa0de657ba637b39");
  auto sealed = FromHex(
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e"
      "63"
      "93ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(crypto.OpenAesGcm(key, FromHex("cafebabefacedbaddecaf888"), data, sealed), plain);
  sealed.back() ^= 1;
  EXPECT_FALSE(crypto.OpenAesGcm(key, FromHex("cafebabefacedbaddecaf888"), data, sealed));
  EXPECT_FALSE(crypto.OpenAesGcm(key, FromHex("cafebabefacedbaddecaf888"), data, ByteView(sealed).first(15)));
  EXPECT_FALSE(crypto.OpenAesGcm(key, {}, data, sealed));
  const auto long_nonce = FromHex(
      "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedb"
      "f5"
      "a0de6a57a637b39b");
  const auto sealed_long = FromHex(
      "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82cdea24189"
      "97"
      "200ef82e44ae7e3fa44a8266ee1c8eb0c8b5d4cf5ae9f19a");
  EXPECT_EQ(crypto.OpenAesGcm(key, long_nonce, data, sealed_long), plain);
}

TEST(OpenSslTurnCrypto, TakesKeysOfBothSizesAndNoOther) {
  OpenSslTurnCrypto crypto;
  // Test case 4 of the same paper: AES-128.
  const auto sealed = FromHex(
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b"
      "396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47");
  const auto key = FromHex("feffe9928665731c6d6a8f9467308308");
  const auto nonce = FromHex("cafebabefacedbaddecaf888"),
             data = FromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto opened = crypto.OpenAesGcm(key, nonce, data, sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->size(), 60u);
  EXPECT_EQ(opened->front(), 0xd9);
  EXPECT_FALSE(crypto.OpenAesGcm(ByteView(key).first(15), nonce, data, sealed));
  EXPECT_FALSE(crypto.OpenAesGcm({}, nonce, data, sealed));
}

}  // namespace
}  // namespace linegate::app
