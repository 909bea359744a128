#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "dataplane/wire/stun_message.h"

namespace linegate::turn {

/// The cryptography TURN is given; this module links none.
class TurnCrypto {
 public:
  virtual ~TurnCrypto() = default;
  virtual wire::HmacSha1& hmac_sha1() = 0;
  virtual wire::HmacSha256& hmac_sha256() = 0;
  virtual std::array<uint8_t, 16> Md5(ByteView bytes) = 0;
  virtual std::array<uint8_t, 32> Sha256(ByteView bytes) = 0;
  /// AES-GCM: `sealed` is the ciphertext with its 16-byte tag behind it. nullopt: the tag is wrong, the nonce has no length
  /// that GCM takes (1 to 64 bytes here), or the key none of ours (16 bytes: AES-128, 32: AES-256).
  virtual std::optional<std::vector<uint8_t>> OpenAesGcm(ByteView key, ByteView nonce,
                                                         ByteView associated_data, ByteView sealed) = 0;
};

}  // namespace linegate::turn
