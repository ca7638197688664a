// Logs, to standard error: events with fields. The message is fixed text; what varies stands in the
// fields, and what comes from outside is quoted. No secret may be passed in.
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
enum class LogFormat {
  kAuto,
  kText,
  kJson
};  // kAuto: text on a terminal, else JSON, one object a line

// Sets level and format for the whole process. Call once, before threads start. Times are UTC, RFC
// 3339 with milliseconds.
void ConfigureLogs(LogLevel level, LogFormat format);
// The level alone, at any time. Thread-safe.
void SetLogLevel(LogLevel level);
// Whether events of a level are logged: to be asked first where the fields of one cost more than
// this does, a look at an atomic. Thread-safe.
bool LogShows(LogLevel level) noexcept;

// A cheap, copyable face with fields of its own (such as watcher=inbox) that go with every event.
// Thread-safe; a line is written with one write call. A log call never throws and never blocks on
// anything but standard error.
class Logger {
 public:
  Logger() = default;
  // The same, with more fields.
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

// For tests: keeps every rendered line instead of writing it to standard error, until destroyed.
// One at a time.
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
