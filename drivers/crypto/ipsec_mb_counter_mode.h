#pragma once
#include <intel-ipsec-mb.h>

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/srtp/transform.h"

namespace linegate::crypto {

/// Runs the suites with HMAC-SHA1 (RFC 3711, RFC 6188, NULL cipher) over a burst of jobs: one cipher burst for each key
/// length there is, one hash burst for all. Private to the driver. Holds only scratch space, so that a call allocates nothing.
class CounterModeBurst {
 public:
  static constexpr size_t kMaxJobs = 32;

  /// Pre: at most kMaxJobs, all with a CounterModeContext, checked by the transform. Sets every status.
  void Protect(IMB_MGR& manager, std::span<srtp::CryptoJob* const> jobs) noexcept;
  void Unprotect(IMB_MGR& manager, std::span<srtp::CryptoJob* const> jobs) noexcept;

 private:
  static constexpr size_t kTagBytes = 10;
  static constexpr size_t kShortTagBytes = 4;
  /// The library writes 12 or 20 bytes of HMAC-SHA1, never 10 or 4: tags go through a buffer of our own.
  using Digest = std::array<uint8_t, IMB_SHA1_DIGEST_SIZE_IN_BYTES>;

  /// XORs the payloads with their key streams: encryption and decryption.
  [[nodiscard]] bool Cipher(IMB_MGR& manager, std::span<srtp::CryptoJob* const> jobs);
  [[nodiscard]] bool CipherOf(IMB_MGR& manager, std::span<srtp::CryptoJob* const> jobs, uint8_t key_bytes);
  /// Fills `digests_` in the order of `jobs`; overwrites the four bytes behind an RTP packet.
  [[nodiscard]] bool Hash(IMB_MGR& manager, std::span<srtp::CryptoJob* const> jobs);

  std::array<IMB_JOB, kMaxJobs> work_ = {};
  alignas(16) std::array<std::array<uint8_t, IMB_AES_BLOCK_SIZE>, kMaxJobs> ivs_ = {};
  std::array<Digest, kMaxJobs> digests_ = {};
  std::array<std::array<uint8_t, kTagBytes>, kMaxJobs> received_tags_ = {};
};

}  // namespace linegate::crypto
