#include "dataplane/srtp/mki.h"

#include <cstring>

#include "dataplane/base/check.h"

namespace linegate::srtp {

MkiCodec::MkiCodec(const Mki& mki, Profile profile) : mki_(mki) {
  const auto traits = TraitsOf(profile);
  LG_ASSERT(traits.has_value() && mki.length <= kMaxMkiBytes);
  if (!traits || traits->aead) return;
  rtp_tag_ = uint8_t(traits->rtp_tag_bytes);
  rtcp_tag_ = uint8_t(traits->rtcp_tag_bytes);
}

void MkiCodec::Insert(uint8_t* packet, uint32_t& length, PacketKind kind) const {
  const uint32_t tag = TagBehind(kind);
  LG_ASSERT(length >= tag);
  uint8_t* const place = packet + length - tag;
  std::memmove(place + mki_.length, place, tag);
  std::memcpy(place, mki_.bytes, mki_.length);
  length += mki_.length;
}

bool MkiCodec::Remove(uint8_t* packet, uint32_t& length, PacketKind kind) const {
  const uint32_t tag = TagBehind(kind);
  if (length < tag + mki_.length) return false;
  uint8_t* const place = packet + length - tag - mki_.length;
  if (std::memcmp(place, mki_.bytes, mki_.length) != 0) return false;
  std::memmove(place, place + mki_.length, tag);
  length -= mki_.length;
  return true;
}

}  // namespace linegate::srtp
