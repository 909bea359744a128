#pragma once
#include <intel-ipsec-mb.h>

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/srtp/key_derivation.h"
#include "dataplane/srtp/packet_index.h"
#include "dataplane/srtp/transform.h"
#include "drivers/crypto/context_pool.h"

namespace linegate::crypto {

/// RFC 3711 section 3.4: the word of E flag and index behind an SRTCP packet.
inline constexpr uint32_t kSrtcpIndexBytes = 4;
inline constexpr uint32_t kSrtcpEncrypted = 0x80000000;
inline constexpr uint32_t kRtcpHeaderBytes = 8;

/// Where the part of the packet that is encrypted begins. Pre: the transform has checked the job.
inline uint32_t ClearBytes(const srtp::CryptoJob& job) {
  return job.kind == srtp::PacketKind::kRtp ? job.header_bytes : kRtcpHeaderBytes;
}

/// True if two tags are equal, in time that does not depend on what they hold.
template <size_t kBytes>
inline bool SameTag(const uint8_t* a, const uint8_t* b) {
  if constexpr (kBytes == 4) return (LoadBe32(a) ^ LoadBe32(b)) == 0;
  static_assert(kBytes == 4 || (kBytes >= 8 && kBytes <= 16));
  constexpr size_t kRest = kBytes - 8;  // the two words may overlap
  return ((LoadBe64(a) ^ LoadBe64(b)) | (LoadBe64(a + kRest) ^ LoadBe64(b + kRest))) == 0;
}

/// Session keys of a suite with HMAC-SHA1 for RTP or RTCP, ready for use. The AES round keys, as many as the suite has,
/// stand right behind it.
struct alignas(16) CounterModeKeys {
  // The salt as the two words of an IV, so that an IV costs two XORs.
  uint64_t salt_high = 0;
  uint64_t salt_low = 0;
  uint8_t hmac_inner[IMB_SHA1_DIGEST_SIZE_IN_BYTES] = {};  ///< SHA-1 state behind (key XOR ipad), RFC 2104
  uint8_t hmac_outer[IMB_SHA1_DIGEST_SIZE_IN_BYTES] = {};

  const uint8_t* round_keys() const { return reinterpret_cast<const uint8_t*>(this + 1); }
  /// RFC 3711 section 4.1.1: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16).
  void WriteIv(uint32_t ssrc, uint64_t index, uint8_t* iv) const {
    StoreBe64(iv, salt_high ^ ssrc);
    StoreBe64(iv + 8, salt_low ^ index << 16);
  }
};

static_assert(sizeof(CounterModeKeys) == 64);

template <size_t kRounds>
struct CounterModeSchedule {
  CounterModeKeys keys;
  uint8_t round_keys[(kRounds + 1) * IMB_AES_BLOCK_SIZE] = {};
};

/// Session salt of an AEAD profile for RTP or RTCP.
struct GcmSalt {
  uint64_t high = 0;
  uint32_t low = 0;

  /// RFC 7714 section 8.1: 00 00, SSRC, ROC, SEQ; section 9.1: 00 00, SSRC, 00 00, SRTCP index. Both are the
  /// SSRC and the index as a 48-bit number, XORed with the salt.
  void WriteIv(uint32_t ssrc, uint64_t index, uint8_t* iv) const {
    StoreBe64(iv, high ^ (uint64_t{ssrc} << 16 | index >> 32));
    StoreBe32(iv + 8, low ^ uint32_t(index));
  }
};

/// The expanded keys of one direction. Private to the driver. The transform reads the profile and casts to
/// one of the two classes below. Both begin on a cache line, with what RTP needs first.
class IpsecMbContext : public srtp::CryptoContext {
 public:
  /// Errors: unsupported profile, wrong length of key or salt, failed derivation.
  static Result<std::unique_ptr<srtp::CryptoContext>> Create(IMB_MGR& manager, ContextPool& pool,
                                                             const srtp::MasterKey& key,
                                                             srtp::Direction direction);
  static void* operator new(size_t bytes, ContextPool& pool) { return pool.Allocate(bytes); }
  static void operator delete(void* context, ContextPool&) noexcept { ContextPool::Free(context); }
  static void operator delete(void* context) noexcept { ContextPool::Free(context); }
  srtp::Profile profile() const { return profile_; }
  srtp::Direction direction() const { return direction_; }
  bool aead() const { return cipher_ == Cipher::kGcm; }
  bool encrypts() const { return cipher_ != Cipher::kNone; }
  uint32_t TagBytes(srtp::PacketKind kind) const {
    return kind == srtp::PacketKind::kRtp ? rtp_tag_bytes_ : rtcp_tag_bytes_;
  }
  /// The flag in front of an SRTCP index.
  uint32_t srtcp_flag() const { return encrypts() ? kSrtcpEncrypted : 0; }
  uint8_t cipher_key_bytes() const { return cipher_key_bytes_; }

 protected:
  IpsecMbContext(srtp::Profile profile, srtp::Direction direction);

 private:
  enum class Cipher : uint8_t { kNone, kCounterMode, kGcm };
  srtp::Profile profile_;
  srtp::Direction direction_;
  Cipher cipher_;
  uint8_t cipher_key_bytes_;
  uint8_t rtp_tag_bytes_;
  uint8_t rtcp_tag_bytes_;
};
static_assert(sizeof(IpsecMbContext) == 16);

/// What the bursts see of a CounterModeContextOf: both schedules follow right behind this base.
class CounterModeContext : public IpsecMbContext {
 public:
  const CounterModeKeys& KeysOf(srtp::PacketKind kind) const {
    const size_t offset = kind == srtp::PacketKind::kRtp ? 0 : ScheduleBytes(cipher_key_bytes());
    return *reinterpret_cast<const CounterModeKeys*>(reinterpret_cast<const uint8_t*>(this) +
                                                     sizeof(CounterModeContext) + offset);
  }

 protected:
  using IpsecMbContext::IpsecMbContext;

 private:
  /// AES with a key of 4n bytes has n + 6 rounds (FIPS 197 section 5).
  static constexpr size_t ScheduleBytes(size_t key_bytes) {
    return sizeof(CounterModeKeys) + (key_bytes / 4 + 7) * IMB_AES_BLOCK_SIZE;
  }
};
static_assert(sizeof(CounterModeContext) == 16);

template <size_t kRounds>
class alignas(64) CounterModeContextOf final : public CounterModeContext {
 public:
  CounterModeContextOf(IMB_MGR& manager, const srtp::SessionKeys& keys, srtp::Profile profile,
                       srtp::Direction direction);
  CounterModeContextOf(const CounterModeContextOf&) = delete;
  CounterModeContextOf& operator=(const CounterModeContextOf&) = delete;
  ~CounterModeContextOf() override;

 private:
  CounterModeSchedule<kRounds> rtp_;
  CounterModeSchedule<kRounds> rtcp_;
};
// What an RTP packet of AES-128 touches lies in the first four cache lines (kContextLines in ipsec_mb_transform.cc).
static_assert(sizeof(CounterModeSchedule<10>) == 240 && sizeof(CounterModeContextOf<10>) == 512);

class alignas(64) GcmContext final : public IpsecMbContext {
 public:
  GcmContext(IMB_MGR& manager, const srtp::SessionKeys& keys, srtp::Profile profile,
             srtp::Direction direction);
  GcmContext(const GcmContext&) = delete;
  GcmContext& operator=(const GcmContext&) = delete;
  ~GcmContext() override;

  const GcmSalt& SaltOf(srtp::PacketKind kind) const {
    return kind == srtp::PacketKind::kRtp ? rtp_salt_ : rtcp_salt_;
  }
  const gcm_key_data& rtp_key() const { return rtp_key_; }
  /// As derived: expanded it takes 1,008 bytes, and a leg has a packet of RTCP for a hundred of RTP.
  ByteView rtcp_cipher_key() const { return {rtcp_cipher_key_.data(), cipher_key_bytes()}; }

 private:
  GcmSalt rtp_salt_;
  GcmSalt rtcp_salt_;
  // The library aligns its type only where LINUX is defined.
  alignas(64) gcm_key_data rtp_key_ = {};
  std::array<uint8_t, 32> rtcp_cipher_key_ = {};
};
// Salts in the first cache line, RTP's round keys from the second on.
static_assert(sizeof(gcm_key_data) == 1008 && sizeof(GcmContext) == 64 + 1024 + 64);

/// The round keys and powers of the hash key for an AEAD profile's `key` of 16 or 32 bytes.
void ExpandGcmKey(IMB_MGR& manager, ByteView key, gcm_key_data& expanded);

}  // namespace linegate::crypto
