#pragma once
#include <bitset>
#include <cstdint>
#include <map>
#include <vector>

#include "controlplane/sdp/codec.h"

namespace linegate::sdp {

/// Which payload types may be put into an offer. With rtcp-mux 64 to 95 would read as RTCP (RFC 5761 section
/// 4) and browsers refuse them.
enum class PayloadSpace : uint8_t { kAny, kMuxSafe };

/// What every payload type has meant on one leg since it was opened. A number never changes its meaning
/// within a session (RFC 3264 section 8.3.2), whoever named it.
class PayloadRegistry {
 public:
  using Used = std::bitset<128>;
  /// The peer's own numbering, from its offer or answer. A number that the peer itself gives a new meaning is
  /// taken over.
  void Learn(const std::vector<Codec>& codecs);
  /// True if the leg knows `codec` by that very number.
  bool Knows(const Codec& codec) const;
  /// A number for `codec` in an offer to this leg, not in `used`: one it has here, else the other leg's own
  /// number if that is free and lies in `space`, else a free dynamic one (96..127, then 35..63).
  /// kNoPayloadType: none left.
  uint8_t Assign(const Codec& codec, PayloadSpace space, const Used& used);

 private:
  std::map<uint8_t, Codec> meaning_;
};
inline constexpr uint8_t kNoPayloadType = 0xff;

/// A codec as it crosses from the leg that offered it to the leg it is offered to.
struct OfferedCodec {
  Codec codec;                  ///< with the payload type of the leg it is offered to
  uint8_t source_payload_type;  ///< as the offerer numbered it
};

/// The offer's codecs for the other leg: same order, fmtp byte-exact, numbered for that leg; telephone-events
/// without a codec of their clock left out.
std::vector<OfferedCodec> OfferCodecs(const std::vector<Codec>& source, PayloadRegistry& destination,
                                      PayloadSpace space);

/// One payload type renamed between two legs.
struct PayloadRename {
  uint8_t from = 0;
  uint8_t to = 0;
  friend bool operator==(const PayloadRename&, const PayloadRename&) = default;
};
/// Per direction; what the dataplane holds for one flow.
inline constexpr size_t kMaxRenames = 16;

struct AnsweredCodecs {
  std::vector<Codec>
      codecs;  ///< for the answer to the offerer: its payload types, the answerer's order and fmtp
  std::vector<PayloadRename> to_answerer;
  std::vector<PayloadRename> to_offerer;
};

/// Matches an answer with the offer it answers: by payload type where the encoding agrees, else by encoding
/// (the answerer may number otherwise, RFC 3264 section 6.1). Formats that were not offered are ignored.
/// `codecs` lacks a primary codec if nothing was answered.
AnsweredCodecs AnswerCodecs(const std::vector<OfferedCodec>& offered, const std::vector<Codec>& answered);

/// Our own answer for a flow that points at itself: the first codec of `offered` that `accepts`, and the
/// telephone-event of its clock.
std::vector<Codec> ChooseForSelf(const std::vector<Codec>& offered, bool (*accepts)(const Codec&));

}  // namespace linegate::sdp
