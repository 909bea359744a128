#pragma once
#include "controlplane/turn/turn_crypto.h"

namespace linegate::app {

/// turn::TurnCrypto by OpenSSL.
class OpenSslTurnCrypto final : public turn::TurnCrypto {
 public:
  wire::HmacSha1& hmac_sha1() override { return sha1_; }
  wire::HmacSha256& hmac_sha256() override { return sha256_; }
  std::array<uint8_t, 16> Md5(ByteView bytes) override;
  std::array<uint8_t, 32> Sha256(ByteView bytes) override;
  std::optional<std::vector<uint8_t>> OpenAesGcm(ByteView key, ByteView nonce, ByteView associated_data,
                                                 ByteView sealed) override;

 private:
  struct Sha1 final : wire::HmacSha1 {
    void Compute(ByteView key, ByteView first, ByteView second,
                 std::span<uint8_t, kTagBytes> tag) noexcept override;
  };
  struct Sha256Hmac final : wire::HmacSha256 {
    void Compute(ByteView key, ByteView first, ByteView second,
                 std::span<uint8_t, kTagBytes> tag) noexcept override;
  };
  Sha1 sha1_;
  Sha256Hmac sha256_;
};

}  // namespace linegate::app
