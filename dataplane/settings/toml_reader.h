#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

#include "dataplane/base/result.h"

namespace linegate::settings {

/// Keeps one error of a file, worded "file:line: [section] key: what is wrong": the first, but an unknown key
/// before all others, since a mistyped key explains what is then missing.
class ErrorSink {
 public:
  explicit ErrorSink(std::string file) : file_(std::move(file)) {}
  void Report(uint32_t line, std::string_view where, const std::string& what);
  void ReportUnknownKey(uint32_t line, std::string_view where);
  bool failed() const { return error_.has_value(); }
  const std::optional<Error>& error() const { return error_; }

 private:
  std::string file_;
  std::optional<Error> error_;
  bool unknown_key_ = false;
};

/// Reads one table of a TOML file key by key. Theory of operation: each getter checks type and range, leaves
/// `out` as it is when the key is absent, and notes the key as known; Finish reports the first key nobody
/// asked for. All errors go to the sink, so callers read on and look once at the end.
class TomlReader {
 public:
  /// `section` is how the table is called in errors: "[dataplane]", "[[realm]] 'public'"; "" for the whole file.
  TomlReader(ErrorSink& sink, const toml::table& table, std::string section)
      : sink_(sink), table_(table), section_(std::move(section)) {}

  bool Has(std::string_view key) const { return table_.contains(key); }
  void Integer(std::string_view key, int64_t least, int64_t most, int64_t& out);
  void Integers(std::string_view key, int64_t least, int64_t most, std::vector<int64_t>& out);
  void String(std::string_view key, std::string& out);
  void Strings(std::string_view key, std::vector<std::string>& out);
  void Boolean(std::string_view key, bool& out);
  /// The table called `key`; null if absent.
  const toml::table* Table(std::string_view key);
  /// The elements of `key`, an array of tables ([[key]], or a list of inline tables); empty if absent.
  std::vector<const toml::table*> Tables(std::string_view key);
  /// The value must be one of `choices`; `out` is its index.
  void Choice(std::string_view key, std::initializer_list<std::string_view> choices, size_t& out);
  /// Reports a fault the caller found in `key` (or the table, if the key is absent).
  void Fault(std::string_view key, const std::string& what);
  uint32_t LineOf(std::string_view key) const;
  void RenameSection(std::string section) { section_ = std::move(section); }
  void Finish();

 private:
  std::string Where(std::string_view key) const;
  const toml::node* Find(std::string_view key);
  void Elements(std::string_view key, std::string_view expected,
                const std::function<bool(const toml::node&)>& take);

  ErrorSink& sink_;
  const toml::table& table_;
  std::string section_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace linegate::settings
