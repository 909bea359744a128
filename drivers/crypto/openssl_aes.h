#pragma once
#include "dataplane/srtp/key_derivation.h"

namespace linegate::crypto {

/// AES-128 and AES-256 block encryption on OpenSSL, for key derivation. Allocates per call: not for packets.
class OpensslAes final : public srtp::AesBlockCipher {
 public:
  [[nodiscard]] bool Encrypt(ByteView key, std::span<const uint8_t, kBlockBytes> in,
                             std::span<uint8_t, kBlockBytes> out) noexcept override;
};

}  // namespace linegate::crypto
