#pragma once
#include <cstdint>

#include "dataplane/base/byte_view.h"

namespace linegate::wire {

/// Protocols that share one UDP 5-tuple of a WebRTC leg.
enum class PayloadClass : uint8_t { kUnknown, kStun, kDtls, kTurnChannel, kRtp, kRtcp };

/// RFC 7983 section 7 by the first byte; RTP and RTCP apart by RFC 5761 section 4: packet types 192 to 223
/// are RTCP. A class is a guess by one or two bytes: the codec of that protocol decides. ZRTP (16 to 19) and
/// the ranges nobody owns are kUnknown.
///
///   [0..3] STUN   [20..63] DTLS   [64..79] TURN channel   [128..191] RTP/RTCP
constexpr PayloadClass ClassifyPayload(ByteView payload) {
  if (payload.empty()) return PayloadClass::kUnknown;
  const uint8_t first = payload[0];
  if (first >= 128 && first <= 191) {
    if (payload.size() < 2) return PayloadClass::kUnknown;
    return payload[1] >= 192 && payload[1] <= 223 ? PayloadClass::kRtcp : PayloadClass::kRtp;
  }
  if (first <= 3) return PayloadClass::kStun;
  if (first >= 20 && first <= 63) return PayloadClass::kDtls;
  if (first >= 64 && first <= 79) return PayloadClass::kTurnChannel;
  return PayloadClass::kUnknown;
}

}  // namespace linegate::wire
