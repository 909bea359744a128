#include "drivers/crypto/ipsec_mb_transform.h"

#include <algorithm>
#include <array>

#include "drivers/crypto/ipsec_mb_context.h"
#include "drivers/crypto/ipsec_mb_counter_mode.h"
#include "drivers/crypto/ipsec_mb_gcm.h"
#include "drivers/crypto/ipsec_mb_manager.h"

namespace linegate::crypto {

using srtp::CryptoJob;
using srtp::Direction;
using srtp::JobStatus;
using srtp::PacketKind;

namespace {

constexpr uint32_t kRtpHeaderBytes = 12;
constexpr size_t kCacheLineBytes = 64;
constexpr size_t kContextLines = 4;

uint32_t OverheadOf(const CryptoJob& job, const IpsecMbContext& context) {
  return context.TagBytes(job.kind) + (job.kind == PacketKind::kRtcp ? kSrtcpIndexBytes : 0);
}

/// kPending: go ahead.
JobStatus CheckCommon(const CryptoJob& job, uint32_t overhead_present) {
  const uint32_t clear_bytes = ClearBytes(job);
  const bool rtp = job.kind == PacketKind::kRtp;
  if (clear_bytes < (rtp ? kRtpHeaderBytes : kRtcpHeaderBytes)) return JobStatus::kMalformed;
  if (job.length < uint64_t{clear_bytes} + overhead_present) return JobStatus::kMalformed;
  if (job.length > IpsecMbTransform::kMaxPacketBytes) return JobStatus::kRefused;
  if (job.index > (rtp ? srtp::kMaxPacketIndex : srtp::kMaxSrtcpIndex)) return JobStatus::kRefused;
  return JobStatus::kPending;
}

JobStatus CheckProtect(CryptoJob& job, const IpsecMbContext& context) {
  const JobStatus status = CheckCommon(job, 0);
  if (status != JobStatus::kPending) return status;
  return uint64_t{job.length} + OverheadOf(job, context) > job.capacity ? JobStatus::kNoRoom : status;
}

JobStatus CheckUnprotect(CryptoJob& job, const IpsecMbContext& context) {
  if (job.kind == PacketKind::kRtcp) job.index = 0;  // an output
  const JobStatus status = CheckCommon(job, OverheadOf(job, context));
  if (status != JobStatus::kPending || job.kind == PacketKind::kRtp) return status;
  // RFC 3711 section 3.4: index word, then tag. RFC 7714 section 9.3: the tag is part of the ciphertext before
  // the index word.
  const uint32_t behind_word = context.aead() ? 0 : context.TagBytes(job.kind);
  const uint32_t word = LoadBe32(job.packet + job.length - behind_word - kSrtcpIndexBytes);
  if ((word & kSrtcpEncrypted) != context.srtcp_flag()) return JobStatus::kMalformed;
  job.index = word & srtp::kMaxSrtcpIndex;
  return status;
}

/// The jobs of one burst that may run, by suite.
struct SortedBurst {
  std::array<CryptoJob*, IpsecMbTransform::kMaxBurst> counter_mode;
  std::array<CryptoJob*, IpsecMbTransform::kMaxBurst> gcm;
  size_t counter_mode_count = 0;
  size_t gcm_count = 0;
};

void PrefetchContexts(std::span<const CryptoJob> jobs) {
  for (const CryptoJob& job : jobs) {
    const auto* context = reinterpret_cast<const uint8_t*>(job.context);
    for (size_t line = 0; line < kContextLines; ++line) {
      __builtin_prefetch(context + line * kCacheLineBytes);
    }
  }
}

/// The powers of the hash key, highest first, stand at the end of what the profile's code uses of them; a short
/// packet needs the lowest.
void PrefetchHashKeys(const CryptoJob& job) {
  const gcm_key_data& key = static_cast<const GcmContext*>(job.context)->rtp_key();
  const auto* hash_keys = reinterpret_cast<const uint8_t*>(&key.ghash_keys);
  const size_t bytes = sizeof key.ghash_keys;
  for (size_t back = kCacheLineBytes; back <= kContextLines * kCacheLineBytes; back += kCacheLineBytes) {
    __builtin_prefetch(hash_keys + bytes - back);
  }
}

template <typename Check>
SortedBurst Sort(std::span<CryptoJob> jobs, Direction direction, Check check) {
  SortedBurst burst;
  PrefetchContexts(jobs);
  for (CryptoJob& job : jobs) {
    const auto& context = *static_cast<const IpsecMbContext*>(job.context);
    LG_ASSERT(context.direction() == direction);
    job.status = check(job, context);
    if (job.status != JobStatus::kPending) continue;
    if (context.aead()) {
      if (job.kind == PacketKind::kRtp) PrefetchHashKeys(job);
      burst.gcm[burst.gcm_count++] = &job;
    } else {
      burst.counter_mode[burst.counter_mode_count++] = &job;
    }
  }
  return burst;
}

}  // namespace

struct IpsecMbTransform::Engine {
  IpsecMbManager manager;
  ContextPool contexts;
  GcmCipher gcm;
  CounterModeBurst counter_mode;
};
static_assert(IpsecMbTransform::kMaxBurst == CounterModeBurst::kMaxJobs);

IpsecMbTransform::IpsecMbTransform(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
IpsecMbTransform::~IpsecMbTransform() = default;

Result<std::unique_ptr<IpsecMbTransform>> IpsecMbTransform::Create(IpsecMbInstructionSet instructions) {
  auto manager = MakeIpsecMbManager(instructions);
  if (!manager) return MakeUnexpected(std::move(manager).error());
  auto engine = std::make_unique<Engine>();
  engine->manager = *std::move(manager);
  return std::unique_ptr<IpsecMbTransform>(new IpsecMbTransform(std::move(engine)));
}

Result<std::unique_ptr<srtp::CryptoContext>> IpsecMbTransform::CreateContext(const srtp::MasterKey& key,
                                                                             Direction direction) {
  return IpsecMbContext::Create(*engine_->manager, engine_->contexts, key, direction);
}

void IpsecMbTransform::Protect(std::span<CryptoJob> jobs) noexcept {
  while (!jobs.empty()) {
    const size_t count = std::min(jobs.size(), kMaxBurst);
    const SortedBurst burst = Sort(jobs.first(count), Direction::kProtect, CheckProtect);
    for (size_t i = 0; i < burst.gcm_count; ++i) engine_->gcm.Protect(*engine_->manager, *burst.gcm[i]);
    if (burst.counter_mode_count > 0) {
      engine_->counter_mode.Protect(*engine_->manager,
                                    std::span(burst.counter_mode).first(burst.counter_mode_count));
    }
    jobs = jobs.subspan(count);
  }
}

void IpsecMbTransform::Unprotect(std::span<CryptoJob> jobs) noexcept {
  while (!jobs.empty()) {
    const size_t count = std::min(jobs.size(), kMaxBurst);
    const SortedBurst burst = Sort(jobs.first(count), Direction::kUnprotect, CheckUnprotect);
    for (size_t i = 0; i < burst.gcm_count; ++i) engine_->gcm.Unprotect(*engine_->manager, *burst.gcm[i]);
    if (burst.counter_mode_count > 0) {
      engine_->counter_mode.Unprotect(*engine_->manager,
                                      std::span(burst.counter_mode).first(burst.counter_mode_count));
    }
    jobs = jobs.subspan(count);
  }
}

std::string IpsecMbTransform::Describe() const {
  return std::string("ipsec-mb ") + imb_get_version_str() + " (" + InstructionSetName(*engine_->manager) +
         ")";
}

}  // namespace linegate::crypto
