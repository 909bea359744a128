#pragma once
#include <cstddef>
#include <cstdint>

#include "dataplane/srtp/profile.h"
#include "dataplane/srtp/transform.h"

namespace linegate::srtp {

/// Puts the MKI of one key into protected packets and takes it out again (RFC 3711 section 3.1). No engine knows of it:
/// it is neither encrypted nor authenticated.
///
///   HMAC suites    RTP   header | payload | MKI | tag          RTCP  header | payload | E, index | MKI | tag
///   AEAD suites    RTP   header | ciphertext with tag | MKI    RTCP  header | ciphertext with tag | E, index | MKI
///
/// (RFC 7714 sections 8.2 and 9.2: an AEAD suite's tag is the end of the ciphertext, and there is no other.)
class MkiCodec {
 public:
  /// Without effect: no MKI.
  MkiCodec() = default;
  /// Pre: `profile` is one of TraitsOf's.
  MkiCodec(const Mki& mki, Profile profile);

  explicit operator bool() const { return mki_.length != 0; }
  const Mki& mki() const { return mki_; }
  uint32_t bytes() const { return mki_.length; }

  /// `length`: of the protected packet, then of the one with MKI. Pre: bytes() more can be written behind the packet.
  void Insert(uint8_t* packet, uint32_t& length, PacketKind kind) const;
  /// False: another MKI, or too short for one; nothing has changed then.
  [[nodiscard]] bool Remove(uint8_t* packet, uint32_t& length, PacketKind kind) const;

 private:
  uint32_t TagBehind(PacketKind kind) const { return kind == PacketKind::kRtp ? rtp_tag_ : rtcp_tag_; }

  Mki mki_;
  uint8_t rtp_tag_ = 0;  ///< bytes behind the MKI
  uint8_t rtcp_tag_ = 0;
};

}  // namespace linegate::srtp
