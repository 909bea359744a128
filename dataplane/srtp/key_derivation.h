#pragma once
#include <cstdint>
#include <span>

#include "dataplane/base/result.h"
#include "dataplane/base/secret.h"
#include "dataplane/srtp/profile.h"
#include "dataplane/srtp/transform.h"

namespace linegate::srtp {

/// One AES block encryption, provided by a crypto driver. Used when keys are installed, never per packet.
class AesBlockCipher {
 public:
  static constexpr size_t kBlockBytes = 16;
  virtual ~AesBlockCipher() = default;
  /// `key`: 16 or 32 bytes. False if the cipher failed.
  [[nodiscard]] virtual bool Encrypt(ByteView key, std::span<const uint8_t, kBlockBytes> in,
                                     std::span<uint8_t, kBlockBytes> out) noexcept = 0;
};

inline constexpr size_t kMaxAuthKeyBytes = 20;

struct SessionKeySet {
  SecretBytes<kMaxKeyBytes> cipher_key;
  SecretBytes<kMaxAuthKeyBytes> auth_key;  ///< empty for AEAD
  SecretBytes<kMaxSaltBytes> salt;
};

struct SessionKeys {
  SessionKeySet rtp;
  SessionKeySet rtcp;
};

/// RFC 3711 section 4.3 with key derivation rate 0; RFC 6188 section 3 for 256-bit keys; RFC 7714 section 11
/// for AEAD. Errors: unsupported profile, key or salt of another length than the profile's, cipher failure.
Result<SessionKeys> DeriveSessionKeys(const MasterKey& master, AesBlockCipher& aes);

/// The AES-CM pseudo-random function of RFC 3711 section 4.3.3 for one label: fills `out`.
/// Pre: `salt.size() <= 14`; a shorter (AEAD) salt is padded with zeros on the right.
[[nodiscard]] bool DeriveKey(AesBlockCipher& aes, ByteView master_key, ByteView salt, uint8_t label,
                             std::span<uint8_t> out);

}  // namespace linegate::srtp
