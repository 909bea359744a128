#include "controlplane/sdp/codec.h"

#include <algorithm>
#include <array>
#include <optional>

#include "controlplane/sdp/text_fields.h"

namespace linegate::sdp {
namespace {

struct StaticPayload {
  uint8_t payload_type;
  const char* name;
  uint32_t clock_rate;
};
/// RFC 3551 table 4, the audio formats with a defined clock.
constexpr std::array<StaticPayload, 13> kStaticPayloads = {{{0, "PCMU", 8000},
                                                            {3, "GSM", 8000},
                                                            {4, "G723", 8000},
                                                            {5, "DVI4", 8000},
                                                            {6, "DVI4", 16000},
                                                            {7, "LPC", 8000},
                                                            {8, "PCMA", 8000},
                                                            {9, "G722", 8000},
                                                            {12, "QCELP", 8000},
                                                            {13, "CN", 8000},
                                                            {15, "G728", 8000},
                                                            {16, "DVI4", 11025},
                                                            {18, "G729", 8000}}};

/// Splits "PT rest" and returns the rest if the payload type is `payload_type`.
std::optional<std::string_view> RestFor(std::string_view value, uint8_t payload_type) {
  const size_t space = value.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  if (ParseNumber<uint8_t>(value.substr(0, space)) != payload_type) return std::nullopt;
  return value.substr(space + 1);
}

/// NAME/CLOCK[/PARAMETERS] into `codec`.
bool ReadRtpmap(std::string_view text, Codec& codec) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  const size_t slash = text.find('/');
  if (slash == 0 || slash == std::string_view::npos) return false;
  codec.name = text.substr(0, slash);
  std::string_view clock = text.substr(slash + 1);
  if (const size_t second = clock.find('/'); second != std::string_view::npos) {
    codec.parameters = clock.substr(second + 1);
    clock = clock.substr(0, second);
  }
  const auto rate = ParseNumber<uint32_t>(clock);
  if (!rate || *rate == 0) return false;
  codec.clock_rate = *rate;
  return true;
}

std::optional<Codec> ReadCodec(const MediaSection& media, uint8_t payload_type) {
  Codec codec;
  codec.payload_type = payload_type;
  for (const std::string_view value : media.Attributes("rtpmap")) {
    const auto rest = RestFor(value, payload_type);
    if (rest && !ReadRtpmap(*rest, codec)) return std::nullopt;
    if (rest) break;
  }
  if (codec.name.empty()) {
    const auto known = std::find_if(kStaticPayloads.begin(), kStaticPayloads.end(),
                                    [&](const StaticPayload& p) { return p.payload_type == payload_type; });
    if (known == kStaticPayloads.end()) return std::nullopt;
    codec.name = known->name;
    codec.clock_rate = known->clock_rate;
  }
  for (const std::string_view value : media.Attributes("fmtp")) {
    if (const auto rest = RestFor(value, payload_type)) codec.fmtp.emplace_back(*rest);
  }
  return codec;
}

bool NamesOtherPayloadTypes(const Codec& codec) {
  return codec.Is("red") || codec.Is("rtx") || codec.Is("ulpfec") || codec.Is("flexfec") ||
         codec.Is("flexfec-03");
}

std::string_view Channels(const Codec& codec) {
  return codec.parameters.empty() ? std::string_view("1") : std::string_view(codec.parameters);
}

}  // namespace

bool Codec::Is(std::string_view codec_name) const { return EqualsIgnoreCase(name, codec_name); }

bool SameEncoding(const Codec& a, const Codec& b) {
  return a.Is(b.name) && a.clock_rate == b.clock_rate && Channels(a) == Channels(b);
}

bool IsAuxiliary(const Codec& codec) { return codec.Is("telephone-event") || codec.Is("CN"); }

bool IsBrowserCodec(const Codec& codec) {
  return (codec.Is("opus") && codec.clock_rate == 48000) ||
         ((codec.Is("PCMU") || codec.Is("PCMA") || codec.Is("G722")) && codec.clock_rate == 8000);
}

std::vector<Codec> CodecsOf(const MediaSection& media) {
  std::vector<Codec> codecs;
  for (const std::string& format : media.formats) {
    if (codecs.size() == kMaxCodecs) break;
    const auto payload_type = ParseNumber<uint8_t>(format);
    if (!payload_type || *payload_type > 127) continue;
    const bool repeated = std::any_of(codecs.begin(), codecs.end(),
                                      [&](const Codec& c) { return c.payload_type == *payload_type; });
    if (repeated) continue;
    auto codec = ReadCodec(media, *payload_type);
    if (codec && !NamesOtherPayloadTypes(*codec)) codecs.push_back(std::move(*codec));
  }
  return codecs;
}

void AddCodecs(MediaSection& media, const std::vector<Codec>& codecs) {
  for (const Codec& codec : codecs) {
    const std::string payload_type = std::to_string(codec.payload_type);
    media.formats.push_back(payload_type);
    std::string rtpmap = payload_type + " " + codec.name + "/" + std::to_string(codec.clock_rate);
    if (!codec.parameters.empty()) rtpmap += "/" + codec.parameters;
    media.AddAttribute("rtpmap", rtpmap);
    for (const std::string& fmtp : codec.fmtp) media.AddAttribute("fmtp", payload_type + " " + fmtp);
  }
}

void DropUnmatchedTelephoneEvents(std::vector<Codec>& codecs) {
  const auto has_clock = [&](uint32_t clock_rate) {
    return std::any_of(codecs.begin(), codecs.end(),
                       [&](const Codec& c) { return !IsAuxiliary(c) && c.clock_rate == clock_rate; });
  };
  std::vector<Codec> kept;
  for (const Codec& codec : codecs) {
    if (!codec.Is("telephone-event") || has_clock(codec.clock_rate)) kept.push_back(codec);
  }
  codecs = std::move(kept);
}

bool HasPrimaryCodec(const std::vector<Codec>& codecs) {
  return std::any_of(codecs.begin(), codecs.end(), [](const Codec& c) { return !IsAuxiliary(c); });
}

}  // namespace linegate::sdp
