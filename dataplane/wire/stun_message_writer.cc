#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/wire/stun_address.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::wire {
namespace {

constexpr uint32_t kFingerprintXor = 0x5354554e;  // RFC 8489 section 14.7
constexpr size_t kAttributeHeaderBytes = 4;

constexpr size_t Padded(size_t bytes) { return (bytes + 3) & ~size_t{3}; }

}  // namespace

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

void StunMessageWriter::AddAddressBytes(StunAttribute attribute, const Endpoint& endpoint,
                                        const IpAddress& written, uint16_t written_port) {
  LG_ASSERT(endpoint.address.family() != IpFamily::kNone);
  uint8_t* out = Append(attribute, 4 + written.bytes().size());
  if (out == nullptr) return;
  out[0] = 0;
  out[1] = endpoint.address.is_v4() ? kStunFamilyIpv4 : kStunFamilyIpv6;
  StoreBe16(out + 2, written_port);
  std::ranges::copy(written.bytes(), out + 4);
}

void StunMessageWriter::AddXorAddress(StunAttribute attribute, const Endpoint& endpoint) {
  if (failed_) return;  // without a header there is nothing to XOR with
  AddAddressBytes(attribute, endpoint, XorAddress(endpoint.address.bytes(), buffer_.data()),
                  uint16_t(endpoint.port ^ (kStunMagicCookie >> 16)));
}

void StunMessageWriter::AddAddress(StunAttribute attribute, const Endpoint& endpoint) {
  AddAddressBytes(attribute, endpoint, endpoint.address, endpoint.port);
}

void StunMessageWriter::AddCode(StunAttribute attribute, uint8_t first_byte, uint16_t code,
                                std::string_view reason) {
  LG_ASSERT(code >= 300 && code <= 699);
  uint8_t* out = Append(attribute, 4 + reason.size());
  if (out == nullptr) return;
  out[0] = first_byte;
  out[1] = 0;
  out[2] = uint8_t(code / 100);
  out[3] = uint8_t(code % 100);
  std::ranges::copy(AsBytes(reason), out + 4);
}

void StunMessageWriter::AddErrorCode(uint16_t code, std::string_view reason) {
  AddCode(StunAttribute::kErrorCode, 0, code, reason);
}

void StunMessageWriter::AddAddressErrorCode(IpFamily family, uint16_t code, std::string_view reason) {
  AddCode(StunAttribute::kAddressErrorCode, family == IpFamily::kIpv4 ? kStunFamilyIpv4 : kStunFamilyIpv6,
          code, reason);
}

void StunMessageWriter::AddUnknownAttributes(const StunUnknownAttributes& unknown) {
  uint8_t* out = Append(StunAttribute::kUnknownAttributes, 2 * unknown.stored().size());
  if (out == nullptr) return;
  for (uint16_t code : unknown.stored()) StoreBe16(out, code), out += 2;
}

template <typename Hmac>
void StunMessageWriter::AddTag(StunAttribute attribute, Hmac& hmac, ByteView key) {
  const size_t covered = size_;
  uint8_t* out = Append(attribute, Hmac::kTagBytes);
  if (out == nullptr) return;
  StoreLength();
  hmac.Compute(key, buffer_.first(covered), {}, std::span<uint8_t, Hmac::kTagBytes>(out, Hmac::kTagBytes));
}

void StunMessageWriter::AddMessageIntegrity(HmacSha1& hmac, ByteView key) {
  AddTag(StunAttribute::kMessageIntegrity, hmac, key);
}

void StunMessageWriter::AddMessageIntegritySha256(HmacSha256& hmac, ByteView key) {
  AddTag(StunAttribute::kMessageIntegritySha256, hmac, key);
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
