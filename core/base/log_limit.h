// Limits how often a lasting fault is logged.
#ifndef CORE_BASE_LOG_LIMIT_H_
#define CORE_BASE_LOG_LIMIT_H_

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/base/log.h"

namespace tower {

// Passes a text that differs from the previous one at once, and a repeated text once a minute. Not
// thread-safe.
class LogLimit {
 public:
  bool Pass(const std::string& text, std::chrono::steady_clock::time_point now) {
    repeats_ = last_ == text;
    if (repeats_ && now - passed_at_ < std::chrono::minutes(1)) return false;
    last_ = text;
    passed_at_ = now;
    return true;
  }
  void Reset() { last_.reset(); }
  // The level for the text that just passed: kWarn for a new text, kInfo for a repeated one.
  LogLevel level() const { return repeats_ ? LogLevel::kInfo : LogLevel::kWarn; }

 private:
  std::optional<std::string> last_;
  bool repeats_ = false;
  std::chrono::steady_clock::time_point passed_at_{};
};

// Passes a fixed number of lines per minute, whatever their text: for events that clients can cause
// at any rate. Thread-safe.
class LogQuota {
 public:
  explicit LogQuota(int lines_a_minute) : lines_(lines_a_minute) {}

  // Returns the number of lines suppressed since the last one that passed, or nullopt if this line
  // must be suppressed too.
  std::optional<std::int64_t> Pass(std::chrono::steady_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (!began_ || now - *began_ >= std::chrono::minutes(1)) {
      began_ = now;
      passed_ = 0;
    }
    if (passed_ >= lines_) {
      ++held_back_;
      return std::nullopt;
    }
    ++passed_;
    return std::exchange(held_back_, 0);
  }

 private:
  const int lines_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::optional<std::chrono::steady_clock::time_point> began_;  // start of the current minute
  int passed_ = 0;                                              // lines in the current minute
  std::int64_t held_back_ = 0;
};

}  // namespace tower

#endif  // CORE_BASE_LOG_LIMIT_H_
