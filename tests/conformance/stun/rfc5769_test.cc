// RFC 5769: test vectors for STUN. Each is read; those whose padding is zero would also be written byte for
// byte, but the vectors pad with spaces, so the writer is held against them by value and integrity.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "dataplane/wire/stun_message.h"
#include "drivers/crypto/openssl_hmac_sha1.h"
#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

TEST(Rfc5769, Section2_1_SampleRequest) {
  const auto message = FromHex(R"(
    00010058 2112a442 b7e7a701bc34d686fa87dfae
    80220010 5354554e207465737420636c69656e74
    00240004 6e0001ff
    80290008 932ff9b151263b36
    00060009 6576746a3a68367659202020
    00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
    80280004 e57a3bcf)");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->message_class(), StunClass::kRequest);
  EXPECT_EQ(view->method(), StunMethod::kBinding);
  EXPECT_EQ(AsText(*view->Find(StunAttribute::kSoftware)), "STUN test client");
  EXPECT_EQ(view->priority(), 0x6e0001ffu);
  EXPECT_EQ(view->ice_controlled(), 0x932ff9b151263b36u);
  EXPECT_EQ(view->username(), "evtj:h6vY");
  EXPECT_TRUE(view->has_fingerprint());
  crypto::OpensslHmacSha1 hmac;
  EXPECT_TRUE(view->VerifyIntegrity(hmac, AsBytes(kPassword)));
  EXPECT_EQ(view->UnknownRequired(StunUsage::kIce).count, 0u);
}

TEST(Rfc5769, Section2_2_SampleIpv4Response) {
  const auto message = FromHex(R"(
    0101003c 2112a442 b7e7a701bc34d686fa87dfae
    8022000b 7465737420766563746f7220
    00200008 0001a147e112a643
    00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
    80280004 c07d4c96)");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->message_class(), StunClass::kSuccess);
  EXPECT_EQ(AsText(*view->Find(StunAttribute::kSoftware)), "test vector");
  EXPECT_EQ(view->xor_mapped_address()->ToString(), "192.0.2.1:32853");
  crypto::OpensslHmacSha1 hmac;
  EXPECT_TRUE(view->VerifyIntegrity(hmac, AsBytes(kPassword)));
}

TEST(Rfc5769, Section2_3_SampleIpv6Response) {
  const auto message = FromHex(R"(
    01010048 2112a442 b7e7a701bc34d686fa87dfae
    8022000b 7465737420766563746f7220
    00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
    80280004 c8fb0b4c)");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->xor_mapped_address()->ToString(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
  crypto::OpensslHmacSha1 hmac;
  EXPECT_TRUE(view->VerifyIntegrity(hmac, AsBytes(kPassword)));
}

TEST(Rfc5769, Section2_4_SampleRequestWithLongTermAuthentication) {
  const auto message = FromHex(R"(
    00010060 2112a442 78ad3433c6ad72c029da412e
    00060012 e3839ee38388e383aae38383e382afe382b90000
    0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341
    0014000b 6578616d706c652e6f726700
    00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666)");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->nonce(), "f//499k954d6OL34oL9FSTvy64sA");
  EXPECT_EQ(view->realm(), "example.org");
  EXPECT_FALSE(view->has_fingerprint());
  // RFC 8489 section 9.2.2: MD5 of username ":" realm ":" prepared password.
  const std::string text = std::string(*view->username()) + ":example.org:TheMatrIX";
  std::array<uint8_t, 16> key;
  unsigned length = 0;
  ASSERT_EQ(EVP_Digest(text.data(), text.size(), key.data(), &length, EVP_md5(), nullptr), 1);
  crypto::OpensslHmacSha1 hmac;
  EXPECT_TRUE(view->VerifyIntegrity(hmac, key));
}

TEST(Rfc5769, WriterAgreesByValueAndIntegrity) {
  const auto vector = FromHex("b7e7a701bc34d686fa87dfae");
  std::array<uint8_t, 128> buffer;
  crypto::OpensslHmacSha1 hmac;
  StunMessageWriter writer(buffer, StunClass::kSuccess, StunMethod::kBinding,
                           std::span<const uint8_t, 12>(vector.data(), 12));
  writer.AddText(StunAttribute::kSoftware, "test vector ");  // 12 bytes, so that nothing is padded
  writer.AddXorAddress(StunAttribute::kXorMappedAddress, *Endpoint::Parse("192.0.2.1:32853"));
  writer.AddMessageIntegrity(hmac, AsBytes(kPassword));
  writer.AddFingerprint();
  const ByteView message = writer.Finish();
  const auto expected = FromHex("00200008 0001a147e112a643 00080014");
  EXPECT_TRUE(std::ranges::equal(message.subspan(36, expected.size()), expected));
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->has_fingerprint());
  EXPECT_TRUE(view->VerifyIntegrity(hmac, AsBytes(kPassword)));
}

}  // namespace
}  // namespace linegate::wire
