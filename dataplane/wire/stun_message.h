#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/byte_view.h"
#include "dataplane/base/net_address.h"
#include "dataplane/base/result.h"

namespace linegate::wire {

/// HMAC-SHA1 as the caller's cryptography provides it (drivers/crypto/openssl_hmac). `message` is `first`
/// followed by `second`: a received STUN header has to be hashed with another length than it carries, without
/// copying the rest.
class HmacSha1 {
 public:
  static constexpr size_t kTagBytes = 20;
  virtual ~HmacSha1() = default;
  virtual void Compute(ByteView key, ByteView first, ByteView second,
                       std::span<uint8_t, kTagBytes> tag) noexcept = 0;
};

/// HMAC-SHA256, likewise.
class HmacSha256 {
 public:
  static constexpr size_t kTagBytes = 32;
  virtual ~HmacSha256() = default;
  virtual void Compute(ByteView key, ByteView first, ByteView second,
                       std::span<uint8_t, kTagBytes> tag) noexcept = 0;
};

inline constexpr size_t kStunHeaderBytes = 20;
inline constexpr size_t kStunTransactionIdBytes = 12;
inline constexpr uint32_t kStunMagicCookie = 0x2112a442;
/// RFC 8489 section 14.3: USERNAME is at most 508 bytes.
inline constexpr size_t kMaxStunUsernameBytes = 508;

enum class StunClass : uint8_t { kRequest = 0, kIndication = 1, kSuccess = 2, kError = 3 };
enum class StunMethod : uint16_t {
  kBinding = 0x001,
  kAllocate = 0x003,
  kRefresh = 0x004,
  kSend = 0x006,
  kData = 0x007,
  kCreatePermission = 0x008,
  kChannelBind = 0x009,
  kConnect = 0x00a,            // RFC 6062 section 6.1
  kConnectionBind = 0x00b,     // RFC 6062
  kConnectionAttempt = 0x00c,  // RFC 6062
};

/// Who reads the message: decides which comprehension-required attributes count as known.
enum class StunUsage : uint8_t { kBase = 1, kIce = 2, kTurn = 4, kDiscovery = 8 };

enum class StunAttribute : uint16_t {
#define LG_STUN_ATTRIBUTE(symbol, code, usages, name) symbol = code,
#include "dataplane/wire/stun_attributes.def"
#undef LG_STUN_ATTRIBUTE
};
/// "PRIORITY"; "?" for a code that is not in stun_attributes.def.
std::string_view NameOf(StunAttribute attribute);

enum class StunError : uint8_t {
  kTruncated,       ///< shorter than 20 bytes or than its length field says
  kNotStun,         ///< first two bits set, or no magic cookie (RFC 3489 clients are not served)
  kBadLength,       ///< length not a multiple of 4, or bytes behind the message
  kBadAttribute,    ///< an attribute runs over the end, or a fixed-length one has another length
  kBadFingerprint,  ///< FINGERPRINT present and wrong, or not the last attribute
};

/// Comprehension-required attributes that we do not know, for a 420 response. The first 8; `count` goes on
/// counting.
struct StunUnknownAttributes {
  static constexpr size_t kCapacity = 8;
  std::array<uint16_t, kCapacity> codes = {};
  size_t count = 0;
  std::span<const uint16_t> stored() const { return {codes.data(), count < kCapacity ? count : kCapacity}; }
};

/// REQUESTED-ADDRESS-FAMILY and its kin (RFC 8656 section 18.6), and the addresses of RFC 8489.
inline constexpr uint8_t kStunFamilyIpv4 = 1;
inline constexpr uint8_t kStunFamilyIpv6 = 2;

struct StunErrorCode {
  uint16_t code = 0;  ///< 300 to 699
  std::string_view reason;
};

// RFC 8489 section 5
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +---+---------------------------+-------------------------------+
// |0 0|     class and method      |   length without this header  |
// +---+---------------------------+-------------------------------+
// |                  magic cookie 0x2112a442                      |
// +---------------------------------------------------------------+
// |                  transaction ID (12 bytes)                    |
// +---------------------------------------------------------------+
// | attributes: type (2), length (2), value, padding to 4 ...     |
/// A view of a well-formed STUN message; valid as long as its bytes are. Theory of operation: Parse walks all
/// attributes once, so that every accessor may walk them again without checks. Attributes behind the first
/// MESSAGE-INTEGRITY (or MESSAGE-INTEGRITY-SHA256) are not protected and are never returned (RFC 8489
/// section 14.5; only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT count there). Of repeated attributes the first wins (section 14). Until
/// VerifyIntegrity said yes, everything here is a stranger's claim.
class StunMessageView {
 public:
  static Result<StunMessageView, StunError> Parse(ByteView message);

  StunClass message_class() const;
  StunMethod method() const;
  std::span<const uint8_t, kStunTransactionIdBytes> transaction_id() const {
    return std::span<const uint8_t, kStunTransactionIdBytes>(message_.data() + 8, kStunTransactionIdBytes);
  }
  ByteView bytes() const { return message_; }

  /// The value of the first such attribute in the protected part.
  std::optional<ByteView> Find(StunAttribute attribute) const;
  bool Has(StunAttribute attribute) const { return Find(attribute).has_value(); }
  /// Calls `visit(StunAttribute, ByteView value)` for each attribute in the protected part, in order.
  template <typename Visit>
  void ForEachAttribute(Visit&& visit) const {
    for (size_t offset = kStunHeaderBytes; offset < protected_end_;) {
      const size_t length = LoadBe16(message_.data() + offset + 2);
      visit(StunAttribute(LoadBe16(message_.data() + offset)), message_.subspan(offset + 4, length));
      offset += 4 + ((length + 3) & ~size_t{3});
    }
  }

  std::optional<std::string_view> username() const { return FindText(StunAttribute::kUsername); }
  std::optional<std::string_view> realm() const { return FindText(StunAttribute::kRealm); }
  std::optional<std::string_view> nonce() const { return FindText(StunAttribute::kNonce); }
  std::optional<uint32_t> priority() const { return FindU32(StunAttribute::kPriority); }
  bool use_candidate() const { return Has(StunAttribute::kUseCandidate); }
  std::optional<uint64_t> ice_controlled() const { return FindU64(StunAttribute::kIceControlled); }
  std::optional<uint64_t> ice_controlling() const { return FindU64(StunAttribute::kIceControlling); }
  std::optional<Endpoint> xor_mapped_address() const {
    return FindXorAddress(StunAttribute::kXorMappedAddress);
  }
  /// Decodes XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS or XOR-RELAYED-ADDRESS; nullopt if absent or malformed.
  std::optional<Endpoint> FindXorAddress(StunAttribute attribute) const;
  /// The same for the value of such an attribute, as ForEachAttribute hands it out.
  std::optional<Endpoint> DecodeXorAddress(ByteView value) const;
  /// Decodes MAPPED-ADDRESS, RESPONSE-ORIGIN or OTHER-ADDRESS; nullopt if absent or malformed.
  std::optional<Endpoint> FindAddress(StunAttribute attribute) const;
  /// The first 16 bits of the value: CHANNEL-NUMBER, RESPONSE-PORT.
  std::optional<uint16_t> FindU16(StunAttribute attribute) const;
  std::optional<uint32_t> FindU32(StunAttribute attribute) const;
  std::optional<uint64_t> FindU64(StunAttribute attribute) const;
  std::optional<StunErrorCode> error_code() const;

  /// Comprehension-required attributes outside of kBase and `usage`.
  StunUnknownAttributes UnknownRequired(StunUsage usage) const;

  bool has_integrity() const { return integrity_offset_ != 0; }
  bool has_integrity_sha256() const { return integrity_sha256_offset_ != 0; }
  bool has_fingerprint() const { return has_fingerprint_; }
  /// True if MESSAGE-INTEGRITY is present and right for `key` (short-term: the password; long-term: MD5 of
  /// "user:realm:password"). The tags are compared in constant time.
  [[nodiscard]] bool VerifyIntegrity(HmacSha1& hmac, ByteView key) const;
  /// The same for MESSAGE-INTEGRITY-SHA256, whose tag may be cut to 16 bytes (RFC 8489 section 14.6).
  [[nodiscard]] bool VerifyIntegrity(HmacSha256& hmac, ByteView key) const;

 private:
  StunMessageView() = default;
  template <typename Hmac>
  bool VerifyTag(Hmac& hmac, ByteView key, size_t offset) const;
  std::optional<std::string_view> FindText(StunAttribute attribute) const;
  ByteView message_;
  uint16_t protected_end_ = 0;            ///< offset behind the last attribute that accessors may return
  uint16_t integrity_offset_ = 0;         ///< of MESSAGE-INTEGRITY's header; 0: absent
  uint16_t integrity_sha256_offset_ = 0;  ///< of MESSAGE-INTEGRITY-SHA256's header; 0: absent
  bool has_fingerprint_ = false;
};

/// Writes one message into the caller's buffer; never allocates. An attribute that does not fit makes the
/// message unusable: Finish then returns an empty view.
class StunMessageWriter {
 public:
  StunMessageWriter(MutableByteView buffer, StunClass message_class, StunMethod method,
                    std::span<const uint8_t, kStunTransactionIdBytes> transaction_id);

  void AddBytes(StunAttribute attribute, ByteView value);
  void AddText(StunAttribute attribute, std::string_view value) { AddBytes(attribute, AsBytes(value)); }
  void AddU32(StunAttribute attribute, uint32_t value);
  void AddU64(StunAttribute attribute, uint64_t value);
  void AddFlag(StunAttribute attribute) { AddBytes(attribute, {}); }
  void AddXorAddress(StunAttribute attribute, const Endpoint& endpoint);
  void AddAddress(StunAttribute attribute, const Endpoint& endpoint);
  /// `code` 300 to 699; `reason` at most 127 characters (RFC 8489 section 14.8).
  void AddErrorCode(uint16_t code, std::string_view reason);
  /// ADDRESS-ERROR-CODE of a dual allocation: why there is no relayed address of `family`.
  void AddAddressErrorCode(IpFamily family, uint16_t code, std::string_view reason);
  void AddUnknownAttributes(const StunUnknownAttributes& unknown);
  /// After every protected attribute.
  void AddMessageIntegrity(HmacSha1& hmac, ByteView key);
  void AddMessageIntegritySha256(HmacSha256& hmac, ByteView key);
  /// The last one.
  void AddFingerprint();
  /// The complete message, or empty if something did not fit.
  [[nodiscard]] ByteView Finish();

 private:
  /// Room for an attribute of `length` bytes with its header and zeroed padding; nullptr if it does not fit.
  uint8_t* Append(StunAttribute attribute, size_t length);
  void StoreLength();
  template <typename Hmac>
  void AddTag(StunAttribute attribute, Hmac& hmac, ByteView key);
  void AddCode(StunAttribute attribute, uint8_t first_byte, uint16_t code, std::string_view reason);
  void AddAddressBytes(StunAttribute attribute, const Endpoint& endpoint, const IpAddress& written,
                       uint16_t written_port);
  MutableByteView buffer_;
  size_t size_ = 0;
  bool failed_ = false;
};

/// CRC-32 of RFC 8489 section 14.7 (ITU-T V.42), before the XOR with 0x5354554e.
uint32_t StunCrc32(ByteView bytes);

}  // namespace linegate::wire
