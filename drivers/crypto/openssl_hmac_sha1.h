#pragma once
#include "dataplane/wire/stun_message.h"

namespace linegate::crypto {

/// HMAC-SHA1 (RFC 2104) for STUN's MESSAGE-INTEGRITY on OpenSSL's SHA-1. Never allocates and keeps nothing of
/// the key. The low-level SHA-1 functions are used on purpose: EVP_MAC allocates at every change of key, and
/// each ICE leg has another key.
class OpensslHmacSha1 final : public wire::HmacSha1 {
 public:
  void Compute(ByteView key, ByteView first, ByteView second,
               std::span<uint8_t, kTagBytes> tag) noexcept override;
};

}  // namespace linegate::crypto
