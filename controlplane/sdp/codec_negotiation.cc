#include "controlplane/sdp/codec_negotiation.h"

#include <algorithm>

namespace linegate::sdp {
namespace {

bool ReadsAsRtcp(uint8_t payload_type) { return payload_type >= 64 && payload_type <= 95; }

/// Index in `offered` of what `answer` answers, or offered.size().
size_t FindOffered(const std::vector<OfferedCodec>& offered, const std::vector<bool>& taken,
                   const Codec& answer) {
  size_t by_encoding = offered.size();
  for (size_t i = 0; i < offered.size(); ++i) {
    if (taken[i] || !SameEncoding(offered[i].codec, answer)) continue;
    if (offered[i].codec.payload_type == answer.payload_type) return i;
    if (by_encoding == offered.size()) by_encoding = i;
  }
  return by_encoding;
}

void AddRename(std::vector<PayloadRename>& renames, PayloadRename rename) {
  const bool known = std::any_of(renames.begin(), renames.end(),
                                 [&](const PayloadRename& r) { return r.from == rename.from; });
  if (!known) renames.push_back(rename);
}

}  // namespace

void PayloadRegistry::Learn(const std::vector<Codec>& codecs) {
  for (const Codec& codec : codecs) meaning_[codec.payload_type] = codec;
}

bool PayloadRegistry::Knows(const Codec& codec) const {
  const auto known = meaning_.find(codec.payload_type);
  return known != meaning_.end() && SameEncoding(known->second, codec);
}

uint8_t PayloadRegistry::Assign(const Codec& codec, PayloadSpace space, const Used& used) {
  const auto allowed = [&](uint8_t payload_type) {
    return !used[payload_type] && (space == PayloadSpace::kAny || !ReadsAsRtcp(payload_type));
  };
  if (Knows(codec) && allowed(codec.payload_type)) return codec.payload_type;
  // One encoding may stand in a list twice with different parameters: equal ones first.
  for (const bool same_fmtp : {true, false}) {
    for (const auto& [payload_type, known] : meaning_) {
      const bool matches = SameEncoding(known, codec) && (!same_fmtp || known.fmtp == codec.fmtp);
      if (matches && allowed(payload_type)) return payload_type;
    }
  }
  const auto is_free = [&](uint8_t payload_type) {
    return !meaning_.contains(payload_type) && allowed(payload_type);
  };
  uint8_t chosen = is_free(codec.payload_type) ? codec.payload_type : kNoPayloadType;
  for (uint8_t candidate = 96; candidate <= 127 && chosen == kNoPayloadType; ++candidate) {
    if (is_free(candidate)) chosen = candidate;
  }
  for (uint8_t candidate = 35; candidate <= 63 && chosen == kNoPayloadType; ++candidate) {
    if (is_free(candidate)) chosen = candidate;
  }
  if (chosen != kNoPayloadType) meaning_[chosen] = codec;
  return chosen;
}

std::vector<OfferedCodec> OfferCodecs(const std::vector<Codec>& source, PayloadRegistry& destination,
                                      PayloadSpace space) {
  std::vector<Codec> relayed = source;
  DropUnmatchedTelephoneEvents(relayed);
  // Formats that can keep their number get it first, so that a renumbered one never pushes another aside.
  enum class Rank : uint8_t { kKnown, kFree, kMoves };
  const auto rank_of = [&](const Codec& codec) {
    if (space == PayloadSpace::kMuxSafe && ReadsAsRtcp(codec.payload_type)) return Rank::kMoves;
    return destination.Knows(codec) ? Rank::kKnown : Rank::kFree;
  };
  std::vector<Rank> ranks;
  for (const Codec& codec : relayed) ranks.push_back(rank_of(codec));
  std::vector<uint8_t> assigned(relayed.size(), kNoPayloadType);
  PayloadRegistry::Used used;
  for (const Rank rank : {Rank::kKnown, Rank::kFree, Rank::kMoves}) {
    for (size_t i = 0; i < relayed.size(); ++i) {
      if (ranks[i] != rank) continue;
      assigned[i] = destination.Assign(relayed[i], space, used);
      if (assigned[i] != kNoPayloadType) used.set(assigned[i]);
    }
  }
  std::vector<OfferedCodec> offered;
  for (size_t i = 0; i < relayed.size(); ++i) {
    if (assigned[i] == kNoPayloadType) continue;
    OfferedCodec entry{relayed[i], relayed[i].payload_type};
    entry.codec.payload_type = assigned[i];
    offered.push_back(std::move(entry));
  }
  return offered;
}

AnsweredCodecs AnswerCodecs(const std::vector<OfferedCodec>& offered, const std::vector<Codec>& answered) {
  AnsweredCodecs result;
  std::vector<bool> taken(offered.size(), false);
  std::vector<std::pair<size_t, Codec>> matches;
  std::vector<Codec> kept;
  for (const Codec& answer : answered) {
    const size_t i = FindOffered(offered, taken, answer);
    if (i == offered.size()) continue;
    taken[i] = true;
    matches.emplace_back(i, answer);
    kept.push_back(answer);
  }
  DropUnmatchedTelephoneEvents(kept);
  for (const auto& match : matches) {
    const OfferedCodec& source = offered[match.first];
    const Codec& answer = match.second;
    const bool dropped = std::none_of(kept.begin(), kept.end(),
                                      [&](const Codec& c) { return c.payload_type == answer.payload_type; });
    // Each codec may need two entries towards the offerer: the number we offered and the one the answerer
    // prefers.
    if (dropped || result.to_offerer.size() + 2 > kMaxRenames) continue;
    Codec codec = source.codec;
    codec.payload_type = source.source_payload_type;
    codec.fmtp = answer.fmtp;
    AddRename(result.to_answerer, {codec.payload_type, answer.payload_type});
    AddRename(result.to_offerer, {source.codec.payload_type, codec.payload_type});
    AddRename(result.to_offerer, {answer.payload_type, codec.payload_type});
    result.codecs.push_back(std::move(codec));
  }
  return result;
}

std::vector<Codec> ChooseForSelf(const std::vector<Codec>& offered, bool (*accepts)(const Codec&)) {
  std::vector<Codec> chosen;
  const auto codec = std::find_if(offered.begin(), offered.end(), accepts);
  if (codec == offered.end()) return chosen;
  chosen.push_back(*codec);
  for (const Codec& event : offered) {
    if (event.Is("telephone-event") && event.clock_rate == codec->clock_rate) {
      chosen.push_back(event);
      break;
    }
  }
  return chosen;
}

}  // namespace linegate::sdp
