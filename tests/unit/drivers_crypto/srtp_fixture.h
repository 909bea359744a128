#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/srtp/key_derivation.h"
#include "dataplane/srtp/transform.h"
#include "drivers/crypto/openssl_aes.h"
#include "tests/support/reference_srtp.h"

namespace linegate::crypto {

/// What every engine has.
inline const srtp::Profile kProfiles[] = {
    srtp::Profile::kAes128CmHmacSha1_80, srtp::Profile::kAes128CmHmacSha1_32,
    srtp::Profile::kAes256CmHmacSha1_80, srtp::Profile::kAes256CmHmacSha1_32,
    srtp::Profile::kNullHmacSha1_80,     srtp::Profile::kNullHmacSha1_32,
    srtp::Profile::kAeadAes128Gcm,       srtp::Profile::kAeadAes256Gcm};
/// What libsrtp2 does otherwise than RFC 6188, so that only the reference can be the oracle.
inline const srtp::Profile kProfilesWithoutLibsrtp[] = {srtp::Profile::kAes192CmHmacSha1_80,
                                                        srtp::Profile::kAes192CmHmacSha1_32};

inline std::string ProfileName(const testing::TestParamInfo<srtp::Profile>& info) {
  return std::string(srtp::TraitsOf(info.param)->name);
}

inline srtp::MasterKey TestMasterKey(srtp::Profile profile, uint8_t seed = 1) {
  const auto traits = *srtp::TraitsOf(profile);
  srtp::MasterKey master;
  master.profile = profile;
  std::vector<uint8_t> bytes(traits.key_bytes + traits.salt_bytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = uint8_t(seed * 29 + i * 7);
  master.key.Assign(ByteView(bytes).first(traits.key_bytes));
  master.salt.Assign(ByteView(bytes).subspan(traits.key_bytes));
  return master;
}

/// An RTP packet with 12 bytes of header.
inline std::vector<uint8_t> RtpPacket(uint16_t sequence_number, uint32_t ssrc, size_t payload_bytes = 160) {
  std::vector<uint8_t> packet(12 + payload_bytes);
  packet[0] = 0x80;
  packet[1] = 8;
  StoreBe16(packet.data() + 2, sequence_number);
  StoreBe32(packet.data() + 4, uint32_t(sequence_number) * 160);
  StoreBe32(packet.data() + 8, ssrc);
  for (size_t i = 12; i < packet.size(); ++i) packet[i] = uint8_t(i + sequence_number);
  return packet;
}

/// A receiver report with one block.
inline std::vector<uint8_t> RtcpPacket(uint32_t ssrc, uint8_t fill = 0x5a) {
  std::vector<uint8_t> packet(32, fill);
  packet[0] = 0x81;
  packet[1] = 201;
  StoreBe16(packet.data() + 2, 7);
  StoreBe32(packet.data() + 4, ssrc);
  return packet;
}

inline test::ReferenceKeys ReferenceOf(const srtp::MasterKey& master, srtp::PacketKind kind) {
  OpensslAes aes;
  const auto keys = srtp::DeriveSessionKeys(master, aes);
  LG_FATAL(keys.has_value());
  const srtp::SessionKeySet& set = kind == srtp::PacketKind::kRtp ? keys->rtp : keys->rtcp;
  const auto copy = [](ByteView bytes) { return std::vector<uint8_t>(bytes.begin(), bytes.end()); };
  return {master.profile, copy(set.cipher_key.view()), copy(set.auth_key.view()), copy(set.salt.view())};
}

struct Outcome {
  srtp::JobStatus status;
  std::vector<uint8_t> packet;
  uint64_t index;
};

/// Runs one job over a copy of `packet` with room for the largest overhead.
class Runner {
 public:
  Runner(srtp::SrtpTransform& transform, const srtp::MasterKey& key, srtp::Direction direction)
      : transform_(transform), direction_(direction) {
    auto context = transform.CreateContext(key, direction);
    LG_FATAL(context.has_value());
    context_ = *std::move(context);
  }

  Outcome Rtp(std::vector<uint8_t> packet, uint64_t index) {
    return Run(std::move(packet), index, srtp::PacketKind::kRtp);
  }
  Outcome Rtcp(std::vector<uint8_t> packet, uint64_t index = 0) {
    return Run(std::move(packet), index, srtp::PacketKind::kRtcp);
  }

  size_t spare_bytes = srtp::kMaxOverheadBytes;

 private:
  Outcome Run(std::vector<uint8_t> packet, uint64_t index, srtp::PacketKind kind) {
    const bool rtp = kind == srtp::PacketKind::kRtp;
    srtp::CryptoJob job;
    job.context = context_.get();
    job.length = uint32_t(packet.size());
    packet.resize(packet.size() + spare_bytes);
    job.packet = packet.data();
    job.capacity = uint32_t(packet.size());
    job.header_bytes = rtp ? 12 : 8;
    job.ssrc = job.length >= (rtp ? 12 : 8) ? LoadBe32(packet.data() + (rtp ? 8 : 4)) : 0;
    job.index = index;
    job.kind = kind;
    if (direction_ == srtp::Direction::kProtect) {
      transform_.Protect({&job, 1});
    } else {
      transform_.Unprotect({&job, 1});
    }
    packet.resize(job.length);
    return {job.status, std::move(packet), job.index};
  }

  srtp::SrtpTransform& transform_;
  srtp::Direction direction_;
  std::unique_ptr<srtp::CryptoContext> context_;
};

}  // namespace linegate::crypto
