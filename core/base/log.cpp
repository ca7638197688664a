#include "core/base/log.h"

#include <poll.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <ctime>
#include <memory>
#include <mutex>

#include "core/base/encode.h"

namespace tower {
namespace {

constexpr std::size_t kLongestValue = 4096;  // bytes of one field; longer values are cut

using Buffer = spdlog::memory_buf_t;

void Append(Buffer& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

// The length of the UTF-8 sequence at the start of `text` (RFC 3629), or 0 if it is invalid.
std::size_t SequenceLength(std::string_view text, char32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80                     ? 1
                             : first >= 0xc2 && first <= 0xdf ? 2
                             : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  constexpr unsigned char kMask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  point = first & kMask[length];
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = (point << 6) | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : length;
}

// Characters that control a terminal, break a line, or change the text direction.
bool IsControl(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x2028 || point == 0x2029 ||
         (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

// Appends `text` escaped as in a JSON string. Bytes that are not UTF-8 become \xHH, with a doubled
// backslash in JSON.
void AppendEscaped(Buffer& out, std::string_view text, bool json) {
  const bool cut = text.size() > kLongestValue;
  text = text.substr(0, kLongestValue);
  while (!text.empty()) {
    char32_t point = 0;
    const auto length = SequenceLength(text, point);
    if (length == 0) {
      fmt::format_to(std::back_inserter(out), "{}x{:02x}", json ? "\\\\" : "\\",
                     static_cast<unsigned char>(text[0]));
    } else if (point == '\n') {
      Append(out, "\\n");
    } else if (point == '\t') {
      Append(out, "\\t");
    } else if (point == '"' || point == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (IsControl(point)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(point));
    } else {
      Append(out, text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (cut) Append(out, "…");
}

void AppendQuoted(Buffer& out, std::string_view text, bool json) {
  out.push_back('"');
  AppendEscaped(out, text, json);
  out.push_back('"');
}

bool IsBare(std::string_view text) {
  for (const char c : text) {
    const bool plain = IsLetter(c) || IsDigit(c);
    if (!plain && c != '.' && c != '-' && c != '_' && c != ':' && c != '+') return false;
  }
  return !text.empty() && text.size() <= kLongestValue;
}

void AppendValue(Buffer& out, const LogField::Value& value, bool json) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (!json && IsBare(*text)) return Append(out, *text);
    return AppendQuoted(out, *text, json);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    if (json && !std::isfinite(*number)) return Append(out, "null");
    fmt::format_to(std::back_inserter(out), "{}", *number);
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    fmt::format_to(std::back_inserter(out), "{}", *whole);
  } else {
    Append(out, std::get<bool>(value) ? "true" : "false");
  }
}

void AppendField(Buffer& out, const LogField& field, bool json) {
  if (json) {
    out.push_back(',');
    AppendQuoted(out, field.key, json);
    out.push_back(':');
  } else {
    out.push_back(' ');
    AppendEscaped(out, field.key, json);
    out.push_back('=');
  }
  AppendValue(out, field.value, json);
}

std::string_view LevelName(spdlog::level::level_enum level, bool json) {
  switch (level) {
    case spdlog::level::debug:
      return json ? "debug" : "DEBUG";
    case spdlog::level::warn:
      return json ? "warn" : "WARN ";
    case spdlog::level::err:
      return json ? "error" : "ERROR";
    default:
      return json ? "info" : "INFO ";
  }
}

// Puts time and level before the text from Logger.
class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& event, Buffer& out) override {
    using std::chrono::duration_cast;
    const auto since = event.time.time_since_epoch();
    const auto ms = duration_cast<std::chrono::milliseconds>(since).count();
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    Append(out, json_ ? R"({"ts":")" : "");
    fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                   utc.tm_sec, ms % 1000);
    Append(out, json_ ? R"(","level":")" : " ");
    Append(out, LevelName(event.level, json_));
    Append(out, json_ ? "\"," : " ");
    out.append(event.payload.begin(), event.payload.end());
    Append(out, json_ ? "}\n" : "\n");
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(json_);
  }

 private:
  const bool json_;
};

// Writes each line with one write(2), so that it does not mix with lines of other processes on the
// same pipe.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void CaptureInto(std::string* text) {
    const std::lock_guard lock(mutex_);
    captured_ = text;
  }
  std::string Copy(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return text;
  }

 private:
  void sink_it_(const spdlog::details::log_msg& event) override {
    Buffer line;
    formatter_->format(event, line);
    if (captured_ != nullptr) {
      captured_->append(line.data(), line.size());
    } else {
      Write({line.data(), line.size()});
    }
  }
  void flush_() override {}

  static void Write(std::string_view line) {
    while (!line.empty()) {
      const auto written = write(STDERR_FILENO, line.data(), line.size());
      if (written >= 0) {
        line.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN) {  // another process made the terminal non-blocking
        pollfd writable{STDERR_FILENO, POLLOUT, 0};
        poll(&writable, 1, -1);
      } else if (errno != EINTR) {
        return;  // the error cannot be reported anywhere
      }
    }
  }

  std::string* captured_ = nullptr;  // guarded by mutex_
};

spdlog::level::level_enum LevelOf(LogLevel level) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                   spdlog::level::warn, spdlog::level::err};
  return kLevels[static_cast<int>(level)];
}

struct Backend {
  explicit Backend(LogLevel level, LogFormat format) { Configure(level, format); }

  void SetLevel(LogLevel level) { logger.set_level(LevelOf(level)); }

  void Configure(LogLevel level, LogFormat format) {
    json = format == LogFormat::kJson || (format == LogFormat::kAuto && !isatty(STDERR_FILENO));
    SetLevel(level);
    logger.set_formatter(std::make_unique<LineFormatter>(json));
    logger.set_error_handler([](const std::string&) {});
  }

  bool json = false;
  std::shared_ptr<LineSink> sink = std::make_shared<LineSink>();
  spdlog::logger logger{"tower", sink};
};

// Never destroyed, because threads and destructors may log until the process ends.
Backend& TheBackend() {
  static Backend& backend = *new Backend(LogLevel::kInfo, LogFormat::kAuto);
  return backend;
}

void Write(spdlog::level::level_enum level, const std::vector<LogField>& own,
           std::string_view message, std::initializer_list<LogField> fields) noexcept {
  try {
    auto& backend = TheBackend();
    if (!backend.logger.should_log(level)) return;
    Buffer out;
    if (backend.json) {
      Append(out, "\"msg\":");
      AppendQuoted(out, message, true);
    } else {
      AppendEscaped(out, message, false);
    }
    for (const auto& field : own) AppendField(out, field, backend.json);
    for (const auto& field : fields) AppendField(out, field, backend.json);
    backend.logger.log(level, spdlog::string_view_t(out.data(), out.size()));
  } catch (...) {  // out of memory: drop the line, but do not end the process
  }
}

std::string g_captured;  // written by the sink under its lock

}  // namespace

void ConfigureLogs(LogLevel level, LogFormat format) { TheBackend().Configure(level, format); }
void SetLogLevel(LogLevel level) { TheBackend().SetLevel(level); }
bool LogShows(LogLevel level) noexcept { return TheBackend().logger.should_log(LevelOf(level)); }

Logger Logger::With(std::initializer_list<LogField> fields) const {
  Logger out = *this;
  out.fields_.insert(out.fields_.end(), fields.begin(), fields.end());
  return out;
}

void Logger::Debug(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(spdlog::level::debug, fields_, message, fields);
}
void Logger::Info(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(spdlog::level::info, fields_, message, fields);
}
void Logger::Warn(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(spdlog::level::warn, fields_, message, fields);
}
void Logger::Error(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(spdlog::level::err, fields_, message, fields);
}
void Logger::Log(LogLevel level, std::string_view message,
                 std::initializer_list<LogField> fields) const {
  Write(LevelOf(level), fields_, message, fields);
}

CapturedLogs::CapturedLogs() {
  g_captured.clear();
  TheBackend().sink->CaptureInto(&g_captured);
}

CapturedLogs::~CapturedLogs() { TheBackend().sink->CaptureInto(nullptr); }

std::string CapturedLogs::text() const { return TheBackend().sink->Copy(g_captured); }

}  // namespace tower
