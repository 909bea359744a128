#pragma once
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

/// Reading space-separated fields and decimal numbers, without locale and without allocation per field.
namespace linegate::sdp {

inline std::vector<std::string_view> SplitFields(std::string_view text) {
  std::vector<std::string_view> fields;
  size_t begin = 0;
  while (begin < text.size()) {
    if (text[begin] == ' ' || text[begin] == '\t') {
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < text.size() && text[end] != ' ' && text[end] != '\t') ++end;
    fields.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return fields;
}

inline bool IsDigits(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

/// The whole of `text` as a decimal number that fits T; nullopt otherwise.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  if (!IsDigits(text)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace linegate::sdp
