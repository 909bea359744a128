#pragma once
#include <memory>
#include <span>
#include <string>

#include "dataplane/srtp/transform.h"

namespace linegate::crypto {

/// The SRTP engine on the distribution's libsrtp2, for all three profiles.
///
/// Theory of operation. libsrtp keeps rollover counters, replay windows and SRTCP counters of its own; our
/// contract (dataplane/srtp/transform.h) wants them dictated by the caller. One context is one libsrtp
/// session with one libsrtp stream per SSRC, at most kMaxStreams, the least recently used one making room for
/// a new one:
///
/// - RTP: the rollover counter of every job is set before the call (srtp_set_stream_roc). libsrtp estimates
/// by itself
///   while that counter is 0, so the context keeps the highest index of each stream and refuses (kRefused) an
///   index that libsrtp would not arrive at: one that lies kWindow or more behind the highest. The caller's
///   windows are smaller than that, so its late packets pass.
/// - RTP transmit: an index may be repeated (allow_repeat_tx); the caller's transmit window prevents that.
/// - RTP and SRTCP receive: libsrtp remembers what it decrypted. The same packet given again after success is
/// kRefused
///   here; the caller's replay window has dropped it before. A wrong tag changes nothing.
/// - SRTCP transmit: libsrtp has no setter for its index and always adds 1. A job may ask for a higher one
/// (after a
///   restart, or when one counter serves several SSRCs): the context advances by protecting an empty report
///   into a scratch buffer that is never sent, at most kMaxSrtcpStepsPerJob times; if that is not enough the
///   job is kRefused and the next ones go on from there. An index that is not higher than the last is
///   kRefused: the packet is not encrypted under another index than the caller's.
///
/// Not kept, because libsrtp does not allow it: its NSS back end allocates per packet, and the first packet
/// of a new SSRC allocates a stream.
class LibsrtpTransform final : public srtp::SrtpTransform {
 public:
  static constexpr size_t kMaxStreams = 16;
  static constexpr uint64_t kWindow = 1024;
  static constexpr uint32_t kMaxSrtcpStepsPerJob = 1024;

  LibsrtpTransform();

  Result<std::unique_ptr<srtp::CryptoContext>> CreateContext(const srtp::MasterKey& key,
                                                             srtp::Direction direction) override;
  void Protect(std::span<srtp::CryptoJob> jobs) noexcept override;
  void Unprotect(std::span<srtp::CryptoJob> jobs) noexcept override;
  std::string Describe() const override;
};

}  // namespace linegate::crypto
