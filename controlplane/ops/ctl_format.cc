#include "controlplane/ops/ctl_format.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

namespace linegate::ops {
namespace {

using nlohmann::json;

/// What tells rows apart comes first; the rest follows in alphabetical order.
constexpr std::array<std::string_view, 21> kFirstColumns{
    "call",      "leg",    "kind",   "peer",    "aor",    "allocation", "user",
    "transport", "client", "server", "relayed", "caller", "callee",     "state",
    "worker",    "slot",   "from",   "codec",   "srtp",   "remote",     "seconds"};

/// Text of strangers may stand in a value: no control characters on the operator's terminal.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string CellText(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_string())
    return value.get_ref<const std::string&>().empty() ? "-" : Printable(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return Printable(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

bool IsTable(const json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const json& row) { return row.is_object(); });
}

std::vector<std::string> ColumnsOf(const json& rows) {
  std::vector<std::string> columns;
  for (const json& row : rows) {
    for (const auto& [key, value] : row.items()) {
      const bool is_nested = IsTable(value) || value.is_object();
      if (!is_nested && std::find(columns.begin(), columns.end(), key) == columns.end())
        columns.push_back(key);
    }
  }
  const auto rank = [](const std::string& name) {
    return std::find(kFirstColumns.begin(), kFirstColumns.end(), name) - kFirstColumns.begin();
  };
  std::sort(columns.begin(), columns.end(), [&](const std::string& a, const std::string& b) {
    return std::pair(rank(a), std::string_view(a)) < std::pair(rank(b), std::string_view(b));
  });
  return columns;
}

/// Pads every cell but a line's last to its column's width.
std::string Align(const std::vector<std::vector<std::string>>& lines, const std::string& indent) {
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    text += indent;
    for (size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - line[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string FormatTable(const json& rows, const std::string& indent) {
  if (rows.empty()) return indent + "none\n";
  const auto columns = ColumnsOf(rows);
  std::vector<std::vector<std::string>> lines{columns};
  for (const json& row : rows) {
    auto& line = lines.emplace_back();
    for (const std::string& column : columns) line.push_back(CellText(row.value(column, json())));
  }
  std::string text = Align(lines, indent);
  // Nested lists belong to their row: repeat which one.
  for (const json& row : rows) {
    for (const auto& [key, value] : row.items()) {
      if (!IsTable(value) || value.empty()) continue;
      text += "\n" + indent + key + " of " + columns.front() + " " +
              CellText(row.value(columns.front(), json())) + "\n";
      text += FormatTable(value, indent + "  ");
    }
  }
  return text;
}

enum class Zeroes { kShown, kHidden };

std::string FormatObject(const json& object, const std::string& indent, Zeroes zeroes) {
  std::vector<std::vector<std::string>> lines;
  std::string sections;
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      sections += "\n" + indent + key + "\n" + FormatObject(value, indent + "  ", Zeroes::kHidden);
    } else if (IsTable(value)) {
      sections += "\n" + indent + key + "\n" + FormatTable(value, indent + "  ");
    } else if (zeroes == Zeroes::kShown || value != 0) {
      lines.push_back({key, CellText(value)});
    }
  }
  if (lines.empty() && sections.empty()) return indent + "none\n";
  const std::string text = Align(lines, indent) + sections;
  return text.starts_with('\n') ? text.substr(1) : text;
}

}  // namespace

std::string FormatResult(const json& result) {
  if (IsTable(result)) return FormatTable(result, "");
  if (result.is_object()) return FormatObject(result, "", Zeroes::kShown);
  return CellText(result) + "\n";
}

}  // namespace linegate::ops
