#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/base/byte_view.h"
#include "dataplane/srtp/mki.h"
#include "dataplane/srtp/transform.h"

namespace linegate::test {

inline srtp::MasterKey MasterKeyFrom(uint8_t seed,
                                     srtp::Profile profile = srtp::Profile::kAes128CmHmacSha1_80,
                                     const srtp::Mki& mki = {}) {
  const auto traits = *srtp::TraitsOf(profile);
  std::vector<uint8_t> bytes(traits.key_bytes + traits.salt_bytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = uint8_t(seed * 31 + i * 5 + 1);
  srtp::MasterKey key;
  key.profile = profile;
  key.key.Assign(ByteView(bytes).first(traits.key_bytes));
  key.salt.Assign(ByteView(bytes).subspan(traits.key_bytes));
  key.mki = mki;
  return key;
}

/// The far end of one SRTP leg: what it sends is under `sends`, what it hears under `hears`. Packets without CSRCs and
/// extension.
class SrtpEnd {
 public:
  SrtpEnd(srtp::SrtpTransform& transform, const srtp::MasterKey& sends, const srtp::MasterKey& hears)
      : transform_(transform), sends_(sends), hears_(hears) {
    protect_ = std::move(*transform.CreateContext(sends, srtp::Direction::kProtect));
    unprotect_ = std::move(*transform.CreateContext(hears, srtp::Direction::kUnprotect));
  }
  const srtp::MasterKey& sends() const { return sends_; }
  const srtp::MasterKey& hears() const { return hears_; }

  std::vector<uint8_t> Protect(std::vector<uint8_t> rtp, uint64_t index) {
    return Send(std::move(rtp), srtp::PacketKind::kRtp, index);
  }
  std::vector<uint8_t> ProtectRtcp(std::vector<uint8_t> rtcp, uint32_t index) {
    return Send(std::move(rtcp), srtp::PacketKind::kRtcp, index);
  }
  /// Empty: wrong tag, or another MKI.
  std::vector<uint8_t> Unprotect(std::vector<uint8_t> srtp, uint64_t index) {
    return Hear(std::move(srtp), srtp::PacketKind::kRtp, index);
  }
  std::vector<uint8_t> UnprotectRtcp(std::vector<uint8_t> srtcp) {
    return Hear(std::move(srtcp), srtp::PacketKind::kRtcp, 0);
  }

 private:
  static srtp::CryptoJob JobFor(std::vector<uint8_t>& packet, srtp::PacketKind kind, uint64_t index) {
    srtp::CryptoJob job;
    job.length = uint32_t(packet.size());
    packet.resize(packet.size() + srtp::kMaxOverheadBytes + srtp::kMaxMkiBytes);
    job.packet = packet.data();
    job.capacity = uint32_t(packet.size());
    job.kind = kind;
    job.index = index;
    job.header_bytes = kind == srtp::PacketKind::kRtp ? 12 : 8;
    job.ssrc = LoadBe32(packet.data() + (kind == srtp::PacketKind::kRtp ? 8 : 4));
    return job;
  }
  std::vector<uint8_t> Send(std::vector<uint8_t> packet, srtp::PacketKind kind, uint64_t index) {
    srtp::CryptoJob job = JobFor(packet, kind, index);
    job.context = protect_.get();
    transform_.Protect({&job, 1});
    if (job.status != srtp::JobStatus::kDone) return {};
    if (sends_.mki.length != 0)
      srtp::MkiCodec(sends_.mki, sends_.profile).Insert(job.packet, job.length, kind);
    packet.resize(job.length);
    return packet;
  }
  std::vector<uint8_t> Hear(std::vector<uint8_t> packet, srtp::PacketKind kind, uint64_t index) {
    srtp::CryptoJob job = JobFor(packet, kind, index);
    job.context = unprotect_.get();
    if (hears_.mki.length != 0 &&
        !srtp::MkiCodec(hears_.mki, hears_.profile).Remove(job.packet, job.length, kind)) {
      return {};
    }
    transform_.Unprotect({&job, 1});
    if (job.status != srtp::JobStatus::kDone) return {};
    packet.resize(job.length);
    return packet;
  }

  srtp::SrtpTransform& transform_;
  srtp::MasterKey sends_, hears_;
  std::unique_ptr<srtp::CryptoContext> protect_, unprotect_;
};

}  // namespace linegate::test
