#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/sdp/sdp_model.h"

namespace linegate::sdp {

/// More formats of one m= line than this are ignored.
inline constexpr size_t kMaxCodecs = 32;

/// One RTP payload format of an m= line.
struct Codec {
  uint8_t payload_type = 0;
  std::string name;               ///< as written: "opus", "PCMU", "telephone-event"
  uint32_t clock_rate = 0;        ///< RTP clock in Hz (G722: 8000)
  std::string parameters;         ///< encoding parameters: "2" for stereo; empty for one channel
  std::vector<std::string> fmtp;  ///< each a=fmtp value without its payload type, byte-exact

  bool Is(std::string_view codec_name) const;
  friend bool operator==(const Codec&, const Codec&) = default;
};

/// Same encoding, clock rate and channels; payload type and fmtp may differ.
bool SameEncoding(const Codec& a, const Codec& b);

/// telephone-event (RFC 4733) and comfort noise (RFC 3389) accompany a codec, they do not make a call.
bool IsAuxiliary(const Codec& codec);

/// Encodings every browser speaks (RFC 7874) or that Chromium and Firefox share: opus, PCMU, PCMA, G722.
bool IsBrowserCodec(const Codec& codec);

/// The formats of an m= line in its order. Static payload types (RFC 3551 section 6) need no a=rtpmap; a
/// format that has neither is left out, as are repeated payload types, malformed rtpmaps and formats above
/// kMaxCodecs. Encodings whose fmtp names other payload types (red, rtx, ulpfec, flexfec) are left out: those
/// numbers change on the other leg.
std::vector<Codec> CodecsOf(const MediaSection& media);

/// Appends payload type, a=rtpmap and a=fmtp of each codec to an m= section.
void AddCodecs(MediaSection& media, const std::vector<Codec>& codecs);

/// Removes every telephone-event whose clock rate none of the other codecs has: an endpoint cannot send it
/// beside them (RFC 4733 section 2.1 wants one clock per stream; browsers refuse to), and SIP INFO passes
/// instead.
void DropUnmatchedTelephoneEvents(std::vector<Codec>& codecs);

/// True if at least one codec is not auxiliary.
bool HasPrimaryCodec(const std::vector<Codec>& codecs);

}  // namespace linegate::sdp
