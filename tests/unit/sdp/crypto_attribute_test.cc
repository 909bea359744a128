#include "controlplane/sdp/crypto_attribute.h"

#include <gmock/gmock.h>

#include <vector>

#include "dataplane/base/base64.h"

namespace linegate::sdp {
namespace {

using srtp::Profile;

/// RFC 4568 section 10.1 without its FEC parameter.
constexpr std::string_view kCapture =
    "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";
constexpr std::string_view kKey = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

std::string Text(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
std::string With(const std::string& behind_key, const std::string& parameters = "") {
  return "1 AES_CM_128_HMAC_SHA1_80 inline:" + std::string(kKey) + behind_key + parameters;
}

TEST(CryptoAttribute, ParsesTheExampleOfTheRfc) {
  const auto line = ParseCrypto(kCapture);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->tag, 1u);
  EXPECT_EQ(line->key.profile, Profile::kAes128CmHmacSha1_80);
  EXPECT_EQ(Text(line->key.key.view()), "YS___semctl () {");
  EXPECT_EQ(Text(line->key.salt.view()), "\t220;}\n}\nunles");
  EXPECT_EQ(line->key.mki, (srtp::Mki{4, {0, 0, 0, 1}}));
}

TEST(CryptoAttribute, ParsesWhatBaresipOffers) {
  const auto line = ParseCrypto("1 AES_CM_128_HMAC_SHA1_32 inline:Nn+I5nkwlaAYY5ddNZKHdxxHvzaUcbtdIgwq7OtB");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->key.profile, Profile::kAes128CmHmacSha1_32);
  EXPECT_EQ(line->key.mki.length, 0);
}

TEST(CryptoAttribute, RoundTripsEverySuite) {
  for (const Profile suite :
       {Profile::kAes128CmHmacSha1_80, Profile::kAes128CmHmacSha1_32, Profile::kAes192CmHmacSha1_80,
        Profile::kAes192CmHmacSha1_32, Profile::kAes256CmHmacSha1_80, Profile::kAes256CmHmacSha1_32,
        Profile::kAeadAes128Gcm, Profile::kAeadAes256Gcm}) {
    const auto traits = *srtp::TraitsOf(suite);
    std::vector<uint8_t> bytes(traits.key_bytes + traits.salt_bytes);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = uint8_t(251 * i + 3);
    CryptoLine line;
    line.tag = 999999999;
    line.key.profile = suite;
    line.key.key.Assign(ByteView(bytes).first(traits.key_bytes));
    line.key.salt.Assign(ByteView(bytes).subspan(traits.key_bytes));
    for (const srtp::Mki& mki :
         {srtp::Mki{}, srtp::Mki{1, {200}}, srtp::Mki{8, {255, 1, 2, 3, 4, 5, 6, 7}}}) {
      line.key.mki = mki;
      const std::string text = WriteCrypto(line);
      const auto again = ParseCrypto(text);
      ASSERT_TRUE(again) << text;
      EXPECT_EQ(again->tag, line.tag);
      EXPECT_EQ(again->key.profile, suite);
      EXPECT_EQ(Text(again->key.key.view()), Text(line.key.key.view()));
      EXPECT_EQ(Text(again->key.salt.view()), Text(line.key.salt.view()));
      EXPECT_EQ(again->key.mki, mki);
    }
    EXPECT_EQ(SuiteOf(SuiteName(suite)), suite);
  }
  EXPECT_EQ(SuiteName(Profile::kNullHmacSha1_80), "");
  EXPECT_EQ(SuiteOf(""), std::nullopt);
}

TEST(CryptoAttribute, TakesAKeyWithoutItsPadding) {
  const std::vector<uint8_t> bytes(46, 0x5a);
  std::string encoded = EncodeBase64(bytes);
  ASSERT_TRUE(encoded.ends_with("=="));
  EXPECT_TRUE(ParseCrypto("1 AES_256_CM_HMAC_SHA1_80 inline:" + encoded));
  encoded.resize(encoded.size() - 2);
  EXPECT_TRUE(ParseCrypto("1 AES_256_CM_HMAC_SHA1_80 inline:" + encoded));
}

TEST(CryptoAttribute, TakesLifetimeAndMkiInTheirOrderAlone) {
  for (const char* good : {"", "|2^48", "|2^0", "|1", "|281474976710656", "|1:1", "|0:1", "|255:1",
                           "|2^31|1:1", "|4294967296|18446744073709551615:8"}) {
    EXPECT_TRUE(ParseCrypto(With(good))) << good;
  }
  for (const char* bad :
       {"|",     "|2^49",          "|2^",        "|2^x",     "|0",         "|281474976710657",
        "|-1",   "|1:0",           "|1:129",     "|1:9",     "|256:1",     "|:1",
        "|1:",   "|1:1|2^20",      "|2^20|2^20", "|1:1|1:1", "|2^20|1:1|", "|2^20|",
        "||1:1", "|2^20|1:1|2^20", ":1"}) {
    EXPECT_FALSE(ParseCrypto(With(bad))) << bad;
  }
}

TEST(CryptoAttribute, LeavesALineWithAnythingUnknownAlone) {
  for (const char* good : {" WSH=64", " WSH=1024", " -XYZ", " -KDR=1 WSH=128"})
    EXPECT_TRUE(ParseCrypto(With("", good))) << good;
  for (const char* bad :
       {" KDR=1", " KDR=0", " UNENCRYPTED_SRTP", " UNENCRYPTED_SRTCP", " UNAUTHENTICATED_SRTP",
        " FEC_ORDER=FEC_SRTP", " FEC_KEY=inline:x", " WSH=63", " WSH=", " WSH=x", " XYZ", " -"}) {
    EXPECT_FALSE(ParseCrypto(With("", bad))) << bad;
  }
  const std::string key(kKey);
  for (const std::string& bad : std::vector<std::string>{
           "1 F8_128_HMAC_SHA1_80 inline:" + key,
           "1 aes_cm_128_hmac_sha1_80 inline:" + key,
           "1 AES_CM_128_HMAC_SHA1_80 INLINE:" + key,
           "1 AES_CM_128_HMAC_SHA1_80 uri:" + key,
           "1 AES_CM_128_HMAC_SHA1_80 inline:" + key + ";inline:" + key,  // two keys
           "1 AES_256_CM_HMAC_SHA1_80 inline:" + key,                     // too short for the suite
           "1 AEAD_AES_128_GCM inline:" + key,                            // too long
           "1 AES_CM_128_HMAC_SHA1_80 inline:" + key + "AAAA",
           "1 AES_CM_128_HMAC_SHA1_80 inline:" + key.substr(1) + "=",
           "1 AES_CM_128_HMAC_SHA1_80 inline:*" + key.substr(1),
           "x AES_CM_128_HMAC_SHA1_80 inline:" + key,
           "-1 AES_CM_128_HMAC_SHA1_80 inline:" + key,
           "01 AES_CM_128_HMAC_SHA1_80 inline:" + key,  // an answer would name another tag
           "1000000000 AES_CM_128_HMAC_SHA1_80 inline:" + key,
           " ",
           "1",
       }) {
    EXPECT_FALSE(ParseCrypto(bad)) << bad;
  }
}

TEST(CryptoAttribute, SurvivesEveryTruncation) {
  const std::string whole = std::string(kCapture) + " WSH=128";
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::vector<char> part(whole.begin(), whole.begin() + long(length));  // no terminator behind it
    const auto line = ParseCrypto({part.data(), part.size()});
    // Whole fields may be missing at the end, and a number may be shorter.
    if (line) {
      EXPECT_GE(length, whole.find(kKey) + kKey.size());
    }
  }
}

TEST(CryptoAttribute, CountsEveryLineAndServesABoundedNumber) {
  MediaSection media;
  media.AddAttribute("crypto", "1 XYZ inline:abc");
  for (int i = 0; i < 20; ++i) media.AddAttribute("crypto", kCapture);
  const CryptoLines lines = CryptoLinesOf(media);
  EXPECT_EQ(lines.count, 21u);
  EXPECT_EQ(lines.served.size(), kMaxCryptoLines);
}

}  // namespace
}  // namespace linegate::sdp
