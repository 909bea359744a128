#include "drivers/crypto/null_transform.h"

#include <algorithm>

#include "dataplane/base/byte_view.h"
#include "dataplane/srtp/packet_index.h"

namespace linegate::crypto {
namespace {

using srtp::CryptoJob;
using srtp::JobStatus;

struct NullContext final : srtp::CryptoContext {
  uint64_t key_hash = 0;
  srtp::ProfileTraits traits;
};

constexpr uint32_t kIndexBytes = 4;

uint64_t Mix(uint64_t hash, ByteView bytes) {  // FNV-1a
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

size_t TagBytes(const NullContext& context, const CryptoJob& job) {
  return job.kind == srtp::PacketKind::kRtp ? context.traits.rtp_tag_bytes : context.traits.rtcp_tag_bytes;
}

void WriteTag(const NullContext& context, const CryptoJob& job, ByteView covered, std::span<uint8_t> tag) {
  uint8_t facts[12];
  StoreBe32(facts, job.ssrc);
  StoreBe64(facts + 4, job.index);
  uint64_t hash = Mix(Mix(context.key_hash, facts), covered);
  for (uint8_t& byte : tag) {
    byte = uint8_t(hash >> 56);
    hash = hash * 6364136223846793005 + 1442695040888963407;
  }
}

void ProtectOne(CryptoJob& job) {
  const auto& context = *static_cast<const NullContext*>(job.context);
  const bool rtcp = job.kind == srtp::PacketKind::kRtcp;
  const size_t tag_bytes = TagBytes(context, job);
  if (job.length < std::max(job.header_bytes, 8u)) {
    job.status = JobStatus::kMalformed;
    return;
  }
  if (job.length + tag_bytes + (rtcp ? kIndexBytes : 0) > job.capacity) {
    job.status = JobStatus::kNoRoom;
    return;
  }
  if (rtcp) {
    StoreBe32(job.packet + job.length, uint32_t(job.index) | 0x80000000);
    job.length += kIndexBytes;
  }
  WriteTag(context, job, {job.packet, job.length}, {job.packet + job.length, tag_bytes});
  job.length += uint32_t(tag_bytes);
  job.status = JobStatus::kDone;
}

void UnprotectOne(CryptoJob& job) {
  const auto& context = *static_cast<const NullContext*>(job.context);
  const bool rtcp = job.kind == srtp::PacketKind::kRtcp;
  const size_t tag_bytes = TagBytes(context, job);
  if (job.length < std::max(job.header_bytes, 8u) + tag_bytes + (rtcp ? kIndexBytes : 0)) {
    job.status = JobStatus::kMalformed;
    return;
  }
  const size_t covered = job.length - tag_bytes;
  if (rtcp) job.index = LoadBe32(job.packet + covered - kIndexBytes) & srtp::kMaxSrtcpIndex;
  uint8_t expected[16];
  WriteTag(context, job, {job.packet, covered}, {expected, tag_bytes});
  if (!ConstantTimeEqual({expected, tag_bytes}, {job.packet + covered, tag_bytes})) {
    job.status = JobStatus::kBadTag;
    return;
  }
  job.length = uint32_t(covered - (rtcp ? kIndexBytes : 0));
  job.status = JobStatus::kDone;
}

}  // namespace

Result<std::unique_ptr<srtp::CryptoContext>> NullTransform::CreateContext(const srtp::MasterKey& key,
                                                                          srtp::Direction) {
  const auto traits = srtp::TraitsOf(key.profile);
  if (!traits) return Fail("unsupported SRTP profile");
  if (key.key.view().size() != traits->key_bytes || key.salt.view().size() != traits->salt_bytes) {
    return Fail("wrong length of SRTP master key or salt");
  }
  auto context = std::make_unique<NullContext>();
  context->traits = *traits;
  context->key_hash = Mix(Mix(0xcbf29ce484222325, key.key.view()), key.salt.view());
  return std::unique_ptr<srtp::CryptoContext>(std::move(context));
}

void NullTransform::Protect(std::span<CryptoJob> jobs) noexcept {
  for (CryptoJob& job : jobs) ProtectOne(job);
}

void NullTransform::Unprotect(std::span<CryptoJob> jobs) noexcept {
  for (CryptoJob& job : jobs) UnprotectOne(job);
}

}  // namespace linegate::crypto
