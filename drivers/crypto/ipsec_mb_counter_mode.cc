#include "drivers/crypto/ipsec_mb_counter_mode.h"

#include <algorithm>
#include <cstring>

#include "drivers/crypto/ipsec_mb_context.h"

namespace linegate::crypto {

using srtp::CryptoJob;
using srtp::JobStatus;
using srtp::PacketKind;

namespace {

using Jobs = std::span<CryptoJob* const>;

const CounterModeContext& ContextOf(const CryptoJob& job) {
  return *static_cast<const CounterModeContext*>(job.context);
}
const CounterModeKeys& KeysOf(const CryptoJob& job) { return ContextOf(job).KeysOf(job.kind); }

bool IsRtcp(const CryptoJob& job) { return job.kind == PacketKind::kRtcp; }

void SetAll(Jobs jobs, JobStatus status) {
  for (CryptoJob* job : jobs) job->status = status;
}

}  // namespace

// While a burst runs, `length` of each job is that of the packet alone, before and behind protection: header
// and payload. An SRTCP packet's index word, then the tag, stand behind it.

bool CounterModeBurst::Cipher(IMB_MGR& manager, Jobs jobs) {
  uint32_t lengths = 0;  // bit n: there is a key of 8n bytes
  for (const CryptoJob* job : jobs) {
    const CounterModeContext& context = ContextOf(*job);
    if (context.encrypts()) lengths |= 1u << context.cipher_key_bytes() / 8;
  }
  bool good = true;
  for (const uint8_t key_bytes : {IMB_KEY_128_BYTES, IMB_KEY_192_BYTES, IMB_KEY_256_BYTES}) {
    if ((lengths & 1u << key_bytes / 8) != 0) good &= CipherOf(manager, jobs, key_bytes);
  }
  return good;
}

bool CounterModeBurst::CipherOf(IMB_MGR& manager, Jobs jobs, uint8_t key_bytes) {
  uint32_t count = 0;
  for (const CryptoJob* job : jobs) {
    const CounterModeContext& context = ContextOf(*job);
    if (context.cipher_key_bytes() != key_bytes || !context.encrypts()) continue;
    const uint32_t clear_bytes = ClearBytes(*job);
    if (job->length == clear_bytes) continue;  // no payload
    const CounterModeKeys& keys = context.KeysOf(job->kind);
    keys.WriteIv(job->ssrc, job->index, ivs_[count].data());
    IMB_JOB& work = work_[count];
    work.src = job->packet;
    work.dst = job->packet + clear_bytes;
    work.cipher_start_src_offset_in_bytes = clear_bytes;
    work.msg_len_to_cipher_in_bytes = job->length - clear_bytes;
    work.enc_keys = keys.round_keys();
    work.key_len_in_bytes = key_bytes;
    work.iv = ivs_[count].data();
    work.iv_len_in_bytes = IMB_AES_BLOCK_SIZE;
    ++count;
  }
  return count == 0 ||
         IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager, work_.data(), count, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
                                         IMB_KEY_SIZE_BYTES(key_bytes)) == count;
}

bool CounterModeBurst::Hash(IMB_MGR& manager, Jobs jobs) {
  for (size_t i = 0; i < jobs.size(); ++i) {
    const CryptoJob& job = *jobs[i];
    // RFC 3711 section 4.2: the tag covers the packet and, of SRTP, the rollover counter behind it; of SRTCP,
    // the index word, which stands there already.
    if (!IsRtcp(job)) StoreBe32(job.packet + job.length, srtp::RolloverCounterOf(job.index));
    const CounterModeKeys& keys = KeysOf(job);
    IMB_JOB& work = work_[i];
    work.src = job.packet;
    work.hash_start_src_offset_in_bytes = 0;
    work.msg_len_to_hash_in_bytes = job.length + 4;
    work.auth_tag_output = digests_[i].data();
    work.auth_tag_output_len_in_bytes = digests_[i].size();
    work.u.HMAC._hashed_auth_key_xor_ipad = keys.hmac_inner;
    work.u.HMAC._hashed_auth_key_xor_opad = keys.hmac_outer;
  }
  return IMB_SUBMIT_HASH_BURST_NOCHECK(&manager, work_.data(), uint32_t(jobs.size()), IMB_AUTH_HMAC_SHA_1) ==
         jobs.size();
}

void CounterModeBurst::Protect(IMB_MGR& manager, Jobs jobs) noexcept {
  for (CryptoJob* job : jobs) {
    if (IsRtcp(*job)) {
      StoreBe32(job->packet + job->length, ContextOf(*job).srtcp_flag() | uint32_t(job->index));
    }
  }
  if (!Cipher(manager, jobs) || !Hash(manager, jobs)) return SetAll(jobs, JobStatus::kRefused);
  for (size_t i = 0; i < jobs.size(); ++i) {
    CryptoJob& job = *jobs[i];
    if (IsRtcp(job)) job.length += kSrtcpIndexBytes;
    const uint32_t tag_bytes = ContextOf(job).TagBytes(job.kind);
    if (tag_bytes == kTagBytes) [[likely]] {
      std::memcpy(job.packet + job.length, digests_[i].data(), kTagBytes);
    } else {
      std::memcpy(job.packet + job.length, digests_[i].data(), kShortTagBytes);
    }
    job.length += tag_bytes;
    job.status = JobStatus::kDone;
  }
}

void CounterModeBurst::Unprotect(IMB_MGR& manager, Jobs jobs) noexcept {
  const auto overhead = [](const CryptoJob& job) {
    return ContextOf(job).TagBytes(job.kind) + (IsRtcp(job) ? kSrtcpIndexBytes : 0);
  };
  for (size_t i = 0; i < jobs.size(); ++i) {
    CryptoJob& job = *jobs[i];
    const bool whole = ContextOf(job).TagBytes(job.kind) == kTagBytes;
    if (whole) [[likely]] {
      std::memcpy(received_tags_[i].data(), job.packet + job.length - kTagBytes, kTagBytes);
    } else {
      std::memcpy(received_tags_[i].data(), job.packet + job.length - kShortTagBytes, kShortTagBytes);
    }
    job.length -= overhead(job);
  }
  const bool hashed = Hash(manager, jobs);
  std::array<CryptoJob*, kMaxJobs> verified;
  size_t count = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    CryptoJob& job = *jobs[i];
    const uint8_t* const digest = digests_[i].data();
    const uint8_t* const received = received_tags_[i].data();
    const bool same = ContextOf(job).TagBytes(job.kind) == kTagBytes
                          ? SameTag<kTagBytes>(digest, received)
                          : SameTag<kShortTagBytes>(digest, received);
    if (hashed && same) {
      verified[count++] = &job;
    } else {
      job.length += overhead(job);
      job.status = hashed ? JobStatus::kBadTag : JobStatus::kRefused;
    }
  }
  const auto good = Jobs(verified).first(count);
  SetAll(good, Cipher(manager, good) ? JobStatus::kDone : JobStatus::kRefused);
}

}  // namespace linegate::crypto
