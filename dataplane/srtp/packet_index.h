#pragma once
#include <cstdint>

namespace linegate::srtp {

/// RFC 3711 section 3.3.1: a packet index has 48 bits, rollover counter (32) and RTP sequence number (16).
inline constexpr uint64_t kMaxPacketIndex = (uint64_t{1} << 48) - 1;
/// RFC 3711 section 3.4: an SRTCP index has 31 bits.
inline constexpr uint32_t kMaxSrtcpIndex = (uint32_t{1} << 31) - 1;

constexpr uint64_t MakePacketIndex(uint32_t rollover_counter, uint16_t sequence_number) {
  return uint64_t{rollover_counter} << 16 | sequence_number;
}
constexpr uint32_t RolloverCounterOf(uint64_t index) { return uint32_t(index >> 16); }
constexpr uint16_t SequenceNumberOf(uint64_t index) { return uint16_t(index); }

/// The packet index of `sequence_number` that lies closest to `highest`, the highest index so far (RFC 3711
/// section 3.3.1 and appendix A). At the very start, where the closest would be negative, the rollover
/// counter stays 0, and at the very end it stays at its maximum: an index is never taken modulo 2^48, because
/// that would use a key twice.
constexpr uint64_t EstimatePacketIndex(uint64_t highest, uint16_t sequence_number) {
  const uint16_t highest_number = SequenceNumberOf(highest);
  const auto ahead = uint16_t(sequence_number - highest_number);
  const uint64_t forward = highest + ahead;
  // Exactly half of the number space away stays within the same rollover, as in appendix A.
  if (ahead < 0x8000 || (ahead == 0x8000 && highest_number < 0x8000))
    return forward <= kMaxPacketIndex ? forward : forward - 0x10000;
  return forward >= 0x10000 ? forward - 0x10000 : forward;
}

}  // namespace linegate::srtp
