#pragma once
#include <cstdint>

namespace linegate::nodes {

/// What becomes of a packet. kForward until a node decides otherwise.
enum class Verdict : uint8_t {
  kForward,   ///< goes on to the next node, at the end to a port
  kPunt,      ///< its payload was copied to the control plane; the buffer is freed
  kDrop,      ///< with one reason; the buffer is freed
  kConsumed,  ///< did its work (a STUN response, media on an echo's RTCP); the buffer is freed
  kHandOver,  ///< belongs to worker PacketMeta::owner
  kLoop,      ///< a complete frame to one of our own flow addresses: classify it again
};

/// Which nodes a packet visits, decided by classify.
enum class Route : uint8_t {
  kStunListener,  ///< STUN on a listener port
  kStunLeg,       ///< STUN on a WebRTC port
  kDtls,          ///< from a validated address
  kSrtp,          ///< from a validated address
  kSrtcp,
  kRtp,  ///< on a flow's RTP port
  kRtcp,
  kTurnListener,  ///< STUN and ChannelData on a TURN listener
  kRelay,         ///< on the relayed address of an allocation
};
inline constexpr uint32_t kRouteCount = 9;

}  // namespace linegate::nodes
