#pragma once
#include <cstdint>
#include <string_view>

#include "controlplane/sdp/sdp_model.h"

namespace linegate::sdp {

/// a=sendrecv, sendonly, recvonly, inactive, from the point of view of whoever wrote the description (RFC
/// 8866 section 6.7). Two independent bits, so that directions intersect with "&".
enum class Direction : uint8_t { kInactive = 0, kSendOnly = 1, kRecvOnly = 2, kSendRecv = 3 };

constexpr bool Sends(Direction d) { return (uint8_t(d) & 1) != 0; }
constexpr bool Receives(Direction d) { return (uint8_t(d) & 2) != 0; }
constexpr Direction Intersect(Direction a, Direction b) { return Direction(uint8_t(a) & uint8_t(b)); }
/// The same stream seen by the other side.
constexpr Direction Reverse(Direction d) { return Direction((uint8_t(d) & 1) << 1 | (uint8_t(d) & 2) >> 1); }

constexpr std::string_view ToText(Direction d) {
  switch (d) {
    case Direction::kInactive:
      return "inactive";
    case Direction::kSendOnly:
      return "sendonly";
    case Direction::kRecvOnly:
      return "recvonly";
    case Direction::kSendRecv:
      break;
  }
  return "sendrecv";
}

/// Media level, else session level, else sendrecv (RFC 8866 section 6.7).
inline Direction DirectionOf(const SessionDescription& description, const MediaSection& media) {
  for (const Section* section :
       {static_cast<const Section*>(&media), static_cast<const Section*>(&description)}) {
    for (const Direction d :
         {Direction::kSendRecv, Direction::kSendOnly, Direction::kRecvOnly, Direction::kInactive}) {
      if (section->HasAttribute(ToText(d))) return d;
    }
  }
  return Direction::kSendRecv;
}

}  // namespace linegate::sdp
