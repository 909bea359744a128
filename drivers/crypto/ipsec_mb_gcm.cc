#include "drivers/crypto/ipsec_mb_gcm.h"

#include <cstring>

#include "drivers/crypto/ipsec_mb_context.h"

namespace linegate::crypto {

using srtp::CryptoJob;
using srtp::JobStatus;
using srtp::PacketKind;

namespace {

constexpr uint32_t kTagBytes = 16;

/// IV and associated data of one packet.
struct Inputs {
  Inputs(const CryptoJob& job, const GcmContext& context) {
    context.SaltOf(job.kind).WriteIv(job.ssrc, job.index, iv);
    if (job.kind == PacketKind::kRtp) {
      associated = job.packet;  // RFC 7714 section 8.2: header, CSRCs and extension
      associated_bytes = job.header_bytes;
    } else {
      // Section 9.2: the header, then the index word, which stands elsewhere in the packet.
      std::memcpy(srtcp_associated, job.packet, kRtcpHeaderBytes);
      StoreBe32(srtcp_associated + kRtcpHeaderBytes, kSrtcpEncrypted | uint32_t(job.index));
      associated = srtcp_associated;
      associated_bytes = sizeof srtcp_associated;
    }
  }
  uint8_t iv[IMB_GCM_IV_DATA_LEN];
  uint8_t srtcp_associated[kRtcpHeaderBytes + kSrtcpIndexBytes];
  const uint8_t* associated;
  uint64_t associated_bytes;
};

struct Functions {
  aes_gcm_enc_dec_t encrypt;
  aes_gcm_enc_dec_t decrypt;
};

Functions FunctionsOf(const IMB_MGR& manager, srtp::Profile profile) {
  return profile == srtp::Profile::kAeadAes256Gcm ? Functions{manager.gcm256_enc, manager.gcm256_dec}
                                                  : Functions{manager.gcm128_enc, manager.gcm128_dec};
}

}  // namespace

GcmCipher::~GcmCipher() {
  Wipe(&state_, sizeof state_);
  Wipe(&rtcp_key_, sizeof rtcp_key_);
}

const gcm_key_data& GcmCipher::KeyFor(IMB_MGR& manager, PacketKind kind, const GcmContext& context) noexcept {
  if (kind == PacketKind::kRtp) [[likely]]
    return context.rtp_key();
  ExpandGcmKey(manager, context.rtcp_cipher_key(), rtcp_key_);
  return rtcp_key_;
}

void GcmCipher::Protect(IMB_MGR& manager, CryptoJob& job) noexcept {
  const auto& context = *static_cast<const GcmContext*>(job.context);
  const Inputs inputs(job, context);
  uint8_t* const payload = job.packet + ClearBytes(job);
  uint8_t* const tag = job.packet + job.length;
  FunctionsOf(manager, context.profile())
      .encrypt(&KeyFor(manager, job.kind, context), &state_, payload, payload, uint64_t(tag - payload),
               inputs.iv, inputs.associated, inputs.associated_bytes, tag, kTagBytes);
  job.length += kTagBytes;
  if (job.kind == PacketKind::kRtcp) {
    StoreBe32(job.packet + job.length, kSrtcpEncrypted | uint32_t(job.index));
    job.length += kSrtcpIndexBytes;
  }
  job.status = JobStatus::kDone;
}

void GcmCipher::Unprotect(IMB_MGR& manager, CryptoJob& job) noexcept {
  const auto& context = *static_cast<const GcmContext*>(job.context);
  const Inputs inputs(job, context);
  const uint32_t plain_bytes =
      job.length - kTagBytes - (job.kind == PacketKind::kRtcp ? kSrtcpIndexBytes : 0);
  uint8_t* const payload = job.packet + ClearBytes(job);
  const uint8_t* const received = job.packet + plain_bytes;
  uint8_t computed[kTagBytes];
  FunctionsOf(manager, context.profile())
      .decrypt(&KeyFor(manager, job.kind, context), &state_, payload, payload, uint64_t(received - payload),
               inputs.iv, inputs.associated, inputs.associated_bytes, computed, kTagBytes);
  if (!SameTag<kTagBytes>(computed, received)) {
    job.status = JobStatus::kBadTag;
    return;
  }
  job.length = plain_bytes;
  job.status = JobStatus::kDone;
}

}  // namespace linegate::crypto
