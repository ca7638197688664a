// Structured logs on standard error: events with fields. The message is fixed text; variable data
// goes into the fields, and foreign text is quoted. Callers must not pass secrets.
//
//   log.Info("broker connected", {{"host", host}, {"vhost", vhost}});
#ifndef CORE_BASE_LOG_H_
#define CORE_BASE_LOG_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"

namespace tower {

struct LogField {
  using Value = std::variant<std::string, std::int64_t, double, bool>;
  template <std::convertible_to<std::string_view> T>
  LogField(std::string_view k, const T& v) : key(k), value(std::string(std::string_view(v))) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  template <std::integral T>
  LogField(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, const Error& e) : key(k), value(e.message) {}

  std::string key;
  Value value;
};

enum class LogLevel { kDebug, kInfo, kWarn, kError };
// kJson writes one object per line. kAuto is kText if standard error is a terminal, else kJson.
enum class LogFormat { kAuto, kText, kJson };

// Sets level and format for the whole process. Call once, before threads start. Times are written
// as in RFC 3339, in UTC with milliseconds.
void ConfigureLogs(LogLevel level, LogFormat format);
// Changes the level only, at any time. Thread-safe.
void SetLogLevel(LogLevel level);
// Whether events of a level are logged. Call it first where computing the fields is more expensive
// than this read of an atomic. Thread-safe.
bool LogShows(LogLevel level) noexcept;

// A copyable handle with fields of its own (such as watcher=inbox) that are added to every event.
// Thread-safe; each line is written with one write call. A log call does not throw and blocks on
// standard error only.
class Logger {
 public:
  Logger() = default;
  // A copy with additional fields.
  Logger With(std::initializer_list<LogField> fields) const;

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Log(LogLevel level, std::string_view message,
           std::initializer_list<LogField> fields = {}) const;

 private:
  std::vector<LogField> fields_;
};

// For tests: while it exists, log lines are collected here instead of being written to standard
// error. Only one may exist at a time.
class CapturedLogs {
 public:
  CapturedLogs();
  ~CapturedLogs();
  CapturedLogs(const CapturedLogs&) = delete;
  CapturedLogs& operator=(const CapturedLogs&) = delete;
  std::string text() const;
};

}  // namespace tower

#endif  // CORE_BASE_LOG_H_
