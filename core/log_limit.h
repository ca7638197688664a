// Keeps a fault that lasts from filling the log.
#ifndef CORE_LOG_LIMIT_H_
#define CORE_LOG_LIMIT_H_

#include <chrono>
#include <optional>
#include <string>

namespace tower {

// Lets a text pass when it differs from the one before, and else once a minute. Not thread-safe.
class LogLimit {
 public:
  bool Pass(const std::string& text, std::chrono::steady_clock::time_point now) {
    if (last_ == text && now - passed_at_ < std::chrono::minutes(1)) return false;
    last_ = text;
    passed_at_ = now;
    return true;
  }
  void Reset() { last_.reset(); }

 private:
  std::optional<std::string> last_;
  std::chrono::steady_clock::time_point passed_at_{};
};

}  // namespace tower

#endif  // CORE_LOG_LIMIT_H_
