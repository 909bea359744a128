#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/rng.h"
#include "dataplane/base/siphash.h"

/// Theory of operation. Many WebRTC legs share one UDP port, so the first connectivity check of a leg has to
/// name it: the local ICE username fragment carries the address of the leg's flow slot (design D5).
///
///   ufrag = 8 characters: (worker 8 bits | slot index 20 bits | low 20 bits of the generation), enciphered
///           6 characters: random (36 bits)
///
/// The 48 bits are enciphered by a keyed permutation (8-round Feistel network on 24-bit halves, round
/// function SipHash-2-4 under the per-boot key in LinkHeader::ice_key), so that neither occupancy nor call
/// rate can be read from ufrags. Decoding is no authentication: the slot's owner compares the whole ufrag
/// with the slot's before anything else. The control plane makes ufrags, the worker decodes them; both get
/// the key from the link region.
namespace linegate {

inline constexpr size_t kIceUfragPrefixChars = 8;
inline constexpr size_t kIceUfragChars = 14;
inline constexpr uint32_t kIceUfragMaxIndex = (1u << 20) - 1;
inline constexpr uint32_t kIceUfragGenerationMask = (1u << 20) - 1;
inline constexpr uint16_t kIceUfragMaxWorker = 255;

/// The slot whose ingress is the leg.
struct IceUfragTarget {
  uint16_t worker = 0;
  uint32_t index = 0;
  uint32_t generation = 0;  ///< decoded: the low 20 bits only
  friend bool operator==(const IceUfragTarget&, const IceUfragTarget&) = default;
};

/// 14 ice-chars (RFC 8839 section 5.4). Pre: worker and index within the limits above.
std::string MakeIceUfrag(SipKey key, const IceUfragTarget& target, Rng& rng);

/// nullopt: not 14 characters or not of the ice-char alphabet. Any other text decodes to something.
std::optional<IceUfragTarget> DecodeIceUfrag(SipKey key, std::string_view ufrag);

}  // namespace linegate
