#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/io/packet_port.h"
#include "drivers/crypto/ipsec_mb_transform.h"
#include "perf/load/call_plan.h"
#include "perf/load/latency.h"
#include "perf/load/traffic.h"

namespace linegate::load {

/// Counts what comes back and verifies a sample of it in full: frame and checksums, addresses, SSRC, sequence,
/// every byte of the payload, decrypted where it is SRTP; STUN answers by their mapped address.
class Checker {
 public:
  static constexpr uint32_t kSampleEvery = 64;

  Checker(const CallPlan& plan, const LoadOptions& options, crypto::IpsecMbTransform& transform);
  /// `round` is the index being sent now. Packets stay the caller's, sampled ones are decrypted in place.
  void Look(std::span<io::Packet> packets, uint64_t round);
  void Reset();

  uint64_t received() const { return received_; }
  uint64_t checked() const { return checked_; }
  uint64_t bad() const { return bad_; }
  /// Why packets were bad, with counts: for the operator.
  const std::map<std::string, uint64_t>& faults() const { return faults_; }
  /// Adds what was measured since the last time to `sum`.
  void TakeLatency(LatencyHistogram& sum) {
    sum.Add(latency_);
    latency_ = {};
  }

 private:
  /// What the samples of one call have shown. Index and sequence number of SRTP are followed as a receiver does, because a
  /// device that gets plain RTP counts its own: a stall may swallow half of all sequence numbers when there are few calls.
  struct Stream {
    bool begun = false;
    uint16_t offset = 0;      ///< sequence number as received minus as sent
    uint64_t newest = 0;      ///< highest index as sent
    uint64_t srtp_index = 0;  ///< of the newest packet (RFC 3711 section 3.3.1)
  };
  void CheckOne(io::Packet& packet, uint64_t round);
  /// Empty: it is as it should be.
  std::string Fault(io::Packet& packet, uint64_t round);
  std::string MediaFault(MutableByteView payload, uint32_t call, uint64_t round);
  std::string RtcpFault(MutableByteView payload, uint32_t call);
  bool Decrypt(MutableByteView& payload, srtp::PacketKind kind, uint32_t call, uint32_t ssrc, uint64_t index);

  const CallPlan& plan_;
  const LoadOptions options_;
  crypto::IpsecMbTransform& transform_;
  /// Empty: what comes back is plain. One for all calls, or one for each.
  std::vector<std::unique_ptr<srtp::CryptoContext>> contexts_;
  std::vector<Stream> streams_;  ///< by call
  uint64_t received_ = 0;
  uint64_t checked_ = 0;
  uint64_t bad_ = 0;
  std::map<std::string, uint64_t> faults_;
  LatencyHistogram latency_;
};

}  // namespace linegate::load
