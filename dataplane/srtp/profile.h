#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace linegate::srtp {

/// SRTP protection profiles, numbered as in the IANA registry "DTLS-SRTP Protection Profiles" (RFC 5764 section 4.1.2,
/// RFC 7714 section 14.2). kNone: plain RTP. The registry has no numbers for RFC 6188's suites, which only SDES negotiates
/// (RFC 4568); theirs are ours, 0xff00 and up, and never stand on a wire.
enum class Profile : uint16_t {
  kNone = 0x0000,
  kAes128CmHmacSha1_80 = 0x0001,
  kAes128CmHmacSha1_32 = 0x0002,
  kNullHmacSha1_80 = 0x0005,
  kNullHmacSha1_32 = 0x0006,
  kAeadAes128Gcm = 0x0007,
  kAeadAes256Gcm = 0x0008,
  kAes192CmHmacSha1_80 = 0xff00,
  kAes192CmHmacSha1_32 = 0xff01,
  kAes256CmHmacSha1_80 = 0xff02,
  kAes256CmHmacSha1_32 = 0xff03,
};

struct ProfileTraits {
  std::string_view name;  ///< as in RFC 5764, RFC 7714, RFC 6188
  size_t key_bytes;       ///< master key = session encryption key length
  size_t salt_bytes;      ///< master salt
  size_t auth_key_bytes;  ///< session authentication key; 0 for AEAD
  size_t rtp_tag_bytes;
  size_t rtcp_tag_bytes;
  bool aead;
  /// False: authenticated only. The E flag of SRTCP is then clear (RFC 3711 section 3.4).
  bool encrypts = true;
};

inline constexpr size_t kMaxKeyBytes = 32;
inline constexpr size_t kMaxSaltBytes = 14;
/// Largest growth of a packet by protection: SRTCP with a 16-byte tag and the 4-byte index word.
/// An MKI comes on top (MkiCodec).
inline constexpr size_t kMaxOverheadBytes = 20;

/// nullopt for a value that is not one of the profiles above or for kNone.
constexpr std::optional<ProfileTraits> TraitsOf(Profile profile) {
  switch (profile) {
    case Profile::kAes128CmHmacSha1_80:
      return ProfileTraits{"SRTP_AES128_CM_HMAC_SHA1_80", 16, 14, 20, 10, 10, false};
    // RFC 5764 section 4.1.2, RFC 6188 section 3: SRTCP keeps the 80-bit tag.
    case Profile::kAes128CmHmacSha1_32:
      return ProfileTraits{"SRTP_AES128_CM_HMAC_SHA1_32", 16, 14, 20, 4, 10, false};
    case Profile::kNullHmacSha1_80:
      return ProfileTraits{"SRTP_NULL_HMAC_SHA1_80", 16, 14, 20, 10, 10, false, false};
    case Profile::kNullHmacSha1_32:
      return ProfileTraits{"SRTP_NULL_HMAC_SHA1_32", 16, 14, 20, 4, 10, false, false};
    case Profile::kAes192CmHmacSha1_80:
      return ProfileTraits{"AES_192_CM_HMAC_SHA1_80", 24, 14, 20, 10, 10, false};
    case Profile::kAes192CmHmacSha1_32:
      return ProfileTraits{"AES_192_CM_HMAC_SHA1_32", 24, 14, 20, 4, 10, false};
    case Profile::kAes256CmHmacSha1_80:
      return ProfileTraits{"AES_256_CM_HMAC_SHA1_80", 32, 14, 20, 10, 10, false};
    case Profile::kAes256CmHmacSha1_32:
      return ProfileTraits{"AES_256_CM_HMAC_SHA1_32", 32, 14, 20, 4, 10, false};
    case Profile::kAeadAes128Gcm:
      return ProfileTraits{"SRTP_AEAD_AES_128_GCM", 16, 12, 0, 16, 16, true};
    case Profile::kAeadAes256Gcm:
      return ProfileTraits{"SRTP_AEAD_AES_256_GCM", 32, 12, 0, 16, 16, true};
    case Profile::kNone:
      break;
  }
  return std::nullopt;
}

}  // namespace linegate::srtp
