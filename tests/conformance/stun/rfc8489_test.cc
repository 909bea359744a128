// RFC 8489 appendix B.1 with erratum 6268: long-term authentication with USERHASH and MESSAGE-INTEGRITY-SHA256.
#include <gtest/gtest.h>

#include <string>

#include "dataplane/wire/stun_message.h"
#include "tests/support/packet_builder.h"
#include "tests/support/turn_bench.h"

namespace linegate::wire {
namespace {

using test::FromHex;

constexpr const char* kMessage = R"(
    00010090 2112a442 78ad3433c6ad72c029da412e
    001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
    00150029 6f624d61744a6f7332414141 43662f2f3439396b39353464364f4c33346f4c394653547679363473 41000000
    0014000b 6578616d706c652e6f726700
    001d0004 00020000
    001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65)";
constexpr std::string_view kUser = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9";

TEST(Rfc8489, AppendixB1) {
  const auto message = FromHex(kMessage);
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  test::TurnTestCrypto crypto;
  const std::string realm(*view->realm());
  EXPECT_EQ(realm, "example.org");
  EXPECT_EQ(view->nonce(), "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
  const auto hash = crypto.Sha256(AsBytes(std::string(kUser) + ":" + realm));
  EXPECT_TRUE(std::ranges::equal(*view->Find(StunAttribute::kUserhash), hash));
  const auto key = crypto.Sha256(AsBytes(std::string(kUser) + ":" + realm + ":TheMatrIX"));
  EXPECT_FALSE(view->has_integrity());
  ASSERT_TRUE(view->has_integrity_sha256());
  EXPECT_TRUE(view->VerifyIntegrity(crypto.hmac_sha256(), key));
  EXPECT_FALSE(view->VerifyIntegrity(crypto.hmac_sha1(), key));
}

TEST(Rfc8489, AppendixB1IsWrittenByteForByte) {
  const auto expected = FromHex(kMessage);
  const auto view = *StunMessageView::Parse(expected);
  test::TurnTestCrypto crypto;
  std::array<uint8_t, 512> buffer;
  StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kBinding, view.transaction_id());
  view.ForEachAttribute([&](StunAttribute attribute, ByteView value) { writer.AddBytes(attribute, value); });
  writer.AddMessageIntegritySha256(crypto.hmac_sha256(),
                                   crypto.Sha256(AsBytes(std::string(kUser) + ":example.org:TheMatrIX")));
  EXPECT_TRUE(std::ranges::equal(writer.Finish(), expected));
}

}  // namespace
}  // namespace linegate::wire
