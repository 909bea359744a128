#pragma once
#include "dataplane/abi/types.h"

namespace linegate::abi {

enum class SideKind : uint8_t { kNone = 0, kWebRtc = 1, kRtp = 2 };
/// kEcho and kTone: the flow points at itself (design D12): decrypt, own SSRC, sequence and timestamp, encrypt.
enum class FlowService : uint8_t { kRelay = 0, kEcho = 1, kTone = 2 };

inline constexpr uint32_t kUfragMax = 32;
inline constexpr uint32_t kPwdMax = 64;
inline constexpr uint32_t kLocalPwdLength = 24;
inline constexpr uint32_t kLocalUfragLength = 14;
inline constexpr uint32_t kMaxPayloadTypes = 16;

/// One set of ICE credentials (RFC 8839 section 5.4). A leg holds two: the current one and, during an ICE restart, the
/// one before. The remote pair is only needed for our own Binding requests; empty when unknown or too long.
struct IceCredentials {
  char local_ufrag[kLocalUfragLength] = {};  ///< all zero: set not in use
  char local_pwd[kLocalPwdLength] = {};
  char remote_ufrag[kUfragMax] = {};
  char remote_pwd[kPwdMax] = {};
  uint8_t remote_ufrag_length = 0;
  uint8_t remote_pwd_length = 0;
};
static_assert(sizeof(IceCredentials) == 136);

/// What arrives: packets of one leg.
struct Ingress {
  SideKind kind = SideKind::kNone;
  uint8_t latch =
      0;  ///< kRtp: 1 = learn the source from the first valid packet instead of expecting the SDP's
  uint8_t rtcp_mux = 0;  ///< kRtp: RTCP arrives on the RTP port; kWebRtc: always 1
  uint8_t srtp =
      0;  ///< kRtp: 1 = packets are SRTP and SRTCP under the leg's keys (SDES); kWebRtc: they are anyway
  /// kWebRtc: the shared port's IPv4 and IPv6 address (either may be absent). kRtp: our RTP and RTCP address.
  SocketAddress local[2];
  /// kRtp: where RTP and RTCP must come from (SDP c=/m=, a=rtcp). Port or address absent: nothing is accepted.
  SocketAddress expected[2];
  IceCredentials ice[2];  ///< kWebRtc: [0] current, [1] previous
};
static_assert(sizeof(Ingress) == 356);

/// What is sent: towards one leg.
struct Egress {
  SideKind kind = SideKind::kNone;
  uint8_t rtcp_mux = 0;
  uint8_t dscp = 0;
  uint8_t srtp = 0;  ///< kRtp: 1 = sent as SRTP and SRTCP (SDES); kWebRtc: they are anyway
  /// kRtp: our RTP and RTCP source address. kWebRtc: absent; source and destination follow the leg's selected path,
  /// which the opposite flow (`reverse`) reports.
  SocketAddress local[2];
  SocketAddress remote[2];  ///< kRtp: RTP and RTCP destination; absent: nothing is sent
  NextHop next_hop;         ///< kRtp; for kWebRtc the path's own
};
static_assert(sizeof(Egress) == 96);

/// Whether what arrives, or leaves, is under keys.
inline bool IsEncrypted(const Ingress& side) { return side.kind == SideKind::kWebRtc || side.srtp != 0; }
inline bool IsEncrypted(const Egress& side) { return side.kind == SideKind::kWebRtc || side.srtp != 0; }

struct PayloadMapping {
  uint8_t from = 0;  ///< RTP payload type as received
  uint8_t to = 0;    ///< as sent
};

/// One direction of a call, whole: programming it again replaces everything here and keeps the running state (SRTP
/// indices, sequence numbers, selected path). Keys come separately.
struct FlowConfig {
  FlowService service = FlowService::kRelay;
  uint8_t send_rtp =
      0;  ///< 0: media is not forwarded (hold, early, black hole); it is still decrypted and counted
  uint8_t send_rtcp = 0;
  uint8_t payload_count = 0;     ///< entries used in `payload`; others are dropped: payload_type_unknown
  uint8_t payload_clock_8k = 1;  ///< kTone: always 1 (PCMU, PCMA)
  uint8_t tone_payload = 0;      ///< kTone: payload type whose packets carry the tone (0 PCMU, 8 PCMA)
  uint16_t realm = 0;            ///< realm of the ingress, for counters
  uint32_t own_ssrc = 0;         ///< kEcho, kTone: the SSRC we send with
  FlowRef reverse;               ///< the opposite direction (itself for kEcho and kTone)
  Ingress ingress;
  Egress egress;
  PayloadMapping payload[kMaxPayloadTypes];
};
static_assert(sizeof(FlowConfig) == 12 + 12 + 356 + 96 + 32);
static_assert(std::is_trivially_copyable_v<FlowConfig> && std::is_standard_layout_v<FlowConfig>);

}  // namespace linegate::abi
