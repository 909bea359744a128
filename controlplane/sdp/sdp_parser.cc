#include "controlplane/sdp/sdp_parser.h"

#include <optional>
#include <vector>

#include "controlplane/sdp/text_fields.h"

namespace linegate::sdp {
namespace {

/// Longest m= format list kept; a description may carry up to 64 KiB of them otherwise.
constexpr size_t kMaxFormats = 128;

Unexpected<ParseError> FailAt(size_t line, std::string message) {
  return {ParseError{line, std::move(message)}};
}

std::optional<Origin> ParseOrigin(std::string_view value) {
  const auto fields = SplitFields(value);
  if (fields.size() != 6 || fields[3] != "IN") return std::nullopt;
  Origin origin;
  origin.username = fields[0];
  // RFC 8866 says numeric string of any length; a peer's numbers are only compared, never computed with.
  const auto id = ParseNumber<uint64_t>(fields[1]), version = ParseNumber<uint64_t>(fields[2]);
  if (!IsDigits(fields[1]) || !IsDigits(fields[2])) return std::nullopt;
  origin.session_id = id.value_or(0);
  origin.session_version = version.value_or(0);
  origin.address_type = fields[4];
  origin.address = fields[5];
  return origin;
}

std::optional<MediaSection> ParseMedia(std::string_view value) {
  const auto fields = SplitFields(value);
  if (fields.size() < 4) return std::nullopt;
  MediaSection media;
  media.kind = fields[0];
  std::string_view port = fields[1];
  if (const size_t slash = port.find('/'); slash != std::string_view::npos) {
    media.port_count = ParseNumber<uint32_t>(port.substr(slash + 1));
    if (!media.port_count) return std::nullopt;
    port = port.substr(0, slash);
  }
  const auto number = ParseNumber<uint16_t>(port);
  if (!number) return std::nullopt;
  media.port = *number;
  media.protocol = fields[2];
  for (size_t i = 3; i < fields.size() && media.formats.size() < kMaxFormats; ++i) {
    media.formats.emplace_back(fields[i]);
  }
  return media;
}

/// Takes the next line off `text`; accepts CRLF and bare LF.
std::string_view NextLine(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string ParseError::ToString() const {
  return line == 0 ? message : "line " + std::to_string(line) + ": " + message;
}

Result<SessionDescription, ParseError> Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return FailAt(0, "longer than 64 KiB");
  SessionDescription description;
  bool has_origin = false;
  size_t number = 0;
  while (!text.empty()) {
    const std::string_view line = NextLine(text);
    ++number;
    if (number > kMaxLines) return FailAt(number, "more than 512 lines");
    if (line.empty() && text.empty()) break;  // a blank line at the end is harmless
    if (line.size() < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z')
      return FailAt(number, "not TYPE=VALUE");
    if (line.find('\0') != std::string_view::npos || line.find('\r') != std::string_view::npos) {
      return FailAt(number, "control character");
    }
    const std::string_view value = line.substr(2);
    if (number == 1) {
      if (line != "v=0") return FailAt(number, "does not begin with v=0");
      continue;
    }
    if (line[0] == 'v') return FailAt(number, "second v= line");
    if (line[0] == 'o' && description.media.empty()) {
      auto origin = ParseOrigin(value);
      if (!origin || has_origin) return FailAt(number, "malformed or second o= line");
      description.origin = std::move(*origin);
      has_origin = true;
    } else if (line[0] == 'm') {
      if (description.media.size() == kMaxMediaSections) return FailAt(number, "more than 16 m= lines");
      auto media = ParseMedia(value);
      if (!media) return FailAt(number, "malformed m= line");
      description.media.push_back(std::move(*media));
    } else {
      Section& section =
          description.media.empty() ? static_cast<Section&>(description) : description.media.back();
      section.Add(line[0], std::string(value));
    }
  }
  if (number == 0) return FailAt(0, "empty");
  if (!has_origin) return FailAt(0, "no o= line");
  return description;
}

}  // namespace linegate::sdp
