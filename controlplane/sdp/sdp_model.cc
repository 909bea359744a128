#include "controlplane/sdp/sdp_model.h"

namespace linegate::sdp {
namespace {

/// The value if `line` is "NAME" or "NAME:value". Attribute names are case-sensitive (RFC 8866 section 9).
std::optional<std::string_view> Match(const Line& line, std::string_view name) {
  if (line.type != 'a' || !line.value.starts_with(name)) return std::nullopt;
  const std::string_view rest = std::string_view(line.value).substr(name.size());
  if (rest.empty()) return rest;
  if (rest.front() != ':') return std::nullopt;
  return rest.substr(1);
}

}  // namespace

std::optional<std::string_view> Section::Attribute(std::string_view name) const {
  for (const Line& line : lines) {
    if (auto value = Match(line, name)) return value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Section::Attributes(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Line& line : lines) {
    if (auto value = Match(line, name)) values.push_back(*value);
  }
  return values;
}

std::optional<std::string_view> Section::First(char type) const {
  for (const Line& line : lines) {
    if (line.type == type) return std::string_view(line.value);
  }
  return std::nullopt;
}

void Section::AddAttribute(std::string_view name, std::string_view value) {
  std::string text;
  text.reserve(name.size() + 1 + value.size());
  text.append(name).append(":").append(value);
  lines.push_back({'a', std::move(text)});
}

}  // namespace linegate::sdp
