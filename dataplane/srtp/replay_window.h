#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dataplane/srtp/packet_index.h"

namespace linegate::srtp {

enum class ReplayVerdict : uint8_t { kFresh, kDuplicate, kTooOld };

/// The sliding window of RFC 3711 section 3.3.2 over the last `kBits` indices (128; 1,024 for video, whose
/// reordering is deeper).
///
/// Theory of operation: `highest` is the highest index recorded; bit `i % kBits` says whether index `i` was
/// recorded, for the `kBits` indices that end at `highest`. The owner calls Check before authentication and
/// Record only after the tag was verified, so that a stranger's packet changes nothing. The window is plain
/// data and lives in a shared-memory slot: all zero is an empty window, any bit pattern is safe to use.
///
/// Usable for SRTP packet indices and for SRTCP indices alike.
template <size_t kBits>
struct ReplayWindow {
  static_assert(kBits % 64 == 0 && kBits >= 64, "RFC 3711 section 3.3.2: at least 64");

  uint64_t highest = 0;
  uint64_t started = 0;  ///< 0 until the first Record
  std::array<uint64_t, kBits / 64> seen = {};

  ReplayVerdict Check(uint64_t index) const {
    if (started == 0 || index > highest) return ReplayVerdict::kFresh;
    if (highest - index >= kBits) return ReplayVerdict::kTooOld;
    return Has(index) ? ReplayVerdict::kDuplicate : ReplayVerdict::kFresh;
  }

  /// Pre: Check(index) == kFresh.
  void Record(uint64_t index) {
    if (started != 0 && index == highest + 1) [[likely]] {
      highest = index;
      return Set(index);
    }
    if (started == 0 || (index > highest && index - highest >= kBits)) {
      seen = {};
      highest = index;
      started = 1;
    }
    // Each step forward evicts the index that used the bit before.
    while (highest < index) Clear(++highest);
    Set(index);
  }

  /// Counts every index up to `mark` as recorded: what a restart does with a window that may miss the last
  /// ones.
  void RecordAllUpTo(uint64_t mark) {
    if (started == 0 || mark > highest) highest = mark;
    started = 1;
    seen.fill(~uint64_t{0});
  }

 private:
  static constexpr size_t WordOf(uint64_t index) { return (index % kBits) / 64; }
  static constexpr uint64_t MaskOf(uint64_t index) { return uint64_t{1} << (index % 64); }
  bool Has(uint64_t index) const { return (seen[WordOf(index)] & MaskOf(index)) != 0; }
  void Set(uint64_t index) { seen[WordOf(index)] |= MaskOf(index); }
  void Clear(uint64_t index) { seen[WordOf(index)] &= ~MaskOf(index); }
};

inline constexpr size_t kAudioReplayBits = 128;
inline constexpr size_t kVideoReplayBits = 1024;

static_assert(std::is_trivially_copyable_v<ReplayWindow<kAudioReplayBits>>);
static_assert(std::is_standard_layout_v<ReplayWindow<kAudioReplayBits>>);
static_assert(sizeof(ReplayWindow<kAudioReplayBits>) == 32);
static_assert(sizeof(ReplayWindow<kVideoReplayBits>) == 144);

/// The index a received RTP packet claims by its sequence number, to be confirmed by its tag. The first
/// packet of a source has rollover counter 0 (RFC 3711 section 3.3.1).
template <size_t kBits>
constexpr uint64_t EstimateReceivedIndex(const ReplayWindow<kBits>& window, uint16_t sequence_number) {
  return window.started == 0 ? sequence_number : EstimatePacketIndex(window.highest, sequence_number);
}

}  // namespace linegate::srtp
