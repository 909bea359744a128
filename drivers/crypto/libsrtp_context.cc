#include "drivers/crypto/libsrtp_context.h"

#include <arpa/inet.h>

#include <algorithm>

#include "dataplane/base/byte_view.h"
#include "dataplane/srtp/packet_index.h"
#include "drivers/crypto/libsrtp_transform.h"

namespace linegate::crypto {

using srtp::CryptoJob;
using srtp::Direction;
using srtp::JobStatus;
using srtp::PacketKind;

namespace {

constexpr uint32_t kRtcpHeaderBytes = 8;
constexpr uint32_t kSrtcpIndexBytes = 4;  // E bit and index (RFC 3711 section 3.4)

JobStatus StatusOf(srtp_err_status_t status) {
  switch (status) {
    case srtp_err_status_ok:
      return JobStatus::kDone;
    case srtp_err_status_auth_fail:
    case srtp_err_status_cipher_fail:
      return JobStatus::kBadTag;  // GCM back ends report a wrong tag either way
    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
    case srtp_err_status_cant_check:
      return JobStatus::kMalformed;
    default:
      return JobStatus::kRefused;
  }
}

}  // namespace

LibsrtpContext::LibsrtpContext(const srtp::MasterKey& key, const srtp::ProfileTraits& traits,
                               Direction direction)
    : traits_(traits), profile_(key.profile), direction_(direction) {
  static_assert(std::tuple_size_v<decltype(streams_)> == LibsrtpTransform::kMaxStreams);
  std::array<uint8_t, srtp::kMaxKeyBytes + srtp::kMaxSaltBytes> both;
  const ByteView master = key.key.view();
  const ByteView salt = key.salt.view();
  std::copy(master.begin(), master.end(), both.begin());
  std::copy(salt.begin(), salt.end(), both.begin() + std::ptrdiff_t(master.size()));
  key_and_salt_.Assign(ByteView(both).first(master.size() + salt.size()));
  Wipe(both.data(), both.size());
}

LibsrtpContext::~LibsrtpContext() {
  if (session_ != nullptr) srtp_dealloc(session_);  // zeroes its keys
}

Result<std::unique_ptr<LibsrtpContext>> LibsrtpContext::Create(const srtp::MasterKey& key,
                                                               const srtp::ProfileTraits& traits,
                                                               Direction direction) {
  std::unique_ptr<LibsrtpContext> context(new LibsrtpContext(key, traits, direction));
  srtp_policy_t policy;
  context->FillPolicy(policy);
  policy.ssrc.type = ssrc_any_inbound;
  // A receiving session has a template, so that a packet of an unknown SSRC is verified before a stream is
  // made for it. A sending one adds its streams itself, because a stream made from a template cannot be given
  // a counter first.
  const srtp_err_status_t status =
      srtp_create(&context->session_, direction == Direction::kUnprotect ? &policy : nullptr);
  if (status != srtp_err_status_ok) {
    return Fail("srtp_create failed with status " + std::to_string(int(status)));
  }
  return context;
}

void LibsrtpContext::FillPolicy(srtp_policy_t& policy) const {
  policy = {};
  const auto fill = [this](srtp_crypto_policy_t& crypto) {
    switch (profile_) {
      case srtp::Profile::kAeadAes128Gcm:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&crypto);
        break;
      case srtp::Profile::kAeadAes256Gcm:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&crypto);
        break;
      case srtp::Profile::kNullHmacSha1_80:
      case srtp::Profile::kNullHmacSha1_32:
        srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&crypto);
        break;
      case srtp::Profile::kAes256CmHmacSha1_80:
      case srtp::Profile::kAes256CmHmacSha1_32:
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&crypto);
        break;
      default:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&crypto);
        break;
    }
  };
  fill(policy.rtp);
  fill(policy.rtcp);
  policy.rtp.auth_tag_len = int(traits_.rtp_tag_bytes);
  // libsrtp copies the key out of a pointer to non-const.
  policy.key = const_cast<unsigned char*>(key_and_salt_.view().data());
  policy.window_size = LibsrtpTransform::kWindow;
  policy.allow_repeat_tx = 1;
}

LibsrtpContext::Stream* LibsrtpContext::Find(uint32_t ssrc) {
  for (Stream& stream : streams_) {
    if (stream.last_use != 0 && stream.ssrc == ssrc) {
      stream.last_use = ++uses_;
      return &stream;
    }
  }
  return nullptr;
}

LibsrtpContext::Stream& LibsrtpContext::Enter(uint32_t ssrc) {
  Stream& stream = *std::ranges::min_element(streams_, {}, &Stream::last_use);
  if (stream.last_use != 0) srtp_remove_stream(session_, htonl(stream.ssrc));
  stream = Stream{.ssrc = ssrc, .last_use = ++uses_};
  return stream;
}

bool LibsrtpContext::AddStream(uint32_t ssrc) {
  srtp_policy_t policy;
  FillPolicy(policy);
  policy.ssrc = {ssrc_specific, ssrc};
  return srtp_add_stream(session_, &policy) == srtp_err_status_ok;
}

LibsrtpContext::Stream* LibsrtpContext::FindOrAdd(uint32_t ssrc) {
  if (Stream* stream = Find(ssrc)) return stream;
  return AddStream(ssrc) ? &Enter(ssrc) : nullptr;
}

void LibsrtpContext::Protect(CryptoJob& job) noexcept {
  LG_ASSERT(direction_ == Direction::kProtect);
  const bool rtp = job.kind == PacketKind::kRtp;
  const size_t overhead = rtp ? traits_.rtp_tag_bytes : traits_.rtcp_tag_bytes + kSrtcpIndexBytes;
  if (job.length < std::max(job.header_bytes, kRtcpHeaderBytes)) {
    job.status = JobStatus::kMalformed;
  } else if (job.length + overhead > job.capacity) {
    job.status = JobStatus::kNoRoom;
  } else if (Stream* stream = FindOrAdd(job.ssrc)) {
    job.status = rtp ? ProtectRtp(job, *stream) : ProtectRtcp(job, *stream);
  } else {
    job.status = JobStatus::kRefused;
  }
}

JobStatus LibsrtpContext::ProtectRtp(CryptoJob& job, Stream& stream) {
  if (stream.has_index && job.index + LibsrtpTransform::kWindow <= stream.highest_index)
    return JobStatus::kRefused;
  srtp_set_stream_roc(session_, job.ssrc, srtp::RolloverCounterOf(job.index));
  int length = int(job.length);
  const JobStatus status = StatusOf(srtp_protect(session_, job.packet, &length));
  if (status != JobStatus::kDone) return status;
  stream.highest_index = stream.has_index ? std::max(stream.highest_index, job.index) : job.index;
  stream.has_index = true;
  job.length = uint32_t(length);
  return status;
}

bool LibsrtpContext::StepSrtcpIndexTo(Stream& stream, uint32_t index) {
  for (uint32_t steps = 0; stream.srtcp_index < index; ++steps) {
    if (steps == LibsrtpTransform::kMaxSrtcpStepsPerJob) return false;
    std::array<uint8_t, kRtcpHeaderBytes + srtp::kMaxOverheadBytes> scratch = {0x80, 201, 0, 1};
    StoreBe32(scratch.data() + 4, stream.ssrc);
    int length = kRtcpHeaderBytes;
    if (srtp_protect_rtcp(session_, scratch.data(), &length) != srtp_err_status_ok) return false;
    ++stream.srtcp_index;
  }
  return true;
}

JobStatus LibsrtpContext::ProtectRtcp(CryptoJob& job, Stream& stream) {
  if (job.index > srtp::kMaxSrtcpIndex || job.index <= stream.srtcp_index) return JobStatus::kRefused;
  if (!StepSrtcpIndexTo(stream, uint32_t(job.index) - 1)) return JobStatus::kRefused;
  int length = int(job.length);
  const srtp_err_status_t status = srtp_protect_rtcp(session_, job.packet, &length);
  if (status != srtp_err_status_ok) {
    // Whether libsrtp counted is unknown, so the stream starts anew: its counter is 0 again, as ours will be.
    srtp_remove_stream(session_, htonl(stream.ssrc));
    stream = Stream{};
    return StatusOf(status);
  }
  ++stream.srtcp_index;
  job.length = uint32_t(length);
  return JobStatus::kDone;
}

void LibsrtpContext::Unprotect(CryptoJob& job) noexcept {
  LG_ASSERT(direction_ == Direction::kUnprotect);
  const bool rtp = job.kind == PacketKind::kRtp;
  const size_t overhead = rtp ? traits_.rtp_tag_bytes : traits_.rtcp_tag_bytes + kSrtcpIndexBytes;
  if (job.length < std::max(job.header_bytes, kRtcpHeaderBytes) + overhead) {
    job.status = JobStatus::kMalformed;
  } else {
    job.status = rtp ? UnprotectRtp(job) : UnprotectRtcp(job);
  }
}

JobStatus LibsrtpContext::UnprotectRtp(CryptoJob& job) {
  Stream* stream = Find(job.ssrc);
  const uint32_t rollover_counter = srtp::RolloverCounterOf(job.index);
  bool added = false;
  if (stream == nullptr && rollover_counter != 0) {
    // Only after a restart or an eviction: the caller knows this SSRC, so a stranger cannot lead here at
    // will.
    if (!AddStream(job.ssrc)) return JobStatus::kRefused;
    added = true;
  }
  if (stream != nullptr && stream->has_index &&
      job.index + LibsrtpTransform::kWindow <= stream->highest_index) {
    return JobStatus::kRefused;
  }
  if (stream != nullptr || added) srtp_set_stream_roc(session_, job.ssrc, rollover_counter);
  int length = int(job.length);
  const JobStatus status = StatusOf(srtp_unprotect(session_, job.packet, &length));
  if (status != JobStatus::kDone) {
    if (added) srtp_remove_stream(session_, htonl(job.ssrc));
    return status;
  }
  if (stream == nullptr) stream = &Enter(job.ssrc);
  stream->highest_index = stream->has_index ? std::max(stream->highest_index, job.index) : job.index;
  stream->has_index = true;
  job.length = uint32_t(length);
  return status;
}

JobStatus LibsrtpContext::UnprotectRtcp(CryptoJob& job) {
  // RFC 3711 section 3.4: index word, then tag. RFC 7714 section 9.3: the tag is part of the ciphertext
  // before it.
  const size_t behind_index = kSrtcpIndexBytes + (traits_.aead ? 0 : traits_.rtcp_tag_bytes);
  const uint32_t index = LoadBe32(job.packet + job.length - behind_index) & srtp::kMaxSrtcpIndex;
  int length = int(job.length);
  const JobStatus status = StatusOf(srtp_unprotect_rtcp(session_, job.packet, &length));
  if (status != JobStatus::kDone) return status;
  if (Find(job.ssrc) == nullptr) Enter(job.ssrc);
  job.index = index;
  job.length = uint32_t(length);
  return status;
}

}  // namespace linegate::crypto
