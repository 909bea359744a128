#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "controlplane/ops/redacted.h"

namespace linegate::ops {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

/// One key=value of a log line. Text is quoted when it needs to be; addresses and names of persons are
/// wrapped in Redacted by the caller, secrets have no form at all here.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), plain(text) {}
  LogField(std::string_view name, const char* text) : key(name), plain(text) {}
  template <std::integral T>
  LogField(std::string_view name, T number) : key(name), plain(std::to_string(number)) {}
  LogField(std::string_view name, Redacted redacted)
      : key(name), plain(std::move(redacted.plain)), masked(std::move(redacted.masked)), is_redacted(true) {}
  LogField(std::string_view name, const SecretText&) = delete;

  std::string_view key;
  std::string plain;
  std::string masked;
  bool is_redacted = false;
};

/// Where lines go: stderr, one line each. Under systemd (JOURNAL_STREAM set) lines carry the journal's "<N>"
/// priority and no time of their own. Before the first call: info.
void SetUpLogging(LogLevel level);

/// "event=registered aor=al***@* flow=17". `event` is a fixed snake_case word, so that lines can be counted.
/// Any thread.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
inline void LogDebug(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, event, fields);
}
inline void LogError(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

enum class ShowRedacted : uint8_t { kMasked, kPlain };
/// The line without time and level. Control characters are escaped: a stranger's header cannot forge a line.
std::string FormatLogLine(std::string_view event, std::initializer_list<LogField> fields, ShowRedacted show);

}  // namespace linegate::ops
