#include "dataplane/wire/stun_message.h"

#include <algorithm>
#include <array>

#include "dataplane/base/secret.h"

namespace linegate::wire {
namespace {

constexpr uint32_t kFingerprintXor = 0x5354554e;  // RFC 8489 section 14.7
constexpr size_t kAttributeHeaderBytes = 4;
constexpr size_t kFingerprintBytes = kAttributeHeaderBytes + 4;
constexpr uint8_t kFamilyIpv4 = 1;  // RFC 8489 section 14.1
constexpr uint8_t kFamilyIpv6 = 2;

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
    case StunAttribute::kFingerprint:
    case StunAttribute::kPriority:
    case StunAttribute::kChangeRequest:
    case StunAttribute::kResponsePort:
    case StunAttribute::kLifetime:
    case StunAttribute::kChannelNumber:
    case StunAttribute::kRequestedTransport:
    case StunAttribute::kRequestedAddressFamily:
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
    case StunAttribute::kErrorCode:
      return length >= 4;
    case StunAttribute::kUnknownAttributes:
      return length % 2 == 0;
    default:
      return true;
  }
}

/// The key stream of the XOR addresses: magic cookie, then transaction ID (RFC 8489 section 14.2) = header
/// bytes 4..19.
IpAddress XorAddress(ByteView address, const uint8_t* header) {
  uint8_t plain[16];
  for (size_t i = 0; i < address.size(); ++i) plain[i] = uint8_t(address[i] ^ header[4 + i]);
  return address.size() == 4 ? IpAddress::V4(std::span<const uint8_t, 4>(plain, 4))
                             : IpAddress::V6(std::span<const uint8_t, 16>(plain, 16));
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
    if (is_protected || StunAttribute(code) == StunAttribute::kFingerprint) {
      if (!LengthFits(code, length)) return MakeUnexpected(StunError::kBadAttribute);
    }
    if (is_protected && StunAttribute(code) == StunAttribute::kMessageIntegrity) {
      view.integrity_offset_ = uint16_t(offset);
      view.protected_end_ = uint16_t(offset);
    } else if (is_protected && StunAttribute(code) == StunAttribute::kMessageIntegritySha256) {
      view.protected_end_ = uint16_t(offset);
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
  if (!value || value->size() < 8) return std::nullopt;
  const uint8_t family = (*value)[1];
  const size_t address_bytes = value->size() - 4;
  if (!(family == kFamilyIpv4 && address_bytes == 4) && !(family == kFamilyIpv6 && address_bytes == 16)) {
    return std::nullopt;
  }
  const auto port = uint16_t(LoadBe16(value->data() + 2) ^ (kStunMagicCookie >> 16));
  return Endpoint{XorAddress(value->subspan(4), message_.data()), port};
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
bool StunMessageView::VerifyIntegrity(HmacSha1& hmac, ByteView key) const {
  if (!has_integrity()) return false;
  uint8_t header[kStunHeaderBytes];
  std::memcpy(header, message_.data(), kStunHeaderBytes);
  const size_t attribute_bytes = kAttributeHeaderBytes + HmacSha1::kTagBytes;
  StoreBe16(header + 2, uint16_t(integrity_offset_ + attribute_bytes - kStunHeaderBytes));
  std::array<uint8_t, HmacSha1::kTagBytes> tag;
  hmac.Compute(key, header, message_.subspan(kStunHeaderBytes, integrity_offset_ - kStunHeaderBytes), tag);
  return ConstantTimeEqual(tag, message_.subspan(integrity_offset_ + kAttributeHeaderBytes, tag.size()));
}

StunMessageWriter::StunMessageWriter(MutableByteView buffer, StunClass message_class, StunMethod method,
                                     std::span<const uint8_t, kStunTransactionIdBytes> transaction_id)
    : buffer_(buffer) {
  if (buffer_.size() < kStunHeaderBytes) {
    failed_ = true;
    return;
  }
  const auto m = uint16_t(method);
  const auto c = uint16_t(message_class);
  const uint16_t type =
      uint16_t((m & 0x00f) | ((m & 0x070) << 1) | ((m & 0xf80) << 2) | ((c & 1) << 4) | ((c & 2) << 7));
  StoreBe16(buffer_.data(), type);
  StoreBe16(buffer_.data() + 2, 0);
  StoreBe32(buffer_.data() + 4, kStunMagicCookie);
  std::ranges::copy(transaction_id, buffer_.begin() + 8);
  size_ = kStunHeaderBytes;
}

uint8_t* StunMessageWriter::Append(StunAttribute attribute, size_t length) {
  const size_t bytes = kAttributeHeaderBytes + Padded(length);
  if (failed_ || length > 0xffff || bytes > buffer_.size() - size_ || size_ + bytes > 0xffff) {
    failed_ = true;
    return nullptr;
  }
  uint8_t* out = buffer_.data() + size_;
  StoreBe16(out, uint16_t(attribute));
  StoreBe16(out + 2, uint16_t(length));
  std::memset(out + kAttributeHeaderBytes + length, 0, Padded(length) - length);
  size_ += bytes;
  return out + kAttributeHeaderBytes;
}

void StunMessageWriter::StoreLength() { StoreBe16(buffer_.data() + 2, uint16_t(size_ - kStunHeaderBytes)); }

void StunMessageWriter::AddBytes(StunAttribute attribute, ByteView value) {
  if (uint8_t* out = Append(attribute, value.size())) std::ranges::copy(value, out);
}

void StunMessageWriter::AddU32(StunAttribute attribute, uint32_t value) {
  if (uint8_t* out = Append(attribute, 4)) StoreBe32(out, value);
}

void StunMessageWriter::AddU64(StunAttribute attribute, uint64_t value) {
  if (uint8_t* out = Append(attribute, 8)) StoreBe64(out, value);
}

void StunMessageWriter::AddXorAddress(StunAttribute attribute, const Endpoint& endpoint) {
  const ByteView address = endpoint.address.bytes();
  LG_ASSERT(!address.empty());
  uint8_t* out = Append(attribute, 4 + address.size());
  if (out == nullptr) return;
  out[0] = 0;
  out[1] = endpoint.address.is_v4() ? kFamilyIpv4 : kFamilyIpv6;
  StoreBe16(out + 2, uint16_t(endpoint.port ^ (kStunMagicCookie >> 16)));
  std::ranges::copy(XorAddress(address, buffer_.data()).bytes(), out + 4);
}

void StunMessageWriter::AddErrorCode(uint16_t code, std::string_view reason) {
  LG_ASSERT(code >= 300 && code <= 699);
  uint8_t* out = Append(StunAttribute::kErrorCode, 4 + reason.size());
  if (out == nullptr) return;
  StoreBe16(out, 0);
  out[2] = uint8_t(code / 100);
  out[3] = uint8_t(code % 100);
  std::ranges::copy(AsBytes(reason), out + 4);
}

void StunMessageWriter::AddUnknownAttributes(const StunUnknownAttributes& unknown) {
  uint8_t* out = Append(StunAttribute::kUnknownAttributes, 2 * unknown.stored().size());
  if (out == nullptr) return;
  for (uint16_t code : unknown.stored()) StoreBe16(out, code), out += 2;
}

void StunMessageWriter::AddMessageIntegrity(HmacSha1& hmac, ByteView key) {
  const size_t covered = size_;
  uint8_t* out = Append(StunAttribute::kMessageIntegrity, HmacSha1::kTagBytes);
  if (out == nullptr) return;
  StoreLength();
  hmac.Compute(key, buffer_.first(covered), {},
               std::span<uint8_t, HmacSha1::kTagBytes>(out, HmacSha1::kTagBytes));
}

void StunMessageWriter::AddFingerprint() {
  const size_t covered = size_;
  uint8_t* out = Append(StunAttribute::kFingerprint, 4);
  if (out == nullptr) return;
  StoreLength();
  StoreBe32(out, StunCrc32(buffer_.first(covered)) ^ kFingerprintXor);
}

ByteView StunMessageWriter::Finish() {
  if (failed_) return {};
  StoreLength();
  return buffer_.first(size_);
}

}  // namespace linegate::wire
