#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/io/packet_port.h"
#include "dataplane/wire/checksum.h"
#include "drivers/crypto/ipsec_mb_transform.h"
#include "drivers/crypto/openssl_hmac_sha1.h"
#include "drivers/net/dpdk_port.h"
#include "perf/load/call_plan.h"
#include "perf/load/device_link.h"

namespace linegate::load {

/// Bytes of an RTP payload that say what it is; the rest is a fixed pattern.
struct Stamp {
  uint64_t sent_tsc = 0;
  uint64_t index = 0;
  uint32_t call = 0;
};
inline constexpr size_t kStampBytes = 20;

/// One key for all flows of the generator; SSRCs differ, so no keystream is used twice.
srtp::MasterKey GeneratorKey(srtp::Profile profile);

/// Makes the frames of a suite.
///
/// Theory of operation. Calls are visited in one random order, again and again; the round is the RTP packet index of
/// every call, so that rollover and replay windows are live and no packet is ever sent twice. Frames begin as a
/// template (headers, and the checksum's sum over them); SRTP is encrypted a burst at a time, by one context whose
/// keys stay in the first-level cache.
class Traffic {
 public:
  /// `device`: nullptr where no leg needs connectivity checks.
  Traffic(const CallPlan& plan, const LoadOptions& options, const DeviceLink* device,
          crypto::IpsecMbTransform& transform);

  uint16_t media_port() const { return plan_.port_of(CallPlan::Side::kFirst); }
  /// The next burst for the media port: fills `out` until it is full or buffers run out.
  size_t MakeBurst(drivers::DpdkPort& port, std::span<io::Packet> out);
  /// A connectivity check that nominates its path, from `side` of `call`, for the browsers' port.
  bool MakeCheck(drivers::DpdkPort& port, uint32_t call, CallPlan::Side side, io::Packet& out);
  /// True once for every `check_every` packets made.
  bool CheckIsDue();
  /// The last `count` packets of the burst just made never left: their indices are used for the next ones. (A receiver of one
  /// call would miss half of all sequence numbers in a stall of milliseconds, and rightly refuse the rest.)
  void TakeBack(size_t count);
  uint32_t current_call() const { return order_[position_]; }
  /// The index of the round that is being sent.
  uint64_t round() const { return round_; }

 private:
  struct alignas(64) Template {
    std::array<uint8_t, 42> headers;
    uint8_t reserved[2];
    uint32_t ssrc;
    wire::ChecksumAccumulator sum;  ///< pseudo header and UDP header
  };
  void MakeTemplates();
  void PrepareMedia(io::Packet& packet, uint32_t call, uint64_t index) const;
  void PrepareRtcp(io::Packet& packet, uint32_t call);
  void PrepareBinding(io::Packet& packet, uint32_t call);
  void FinishMedia(io::Packet& packet, uint32_t call) const;
  void FinishSlow(io::Packet& packet, uint8_t* payload, size_t bytes, uint32_t call,
                  uint16_t component) const;

  const CallPlan& plan_;
  const LoadOptions options_;
  const DeviceLink* const device_;
  crypto::IpsecMbTransform& transform_;
  crypto::OpensslHmacSha1 hmac_;
  std::unique_ptr<srtp::CryptoContext> context_;
  std::vector<Template> templates_;
  std::vector<uint32_t> order_;
  std::array<uint8_t, 1500> pattern_;
  size_t media_bytes_ = 0;    ///< UDP payload of a media frame
  size_t channel_bytes_ = 0;  ///< of it, ChannelData header
  size_t position_ = 0;
  uint64_t round_ = 1;
  uint64_t made_ = 0;
  uint64_t next_rtcp_ = 0;
  uint64_t next_check_ = 0;
  uint32_t srtcp_index_ = 0;
  uint64_t transaction_ = 0;
};

/// The pattern behind the stamp.
constexpr uint8_t PatternByte(size_t position) { return uint8_t(position * 29 + 7); }

}  // namespace linegate::load
