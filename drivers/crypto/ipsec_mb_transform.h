#pragma once
#include <memory>
#include <span>
#include <string>

#include "dataplane/srtp/transform.h"

namespace linegate::crypto {

/// kBest: what the processor can do. The others exist so that every code path of the library can be tested.
enum class IpsecMbInstructionSet : uint8_t { kBest, kSse, kAvx, kAvx2, kAvx512 };

/// The SRTP engine on intel-ipsec-mb, for all profiles.
///
/// Theory of operation. A context holds nothing but expanded session keys, so every call is a function of
/// (context, SSRC, index, packet): there is no order to keep, no stream to remember, and an index may be asked
/// for twice. A batch is taken in bursts of at most kMaxBurst jobs, each in four steps:
///
/// 1. The keys of the whole burst are prefetched; with thousands of sessions their cache misses cost more than
///    the arithmetic.
/// 2. Every job is checked against the contract and sorted by suite. RTP and RTCP, and any mix of contexts,
///    share a burst: they differ in pointers only.
/// 3. AES-GCM (RFC 7714) runs packet by packet: one call is already as wide as the vector registers.
/// 4. AES_CM (or no cipher) with HMAC-SHA1 (RFC 3711, RFC 6188) runs as one cipher burst per key length and one hash
///    burst, which computes as many HMACs at once as a register has lanes. Protect enciphers, then authenticates; Unprotect authenticates,
///    then deciphers only what verified.
///
/// The rollover counter, which the tag covers but the packet does not carry, is written behind the packet
/// where the tag stands or will stand. Packets of more than kMaxPacketBytes are kRefused: lengths are not
/// checked by the library's burst calls, and its lanes count in 16 bits. SRTCP whose E flag is
/// not that of the suite (set, but for the NULL cipher) is kMalformed.
class IpsecMbTransform final : public srtp::SrtpTransform {
 public:
  static constexpr size_t kMaxBurst = 32;
  static constexpr uint32_t kMaxPacketBytes = 16384;

  /// Errors: no memory, the processor lacks the instructions.
  static Result<std::unique_ptr<IpsecMbTransform>> Create(
      IpsecMbInstructionSet instructions = IpsecMbInstructionSet::kBest);
  ~IpsecMbTransform() override;

  /// Contexts work with the transform that made them, and with any other of the same instruction set.
  Result<std::unique_ptr<srtp::CryptoContext>> CreateContext(const srtp::MasterKey& key,
                                                             srtp::Direction direction) override;
  void Protect(std::span<srtp::CryptoJob> jobs) noexcept override;
  void Unprotect(std::span<srtp::CryptoJob> jobs) noexcept override;
  std::string Describe() const override;

 private:
  struct Engine;
  explicit IpsecMbTransform(std::unique_ptr<Engine> engine);

  std::unique_ptr<Engine> engine_;
};

}  // namespace linegate::crypto
