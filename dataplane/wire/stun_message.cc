#include "dataplane/wire/stun_message.h"

#include <algorithm>
#include <array>

#include "dataplane/base/secret.h"
#include "dataplane/wire/stun_address.h"

namespace linegate::wire {
namespace {

constexpr uint32_t kFingerprintXor = 0x5354554e;  // RFC 8489 section 14.7
constexpr size_t kAttributeHeaderBytes = 4;
constexpr size_t kMinSha256TagBytes = 16;  // RFC 8489 section 14.6
constexpr size_t kFingerprintBytes = kAttributeHeaderBytes + 4;

constexpr size_t Padded(size_t bytes) { return (bytes + 3) & ~size_t{3}; }

/// Slicing-by-4 tables of the reflected polynomial 0xedb88320.
constexpr std::array<std::array<uint32_t, 256>, 4> MakeCrcTables() {
  std::array<std::array<uint32_t, 256>, 4> tables = {};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t t = 1; t < 4; ++t)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
  }
  return tables;
}
constexpr auto kCrcTables = MakeCrcTables();

uint32_t UpdateCrc(uint32_t crc, ByteView bytes) {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 4; p += 4, left -= 4) {
    uint32_t word;
    std::memcpy(&word, p, 4);
    crc ^= word;
    crc = kCrcTables[3][crc & 0xff] ^ kCrcTables[2][(crc >> 8) & 0xff] ^ kCrcTables[1][(crc >> 16) & 0xff] ^
          kCrcTables[0][crc >> 24];
  }
  for (; left > 0; ++p, --left) crc = (crc >> 8) ^ kCrcTables[0][(crc ^ *p) & 0xff];
  return crc;
}

constexpr uint8_t UsagesOf(uint16_t code) {
  constexpr auto kBase = uint8_t(StunUsage::kBase);
  constexpr auto kIce = uint8_t(StunUsage::kIce);
  constexpr auto kTurn = uint8_t(StunUsage::kTurn);
  constexpr auto kDiscovery = uint8_t(StunUsage::kDiscovery);
  switch (code) {
#define LG_STUN_ATTRIBUTE(symbol, attribute_code, usages, name) \
  case attribute_code:                                          \
    return usages;
#include "dataplane/wire/stun_attributes.def"
#undef LG_STUN_ATTRIBUTE
    default:
      break;
  }
  (void)kBase, (void)kIce, (void)kTurn, (void)kDiscovery;
  return 0;
}

/// Attributes of one length only; everything that an accessor reads at a fixed width is here.
bool LengthFits(uint16_t code, size_t length) {
  switch (StunAttribute(code)) {
    case StunAttribute::kMessageIntegrity:
      return length == HmacSha1::kTagBytes;
    case StunAttribute::kMessageIntegritySha256:
      return length >= kMinSha256TagBytes && length <= HmacSha256::kTagBytes && length % 4 == 0;
    case StunAttribute::kFingerprint:
    case StunAttribute::kPriority:
    case StunAttribute::kLifetime:
    case StunAttribute::kChannelNumber:
    case StunAttribute::kRequestedTransport:
    case StunAttribute::kRequestedAddressFamily:
    case StunAttribute::kAdditionalAddressFamily:
    case StunAttribute::kChangeRequest:
    case StunAttribute::kConnectionId:
      return length == 4;
    case StunAttribute::kIceControlled:
    case StunAttribute::kIceControlling:
    case StunAttribute::kReservationToken:
      return length == 8;
    case StunAttribute::kUseCandidate:
    case StunAttribute::kDontFragment:
      return length == 0;
    case StunAttribute::kEvenPort:
      return length == 1;
    case StunAttribute::kUsername:
      return length <= kMaxStunUsernameBytes;
    case StunAttribute::kUserhash:
      return length == HmacSha256::kTagBytes;
    case StunAttribute::kResponsePort:
      return length == 2 || length == 4;  // deployed clients leave out the two reserved bytes
    case StunAttribute::kErrorCode:
    case StunAttribute::kAddressErrorCode:
    case StunAttribute::kPasswordAlgorithm:
      return length >= 4;
    case StunAttribute::kUnknownAttributes:
      return length % 2 == 0;
    default:
      return true;
  }
}

/// The form of every address attribute: RFC 8489 section 14.1.
bool IsAddress(ByteView value) {
  return (value.size() == 8 && value[1] == kStunFamilyIpv4) ||
         (value.size() == 20 && value[1] == kStunFamilyIpv6);
}

}  // namespace

uint32_t StunCrc32(ByteView bytes) { return ~UpdateCrc(0xffffffff, bytes); }

std::string_view NameOf(StunAttribute attribute) {
  switch (attribute) {
#define LG_STUN_ATTRIBUTE(symbol, code, usages, name) \
  case StunAttribute::symbol:                         \
    return name;
#include "dataplane/wire/stun_attributes.def"
#undef LG_STUN_ATTRIBUTE
  }
  return "?";
}

Result<StunMessageView, StunError> StunMessageView::Parse(ByteView message) {
  if (message.size() < kStunHeaderBytes) return MakeUnexpected(StunError::kTruncated);
  if ((message[0] & 0xc0) != 0 || LoadBe32(message.data() + 4) != kStunMagicCookie) {
    return MakeUnexpected(StunError::kNotStun);
  }
  const size_t body_bytes = LoadBe16(message.data() + 2);
  if (body_bytes % 4 != 0) return MakeUnexpected(StunError::kBadLength);
  const size_t end = kStunHeaderBytes + body_bytes;
  if (end > message.size()) return MakeUnexpected(StunError::kTruncated);
  if (end < message.size() || end > 0xffff) return MakeUnexpected(StunError::kBadLength);

  StunMessageView view;
  view.message_ = message;
  for (size_t offset = kStunHeaderBytes; offset < end;) {
    // Both `end` and `offset` are multiples of 4, so the 4 header bytes are there.
    const uint16_t code = LoadBe16(message.data() + offset);
    const size_t length = LoadBe16(message.data() + offset + 2);
    if (Padded(length) > end - offset - kAttributeHeaderBytes)
      return MakeUnexpected(StunError::kBadAttribute);
    const bool is_protected = view.protected_end_ == 0;
    const bool is_sha256 = StunAttribute(code) == StunAttribute::kMessageIntegritySha256;
    if (is_protected || is_sha256 || StunAttribute(code) == StunAttribute::kFingerprint) {
      if (!LengthFits(code, length)) return MakeUnexpected(StunError::kBadAttribute);
    }
    if (is_protected && StunAttribute(code) == StunAttribute::kMessageIntegrity) {
      view.integrity_offset_ = uint16_t(offset);
      view.protected_end_ = uint16_t(offset);
    } else if (is_sha256) {
      if (view.integrity_sha256_offset_ == 0) view.integrity_sha256_offset_ = uint16_t(offset);
      if (is_protected) view.protected_end_ = uint16_t(offset);
    } else if (StunAttribute(code) == StunAttribute::kFingerprint) {
      // Section 14.7: the last attribute, a CRC over everything before it.
      const uint32_t expected = StunCrc32(message.first(offset)) ^ kFingerprintXor;
      if (offset + kFingerprintBytes != end || LoadBe32(message.data() + offset + 4) != expected) {
        return MakeUnexpected(StunError::kBadFingerprint);
      }
      view.has_fingerprint_ = true;
    }
    offset += kAttributeHeaderBytes + Padded(length);
  }
  if (view.protected_end_ == 0) view.protected_end_ = uint16_t(end);
  return view;
}

// RFC 8489 section 5: the two class bits lie at 0x0100 and 0x0010 between the method bits.
StunClass StunMessageView::message_class() const {
  const uint16_t type = LoadBe16(message_.data());
  return StunClass(((type >> 7) & 2) | ((type >> 4) & 1));
}

StunMethod StunMessageView::method() const {
  const uint16_t type = LoadBe16(message_.data());
  return StunMethod((type & 0x000f) | ((type & 0x00e0) >> 1) | ((type & 0x3e00) >> 2));
}

std::optional<ByteView> StunMessageView::Find(StunAttribute attribute) const {
  for (size_t offset = kStunHeaderBytes; offset < protected_end_;) {
    const size_t length = LoadBe16(message_.data() + offset + 2);
    if (LoadBe16(message_.data() + offset) == uint16_t(attribute)) {
      return message_.subspan(offset + kAttributeHeaderBytes, length);
    }
    offset += kAttributeHeaderBytes + Padded(length);
  }
  return std::nullopt;
}

std::optional<std::string_view> StunMessageView::FindText(StunAttribute attribute) const {
  const auto value = Find(attribute);
  return value ? std::optional(AsText(*value)) : std::nullopt;
}

std::optional<uint16_t> StunMessageView::FindU16(StunAttribute attribute) const {
  const auto value = Find(attribute);
  return value && value->size() >= 2 ? std::optional(LoadBe16(value->data())) : std::nullopt;
}

std::optional<uint32_t> StunMessageView::FindU32(StunAttribute attribute) const {
  const auto value = Find(attribute);
  return value && value->size() == 4 ? std::optional(LoadBe32(value->data())) : std::nullopt;
}

std::optional<uint64_t> StunMessageView::FindU64(StunAttribute attribute) const {
  const auto value = Find(attribute);
  return value && value->size() == 8 ? std::optional(LoadBe64(value->data())) : std::nullopt;
}

std::optional<Endpoint> StunMessageView::FindXorAddress(StunAttribute attribute) const {
  const auto value = Find(attribute);
  return value ? DecodeXorAddress(*value) : std::nullopt;
}

std::optional<Endpoint> StunMessageView::DecodeXorAddress(ByteView value) const {
  if (!IsAddress(value)) return std::nullopt;
  const auto port = uint16_t(LoadBe16(value.data() + 2) ^ (kStunMagicCookie >> 16));
  return Endpoint{XorAddress(value.subspan(4), message_.data()), port};
}

std::optional<Endpoint> StunMessageView::FindAddress(StunAttribute attribute) const {
  const auto value = Find(attribute);
  if (!value || !IsAddress(*value)) return std::nullopt;
  const uint8_t* bytes = value->data() + 4;
  return Endpoint{value->size() == 8 ? IpAddress::V4(std::span<const uint8_t, 4>(bytes, 4))
                                     : IpAddress::V6(std::span<const uint8_t, 16>(bytes, 16)),
                  LoadBe16(value->data() + 2)};
}

std::optional<StunErrorCode> StunMessageView::error_code() const {
  const auto value = Find(StunAttribute::kErrorCode);
  if (!value) return std::nullopt;
  const unsigned error_class = (*value)[2] & 7u;
  const unsigned number = (*value)[3];
  if (error_class < 3 || error_class > 6 || number > 99) return std::nullopt;
  return StunErrorCode{uint16_t(error_class * 100 + number), AsText(value->subspan(4))};
}

StunUnknownAttributes StunMessageView::UnknownRequired(StunUsage usage) const {
  StunUnknownAttributes unknown;
  const auto understood = uint8_t(uint8_t(StunUsage::kBase) | uint8_t(usage));
  ForEachAttribute([&](StunAttribute attribute, ByteView) {
    const auto code = uint16_t(attribute);
    if (code >= 0x8000 || (UsagesOf(code) & understood) != 0) return;
    if (unknown.count < StunUnknownAttributes::kCapacity) unknown.codes[unknown.count] = code;
    ++unknown.count;
  });
  return unknown;
}

// RFC 8489 section 14.5: the HMAC covers everything before the attribute, with a header whose length field
// ends at the attribute's own end.
template <typename Hmac>
bool StunMessageView::VerifyTag(Hmac& hmac, ByteView key, size_t offset) const {
  if (offset == 0) return false;
  const size_t tag_bytes = LoadBe16(message_.data() + offset + 2);
  uint8_t header[kStunHeaderBytes];
  std::memcpy(header, message_.data(), kStunHeaderBytes);
  StoreBe16(header + 2, uint16_t(offset + kAttributeHeaderBytes + tag_bytes - kStunHeaderBytes));
  std::array<uint8_t, Hmac::kTagBytes> tag;
  hmac.Compute(key, header, message_.subspan(kStunHeaderBytes, offset - kStunHeaderBytes), tag);
  return ConstantTimeEqual(ByteView(tag).first(tag_bytes),
                           message_.subspan(offset + kAttributeHeaderBytes, tag_bytes));
}

bool StunMessageView::VerifyIntegrity(HmacSha1& hmac, ByteView key) const {
  return VerifyTag(hmac, key, integrity_offset_);
}

bool StunMessageView::VerifyIntegrity(HmacSha256& hmac, ByteView key) const {
  return VerifyTag(hmac, key, integrity_sha256_offset_);
}

}  // namespace linegate::wire
