#include "dataplane/wire/stun_message.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/packet_builder.h"

namespace linegate::wire {
namespace {

using test::FromHex;

/// Not an HMAC: folds key and message into 20 bytes, which is enough to see what was covered. The real one is
/// tested with the vectors of RFC 5769 in tests/conformance/stun.
class FoldingHmac final : public HmacSha1 {
 public:
  void Compute(ByteView key, ByteView first, ByteView second,
               std::span<uint8_t, kTagBytes> tag) noexcept override {
    std::fill(tag.begin(), tag.end(), uint8_t{1});
    size_t i = 0;
    for (ByteView part : {key, first, second}) {
      for (uint8_t byte : part) tag[i % kTagBytes] = uint8_t(tag[i % kTagBytes] * 31 + byte), ++i;
    }
  }
};

constexpr std::array<uint8_t, 12> kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr std::string_view kPassword = "secretsecretsecretsecret";

std::vector<uint8_t> ConnectivityCheck() {
  FoldingHmac hmac;
  std::array<uint8_t, 256> buffer;
  StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kBinding, kId);
  writer.AddText(StunAttribute::kUsername, "abcd:efghi");
  writer.AddU32(StunAttribute::kPriority, 0x6e0001ff);
  writer.AddU64(StunAttribute::kIceControlling, 0x0102030405060708);
  writer.AddFlag(StunAttribute::kUseCandidate);
  writer.AddMessageIntegrity(hmac, AsBytes(kPassword));
  writer.AddFingerprint();
  const ByteView message = writer.Finish();
  return {message.begin(), message.end()};
}

/// A header with `body` behind it.
std::vector<uint8_t> Message(const char* body) {
  auto message = FromHex("0001 0000 2112a442 0102030405060708090a0b0c");
  const auto attributes = FromHex(body);
  message.insert(message.end(), attributes.begin(), attributes.end());
  StoreBe16(message.data() + 2, uint16_t(attributes.size()));
  return message;
}

TEST(StunMessage, ParsesCapture) {
  const auto message = FromHex(R"(
    0101 0020 2112a442 0102030405060708090a0b0c   # Binding success, 32 bytes, cookie, transaction
    0020 0008 0001 3254 2b48a543                  # XOR-MAPPED-ADDRESS 10.90.1.1:4934
    8022 0002 6c67 0000                           # SOFTWARE "lg"
    0025 0000                                     # USE-CANDIDATE
    0024 0004 00000005                            # PRIORITY 5
  )");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->message_class(), StunClass::kSuccess);
  EXPECT_EQ(view->method(), StunMethod::kBinding);
  EXPECT_TRUE(std::ranges::equal(view->transaction_id(), kId));
  EXPECT_EQ(view->xor_mapped_address()->ToString(), "10.90.1.1:4934");
  EXPECT_EQ(AsText(*view->Find(StunAttribute::kSoftware)), "lg");
  EXPECT_TRUE(view->use_candidate());
  EXPECT_EQ(view->priority(), 5u);
  EXPECT_FALSE(view->has_integrity());
  EXPECT_FALSE(view->has_fingerprint());
}

TEST(StunMessage, RoundTrips) {
  const auto message = ConnectivityCheck();
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->message_class(), StunClass::kRequest);
  EXPECT_EQ(view->username(), "abcd:efghi");
  EXPECT_EQ(view->priority(), 0x6e0001ffu);
  EXPECT_EQ(view->ice_controlling(), 0x0102030405060708u);
  EXPECT_FALSE(view->ice_controlled());
  EXPECT_TRUE(view->use_candidate());
  EXPECT_TRUE(view->has_fingerprint());
  FoldingHmac hmac;
  EXPECT_TRUE(view->VerifyIntegrity(hmac, AsBytes(kPassword)));
  EXPECT_FALSE(view->VerifyIntegrity(hmac, AsBytes("wrong")));
}

TEST(StunMessage, RoundTripsEveryClassAndMethod) {
  for (uint16_t method = 0; method < 0x1000; ++method) {
    for (uint8_t c = 0; c < 4; ++c) {
      std::array<uint8_t, 20> buffer;
      StunMessageWriter writer(buffer, StunClass(c), StunMethod(method), kId);
      const auto view = StunMessageView::Parse(writer.Finish());
      ASSERT_TRUE(view);
      ASSERT_EQ(uint16_t(view->method()), method);
      ASSERT_EQ(uint8_t(view->message_class()), c);
    }
  }
}

TEST(StunMessage, RoundTripsAddressesOfBothFamilies) {
  for (const char* text : {"10.90.1.1:4934", "[fd90:1::2]:65535"}) {
    std::array<uint8_t, 64> buffer;
    StunMessageWriter writer(buffer, StunClass::kSuccess, StunMethod::kBinding, kId);
    writer.AddXorAddress(StunAttribute::kXorMappedAddress, *Endpoint::Parse(text));
    const auto view = StunMessageView::Parse(writer.Finish());
    ASSERT_TRUE(view);
    EXPECT_EQ(view->xor_mapped_address()->ToString(), text);
  }
}

TEST(StunMessage, RoundTripsErrors) {
  std::array<uint8_t, 64> buffer;
  StunMessageWriter writer(buffer, StunClass::kError, StunMethod::kBinding, kId);
  writer.AddErrorCode(420, "Unknown Attribute");
  StunUnknownAttributes unknown;
  unknown.codes = {0x7001, 0x7002};
  unknown.count = 2;
  writer.AddUnknownAttributes(unknown);
  const auto view = StunMessageView::Parse(writer.Finish());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->error_code()->code, 420);
  EXPECT_EQ(view->error_code()->reason, "Unknown Attribute");
  const auto listed = view->Find(StunAttribute::kUnknownAttributes);
  ASSERT_TRUE(listed);
  EXPECT_TRUE(std::ranges::equal(*listed, FromHex("70017002")));
}

TEST(StunMessage, RejectsLengthNotMultipleOfFour) {
  auto message = Message("");
  message.push_back(0);
  message.push_back(0);
  message[3] = 2;
  EXPECT_EQ(StunMessageView::Parse(message).error(), StunError::kBadLength);
}

TEST(StunMessage, NamesEveryDefect) {
  auto no_cookie = Message("");
  no_cookie[4] = 0;
  EXPECT_EQ(StunMessageView::Parse(no_cookie).error(), StunError::kNotStun);
  auto rtp = Message("");
  rtp[0] = 0x80;
  EXPECT_EQ(StunMessageView::Parse(rtp).error(), StunError::kNotStun);
  auto trailing = Message("00250000");
  trailing.push_back(0);
  EXPECT_EQ(StunMessageView::Parse(trailing).error(), StunError::kBadLength);
  const char* bad_attributes[] = {
      "0006 0005 61626364",  // runs over the end
      "0006 0002 61",        // (pads to a message that is not a multiple of 4: see below)
      "0024 0003 00000000",  // PRIORITY of 3 bytes
      "0025 0001 00000000",  // USE-CANDIDATE with a value
      "802a 0004 00000000",  // ICE-CONTROLLING of 4 bytes
      "0008 0004 00000000",  // MESSAGE-INTEGRITY of 4 bytes
      "0009 0002 00000000",  // ERROR-CODE without a code
  };
  for (const char* body : bad_attributes) {
    const auto view = StunMessageView::Parse(Message(body));
    ASSERT_FALSE(view) << body;
    EXPECT_TRUE(view.error() == StunError::kBadAttribute || view.error() == StunError::kBadLength) << body;
  }
}

TEST(StunMessage, RejectsUsernameOver508Bytes) {
  std::array<uint8_t, 1024> buffer;
  StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kBinding, kId);
  writer.AddText(StunAttribute::kUsername, std::string(509, 'u'));
  EXPECT_EQ(StunMessageView::Parse(writer.Finish()).error(), StunError::kBadAttribute);
}

TEST(StunMessage, RejectsWrongOrMisplacedFingerprint) {
  auto message = ConnectivityCheck();
  message.back() ^= 1;
  EXPECT_EQ(StunMessageView::Parse(message).error(), StunError::kBadFingerprint);
  EXPECT_EQ(StunMessageView::Parse(Message("8028 0004 00000000 0025 0000")).error(),
            StunError::kBadFingerprint);
}

TEST(StunMessage, IgnoresWhatStandsBehindTheIntegrity) {
  FoldingHmac hmac;
  std::array<uint8_t, 256> buffer;
  StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kBinding, kId);
  writer.AddU32(StunAttribute::kPriority, 1);
  writer.AddMessageIntegrity(hmac, AsBytes(kPassword));
  writer.AddFlag(StunAttribute::kUseCandidate);
  writer.AddBytes(StunAttribute(0x7fff), {});
  writer.AddFingerprint();
  const auto view = StunMessageView::Parse(writer.Finish());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->VerifyIntegrity(hmac, AsBytes(kPassword)));
  EXPECT_TRUE(view->priority());
  EXPECT_FALSE(view->use_candidate());
  EXPECT_EQ(view->UnknownRequired(StunUsage::kIce).count, 0u);
}

TEST(StunMessage, TheFirstOfRepeatedAttributesWins) {
  const auto message = Message("0024 0004 00000001 0024 0004 00000002");
  EXPECT_EQ(StunMessageView::Parse(message)->priority(), 1u);
}

TEST(StunMessage, ListsUnknownRequiredAttributes) {
  // 0x7001 and 0x0004 are nobody's, 0x9001 is optional, CHANNEL-NUMBER is known to TURN only.
  const auto message = Message("7001 0000 9001 0000 0004 0000 000c 0004 40000000 0024 0004 00000001");
  const auto view = StunMessageView::Parse(message);
  ASSERT_TRUE(view);
  const auto ice = view->UnknownRequired(StunUsage::kIce);
  EXPECT_EQ(ice.count, 3u);
  EXPECT_TRUE(std::ranges::equal(ice.stored(), std::array<uint16_t, 3>{0x7001, 0x0004, 0x000c}));
  const auto turn = view->UnknownRequired(StunUsage::kTurn);
  EXPECT_TRUE(std::ranges::equal(turn.stored(), std::array<uint16_t, 3>{0x7001, 0x0004, 0x0024}));
}

TEST(StunMessage, BoundsTheListOfUnknownAttributes) {
  std::string body;
  for (int i = 0; i < 100; ++i) body += "7001 0000 ";
  const auto message = Message(body.c_str());
  const auto unknown = StunMessageView::Parse(message)->UnknownRequired(StunUsage::kIce);
  EXPECT_EQ(unknown.count, 100u);
  EXPECT_EQ(unknown.stored().size(), StunUnknownAttributes::kCapacity);
}

TEST(StunMessage, RefusesMalformedXorAddresses) {
  for (const char* body : {"0020 0004 00010000", "0020 0008 0002000000000000", "0020 0008 0003000000000000",
                           "0020 000c 0001000000000000 00000000"}) {
    const auto message = Message(body);
    const auto view = StunMessageView::Parse(message);
    ASSERT_TRUE(view) << body;
    EXPECT_FALSE(view->xor_mapped_address()) << body;
  }
}

TEST(StunMessage, EveryBitFlipIsSeenByIntegrityOrFingerprint) {
  auto message = ConnectivityCheck();
  FoldingHmac hmac;
  const size_t fingerprint_bytes = 8;  // FINGERPRINT itself stands outside of both
  for (size_t bit = 0; bit < (message.size() - fingerprint_bytes) * 8; ++bit) {
    message[bit / 8] ^= uint8_t(1 << bit % 8);
    const auto view = StunMessageView::Parse(message);
    EXPECT_FALSE(view && view->VerifyIntegrity(hmac, AsBytes(kPassword))) << bit;
    message[bit / 8] ^= uint8_t(1 << bit % 8);
  }
}

TEST(StunMessage, WriterNeverWritesOverItsBuffer) {
  const size_t needed = ConnectivityCheck().size();
  for (size_t size = 0; size <= needed; ++size) {
    FoldingHmac hmac;
    std::vector<uint8_t> buffer(size);  // exactly that size, for AddressSanitizer
    StunMessageWriter writer(buffer, StunClass::kRequest, StunMethod::kBinding, kId);
    writer.AddText(StunAttribute::kUsername, "abcd:efghi");
    writer.AddU32(StunAttribute::kPriority, 0x6e0001ff);
    writer.AddU64(StunAttribute::kIceControlling, 0x0102030405060708);
    writer.AddFlag(StunAttribute::kUseCandidate);
    writer.AddMessageIntegrity(hmac, AsBytes(kPassword));
    writer.AddFingerprint();
    EXPECT_EQ(writer.Finish().empty(), size < needed) << size;
  }
}

TEST(StunMessage, SurvivesEveryTruncation) {
  const auto message = ConnectivityCheck();
  for (size_t length = 0; length < message.size(); ++length) {
    const std::vector<uint8_t> cut(message.begin(), message.begin() + std::ptrdiff_t(length));
    EXPECT_EQ(StunMessageView::Parse(cut).error(), StunError::kTruncated) << length;
    if (length < kStunHeaderBytes) continue;
    // The same with a length field that fits: a cut within an attribute must be seen.
    auto relabelled = cut;
    StoreBe16(relabelled.data() + 2, uint16_t(length - kStunHeaderBytes));
    if (const auto view = StunMessageView::Parse(relabelled)) {
      view->ForEachAttribute([](StunAttribute, ByteView) {});
      EXPECT_EQ(length % 4, 0u);
    }
  }
}

TEST(StunMessage, CrcMatchesTheCheckValue) { EXPECT_EQ(StunCrc32(AsBytes("123456789")), 0xcbf43926u); }

TEST(StunMessage, NamesAttributes) {
  EXPECT_EQ(NameOf(StunAttribute::kXorMappedAddress), "XOR-MAPPED-ADDRESS");
  EXPECT_EQ(NameOf(StunAttribute(0x7fff)), "?");
}

}  // namespace
}  // namespace linegate::wire
