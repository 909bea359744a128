#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/base/secret.h"
#include "dataplane/srtp/profile.h"

namespace linegate::srtp {

/// Longer Master Key Identifiers are not served: RFC 4568 section 6.1 allows 128 bytes, nobody is known to use more than 4.
inline constexpr size_t kMaxMkiBytes = 8;

/// Master Key Identifier (RFC 3711 section 3.1): says in each packet which master key it is under. Not secret.
struct Mki {
  uint8_t length = 0;  ///< 0: packets carry none
  uint8_t bytes[kMaxMkiBytes] = {};
  friend bool operator==(const Mki&, const Mki&) = default;
};

/// Master key and salt of one direction of one leg (RFC 3711 section 3.2.1).
struct MasterKey {
  Profile profile = Profile::kNone;
  SecretBytes<kMaxKeyBytes> key;
  SecretBytes<kMaxSaltBytes> salt;
  Mki mki;  ///< the engine does not look at it: see MkiCodec
};

enum class Direction : uint8_t { kProtect, kUnprotect };
enum class PacketKind : uint8_t { kRtp, kRtcp };

/// The engine's expanded keys of one direction. Opaque; made by SrtpTransform::CreateContext, owned by the flow slot.
class CryptoContext {
 public:
  virtual ~CryptoContext() = default;
};

enum class JobStatus : uint8_t {
  kPending,
  kDone,       ///< `length` is the new packet length
  kBadTag,     ///< authentication failed; the packet's bytes are unspecified and must be dropped
  kMalformed,  ///< too short for tag, index word or its own header
  kNoRoom,     ///< `length + overhead` exceeds `capacity`
  kRefused,    ///< the engine cannot use this SSRC or index (its own limits); nothing was sent or learned
};

/// One packet to protect or unprotect, in place.
struct CryptoJob {
  CryptoContext* context = nullptr;
  uint8_t* packet = nullptr;  ///< first byte of the RTP or RTCP header
  uint32_t length = 0;        ///< bytes; in: as received, out: as it is now
  uint32_t capacity = 0;      ///< bytes writable from `packet`
  uint32_t header_bytes =
      0;              ///< RTP: fixed header, CSRCs and extension (authenticated, not encrypted); RTCP: 8
  uint32_t ssrc = 0;  ///< RTP: SSRC; RTCP: SSRC of the first sender
  /// RTP: the 48-bit packet index (RFC 3711 section 3.3.1) chosen by the caller, who owns rollover, replay and the
  /// transmit window. RTCP protect: the 31-bit SRTCP index to use. RTCP unprotect: output, the index that stood in
  /// the packet (only meaningful with kDone).
  uint64_t index = 0;
  PacketKind kind = PacketKind::kRtp;
  JobStatus status = JobStatus::kPending;
};

/// Batch interface of an SRTP engine. Theory of operation: the caller (nodes/srtp_protect, nodes/srtp_unprotect)
/// decides the index of every packet, checks the replay window before, and stores window and index after the call;
/// the engine only runs the cipher and the authenticator. Nothing in the engine learns from a packet whose tag is
/// wrong, and the same (context, ssrc, index) gives the same result every time. Tags are compared in constant time.
/// One transform per worker; not thread-safe. Protect and Unprotect never allocate, lock, log or throw.
class SrtpTransform {
 public:
  virtual ~SrtpTransform() = default;
  /// Expands the master key. Allocates; called when keys are installed, never per packet.
  /// Errors: unsupported profile, wrong key or salt length, engine failure.
  virtual Result<std::unique_ptr<CryptoContext>> CreateContext(const MasterKey& key, Direction direction) = 0;
  /// Jobs may mix contexts, profiles and kinds; each gets a status other than kPending.
  virtual void Protect(std::span<CryptoJob> jobs) noexcept = 0;
  virtual void Unprotect(std::span<CryptoJob> jobs) noexcept = 0;
  /// "libsrtp2 2.5.0 (NSS)", "ipsec-mb 1.3 AVX512": printed at start.
  virtual std::string Describe() const = 0;
};

}  // namespace linegate::srtp
