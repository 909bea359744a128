// STUN attributes of RFC 8489's SHA-256, RFC 5780, 6062, 7635 and 8016.
#include <gtest/gtest.h>

#include <array>

#include "dataplane/wire/stun_message.h"
#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

/// Not HMACs: they show what was covered. The real ones are tested with vectors in tests/conformance/stun.
template <typename Interface>
class Folding final : public Interface {
 public:
  void Compute(ByteView key, ByteView first, ByteView second,
               std::span<uint8_t, Interface::kTagBytes> tag) noexcept override {
    std::fill(tag.begin(), tag.end(), uint8_t{1});
    size_t i = 0;
    for (ByteView part : {key, first, second}) {
      for (uint8_t byte : part) {
        uint8_t& at = tag[i++ % Interface::kTagBytes];
        at = uint8_t(at * 31 + byte);
      }
    }
  }
};

constexpr std::array<uint8_t, 12> kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const ByteView kKey = AsBytes("secret");

std::vector<uint8_t> Allocate() {
  Folding<HmacSha1> sha1;
  Folding<HmacSha256> sha256;
  std::array<uint8_t, 512> buffer;
  StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kAllocate, kId);
  writer.AddU32(StunAttribute::kRequestedTransport, 17u << 24);
  writer.AddFlag(StunAttribute::kDontFragment);
  writer.AddText(StunAttribute::kUsername, "lab");
  writer.AddMessageIntegrity(sha1, kKey);
  writer.AddMessageIntegritySha256(sha256, kKey);
  writer.AddFingerprint();
  const ByteView message = writer.Finish();
  return {message.begin(), message.end()};
}

/// A SHA-256 tag of `bytes` bytes over an otherwise empty Binding request.
std::vector<uint8_t> TruncatedTag(size_t bytes) {
  Folding<HmacSha256> sha256;
  auto message = FromHex("0001 0000 2112a442 0102030405060708090a0b0c 001c 0000");
  StoreBe16(message.data() + 2, uint16_t(4 + bytes));
  StoreBe16(message.data() + 22, uint16_t(bytes));
  std::array<uint8_t, 32> tag;
  sha256.Compute(kKey, ByteView(message).first(20), {}, tag);
  message.insert(message.end(), tag.begin(), tag.begin() + ptrdiff_t(std::min<size_t>(bytes, 32)));
  message.resize(20 + 4 + bytes);
  return message;
}

TEST(StunMessageTurn, CarriesBothIntegrities) {
  const auto message = Allocate();
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  Folding<HmacSha1> sha1;
  Folding<HmacSha256> sha256;
  EXPECT_TRUE(view->has_integrity() && view->has_integrity_sha256() && view->has_fingerprint());
  EXPECT_TRUE(view->VerifyIntegrity(sha1, kKey));
  EXPECT_TRUE(view->VerifyIntegrity(sha256, kKey));
  EXPECT_FALSE(view->VerifyIntegrity(sha1, AsBytes("other")));
  EXPECT_FALSE(view->VerifyIntegrity(sha256, AsBytes("other")));
  EXPECT_EQ(view->UnknownRequired(StunUsage::kTurn).count, 0u);
}

TEST(StunMessageTurn, TakesTruncatedSha256TagsOf16BytesAndMore) {
  Folding<HmacSha256> sha256;
  for (size_t bytes = 0; bytes <= 40; bytes += 4) {
    const auto message = TruncatedTag(bytes);
    const auto view = StunMessageView::Parse(message);
    const bool legal = bytes >= 16 && bytes <= 32;
    ASSERT_EQ(view.has_value(), legal) << bytes;
    if (!legal) continue;
    EXPECT_TRUE(view->VerifyIntegrity(sha256, kKey)) << bytes;
    auto broken = message;
    broken.back() ^= 1;
    EXPECT_FALSE(StunMessageView::Parse(broken)->VerifyIntegrity(sha256, kKey)) << bytes;
  }
}

TEST(StunMessageTurn, IgnoresWhatFollowsAnIntegrity) {
  Folding<HmacSha1> sha1;
  Folding<HmacSha256> sha256;
  for (const bool use_sha256 : {false, true}) {
    std::array<uint8_t, 256> buffer;
    StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kRefresh, kId);
    writer.AddU32(StunAttribute::kLifetime, 600);
    if (use_sha256) {
      writer.AddMessageIntegritySha256(sha256, kKey);
      writer.AddMessageIntegrity(sha1,
                                 kKey);  // in the wrong order: it is not protected, so it counts for nothing
    } else {
      writer.AddMessageIntegrity(sha1, kKey);
    }
    writer.AddU32(StunAttribute::kConnectionId, 7);
    writer.AddXorAddress(StunAttribute::kXorPeerAddress, {IpAddress::V4(127, 0, 0, 1), 80});
    const auto view = StunMessageView::Parse(writer.Finish());
    ASSERT_TRUE(view);
    EXPECT_EQ(view->has_integrity(), !use_sha256);
    EXPECT_EQ(view->has_integrity_sha256(), use_sha256);
    EXPECT_TRUE(view->Has(StunAttribute::kLifetime));
    EXPECT_FALSE(view->Has(StunAttribute::kConnectionId));
    EXPECT_FALSE(view->Has(StunAttribute::kXorPeerAddress));
    EXPECT_EQ(view->UnknownRequired(StunUsage::kTurn).count, 0u);
    size_t attributes = 0;
    view->ForEachAttribute([&](StunAttribute, ByteView) { ++attributes; });
    EXPECT_EQ(attributes, 1u);
  }
}

TEST(StunMessageTurn, RoundTripsAddressesAndCodes) {
  std::array<uint8_t, 256> buffer;
  StunMessageWriter writer(buffer, StunClass::kSuccess, StunMethod::kBinding, kId);
  const Endpoint v4{IpAddress::V4(192, 0, 2, 1), 3478}, v6{*IpAddress::Parse("2001:db8::7"), 3479};
  writer.AddAddress(StunAttribute::kResponseOrigin, v4);
  writer.AddAddress(StunAttribute::kOtherAddress, v6);
  writer.AddXorAddress(StunAttribute::kXorRelayedAddress, v6);
  writer.AddAddressErrorCode(IpFamily::kIpv6, 440, "no");
  writer.AddU32(StunAttribute::kConnectionId, 0x01020304);
  const auto view = StunMessageView::Parse(writer.Finish());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->FindAddress(StunAttribute::kResponseOrigin), v4);
  EXPECT_EQ(view->FindAddress(StunAttribute::kOtherAddress), v6);
  EXPECT_EQ(view->FindXorAddress(StunAttribute::kXorRelayedAddress), v6);
  EXPECT_EQ(view->FindU32(StunAttribute::kConnectionId), 0x01020304u);
  EXPECT_TRUE(std::ranges::equal(*view->Find(StunAttribute::kAddressErrorCode), FromHex("02 00 04 28 6e6f")));
  EXPECT_FALSE(view->FindAddress(StunAttribute::kMappedAddress));
}

TEST(StunMessageTurn, ParsesCaptureOfDiscovery) {
  const auto message = FromHex(R"(
    0001 0018 2112a442 0102030405060708090a0b0c
    0003 0004 00000006                            # CHANGE-REQUEST: IP and port
    0027 0004 1f900000                            # RESPONSE-PORT 8080
    0026 0003 00000000                            # PADDING
  )");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->FindU32(StunAttribute::kChangeRequest), 6u);
  EXPECT_EQ(view->FindU16(StunAttribute::kResponsePort), 8080);
  EXPECT_EQ(view->Find(StunAttribute::kPadding)->size(), 3u);
  EXPECT_EQ(view->UnknownRequired(StunUsage::kDiscovery).count, 0u);
  EXPECT_EQ(view->UnknownRequired(StunUsage::kBase).count, 3u);
}

TEST(StunMessageTurn, RefusesFixedAttributesOfOtherLengths) {
  for (const char* attribute : {"001e 0004 00000000", "002a 0000", "0003 0008 0000000000000000", "8000 0000",
                                "0027 0001 00000000", "001d 0000", "8001 0000"}) {
    auto message = FromHex("0001 0000 2112a442 0102030405060708090a0b0c");
    const auto body = FromHex(attribute);
    message.insert(message.end(), body.begin(), body.end());
    StoreBe16(message.data() + 2, uint16_t(body.size()));
    EXPECT_FALSE(StunMessageView::Parse(message)) << attribute;
  }
}

TEST(StunMessageTurn, SurvivesEveryTruncation) {
  const auto message = Allocate();
  for (size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(StunMessageView::Parse(ByteView(message).first(length))) << length;
    // And with a length field that fits what is left.
    auto cut = std::vector<uint8_t>(message.begin(), message.begin() + ptrdiff_t(length));
    if (length < 20) continue;
    StoreBe16(cut.data() + 2, uint16_t(length - 20));
    (void)StunMessageView::Parse(cut);
  }
}

TEST(StunMessageTurn, NamesTheNewMethods) {
  for (const StunMethod method :
       {StunMethod::kConnect, StunMethod::kConnectionBind, StunMethod::kConnectionAttempt}) {
    std::array<uint8_t, 32> buffer;
    StunMessageWriter writer(buffer, StunClass::kIndication, method, kId);
    const auto view = StunMessageView::Parse(writer.Finish());
    ASSERT_TRUE(view);
    EXPECT_EQ(view->method(), method);
    EXPECT_EQ(view->message_class(), StunClass::kIndication);
  }
}

}  // namespace
}  // namespace linegate::wire
