#include "controlplane/ops/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace linegate::ops {
namespace {

std::atomic<ShowRedacted> show_redacted{ShowRedacted::kMasked};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// sd-daemon(3): "<3>" error, "<4>" warning, "<6>" info, "<7>" debug.
class JournalPriority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const tm&, spdlog::memory_buf_t& out) override {
    const char digit = message.level >= spdlog::level::err    ? '3'
                       : message.level == spdlog::level::warn ? '4'
                       : message.level == spdlog::level::info ? '6'
                                                              : '7';
    out.push_back('<'), out.push_back(digit), out.push_back('>');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalPriority>();
  }
};

spdlog::logger& Logger() {
  static spdlog::logger logger = [] {
    spdlog::logger made("linegate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    if (std::getenv("JOURNAL_STREAM") != nullptr) {
      formatter->add_flag<JournalPriority>('*').set_pattern("%*%v");
    } else {
      formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
    }
    made.set_formatter(std::move(formatter));
    return made;
  }();
  return logger;
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void AppendQuoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", unsigned(octet));
      line += escaped;
    } else {
      line += c;
    }
  }
  line += '"';
}

}  // namespace

void SetUpLogging(LogLevel level) {
  Logger().set_level(ToSpdlog(level));
  show_redacted = level == LogLevel::kDebug ? ShowRedacted::kPlain : ShowRedacted::kMasked;
}

std::string FormatLogLine(std::string_view event, std::initializer_list<LogField> fields, ShowRedacted show) {
  std::string line = "event=";
  line += event;
  for (const LogField& field : fields) {
    const std::string& value =
        field.is_redacted && show == ShowRedacted::kMasked ? field.masked : field.plain;
    line += ' ';
    line += field.key;
    line += '=';
    if (NeedsQuotes(value)) {
      AppendQuoted(line, value);
    } else {
      line += value;
    }
  }
  return line;
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(ToSpdlog(level))) return;
  logger.log(ToSpdlog(level), "{}", FormatLogLine(event, fields, show_redacted));
}

}  // namespace linegate::ops
