#include "dataplane/settings/toml_reader.h"

#include <algorithm>

namespace linegate::settings {
namespace {

std::string RangeText(int64_t least, int64_t most) {
  return std::to_string(least) + " to " + std::to_string(most);
}

}  // namespace

void ErrorSink::Report(uint32_t line, std::string_view where, const std::string& what) {
  if (error_) return;
  error_.emplace(file_ + (line > 0 ? ":" + std::to_string(line) : "") + ": " +
                 (where.empty() ? "" : std::string(where) + ": ") + what);
}

void ErrorSink::ReportUnknownKey(uint32_t line, std::string_view where) {
  if (unknown_key_) return;
  error_.reset();
  Report(line, where, "unknown key");
  unknown_key_ = true;
}

const toml::node* TomlReader::Find(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

uint32_t TomlReader::LineOf(std::string_view key) const {
  const toml::node* node = table_.get(key);
  return node != nullptr ? node->source().begin.line : table_.source().begin.line;
}

std::string TomlReader::Where(std::string_view key) const {
  return section_.empty() ? "[" + std::string(key) + "]" : section_ + " " + std::string(key);
}

void TomlReader::Fault(std::string_view key, const std::string& what) {
  sink_.Report(LineOf(key), Where(key), what);
}

void TomlReader::Integer(std::string_view key, int64_t least, int64_t most, int64_t& out) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto* value = node->as_integer();
  if (value == nullptr || value->get() < least || value->get() > most) {
    return Fault(key, "must be a whole number from " + RangeText(least, most));
  }
  out = value->get();
}

void TomlReader::Elements(std::string_view key, std::string_view expected,
                          const std::function<bool(const toml::node&)>& take) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  const bool good = array != nullptr && std::all_of(array->begin(), array->end(), take);
  if (!good) Fault(key, "must be a list of " + std::string(expected));
}

void TomlReader::Integers(std::string_view key, int64_t least, int64_t most, std::vector<int64_t>& out) {
  Elements(key, "whole numbers from " + RangeText(least, most), [&](const toml::node& element) {
    const auto* value = element.as_integer();
    if (value == nullptr || value->get() < least || value->get() > most) return false;
    out.push_back(value->get());
    return true;
  });
}

void TomlReader::String(std::string_view key, std::string& out) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto* value = node->as_string();
  if (value == nullptr) return Fault(key, "must be a string");
  out = value->get();
}

void TomlReader::Strings(std::string_view key, std::vector<std::string>& out) {
  Elements(key, "strings", [&](const toml::node& element) {
    const auto* value = element.as_string();
    if (value == nullptr) return false;
    out.push_back(value->get());
    return true;
  });
}

void TomlReader::Boolean(std::string_view key, bool& out) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto* value = node->as_boolean();
  if (value == nullptr) return Fault(key, "must be true or false");
  out = value->get();
}

const toml::table* TomlReader::Table(std::string_view key) {
  const toml::node* node = Find(key);
  if (node != nullptr && !node->is_table()) Fault(key, "must be a section");
  return node != nullptr ? node->as_table() : nullptr;
}

std::vector<const toml::table*> TomlReader::Tables(std::string_view key) {
  std::vector<const toml::table*> tables;
  Elements(key, "tables", [&](const toml::node& element) {
    if (element.is_table()) tables.push_back(element.as_table());
    return element.is_table();
  });
  return tables;
}

void TomlReader::Choice(std::string_view key, std::initializer_list<std::string_view> choices, size_t& out) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto* value = node->as_string();
  const auto found =
      value == nullptr ? choices.end() : std::find(choices.begin(), choices.end(), value->get());
  if (found != choices.end()) {
    out = size_t(found - choices.begin());
    return;
  }
  std::string list;
  for (std::string_view choice : choices) list += (list.empty() ? "\"" : ", \"") + std::string(choice) + "\"";
  Fault(key, "must be one of " + list);
}

void TomlReader::Finish() {
  for (const auto& [key, node] : table_) {
    if (known_.contains(key.str())) continue;
    sink_.ReportUnknownKey(key.source().begin.line, Where(key.str()));
  }
}

}  // namespace linegate::settings
