// The files that cannot be read, moved or deleted at present, and are tried again at each scan.
#ifndef PLUGINS_FILE_RETRY_LOG_H_
#define PLUGINS_FILE_RETRY_LOG_H_

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/log.h"
#include "core/base/result.h"
#include "core/watch/watcher.h"

namespace tower::file {

// Logs the error of a path once, and again when the error changes. Used by one thread.
class RetryLog {
 public:
  using Clock = std::chrono::steady_clock;

  // `log` outlives this object.
  explicit RetryLog(const Logger& log) : log_(log) {}
  void Report(const std::string& path, const Error& error);
  void Clear(const std::string& path) { errors_.erase(path); }
  // Forgets errors of paths below `folder` that were not reported since `time`, when a scan of that
  // folder began.
  void ForgetBefore(const std::string& folder, Clock::time_point time);
  // For WatcherNotes, at most as many as it keeps; `at` is when they are tried again.
  std::vector<WatcherNotes::Retry> Retries(WallTime at) const;

 private:
  struct Reported {
    std::string error;
    Clock::time_point when;  // the last time
  };
  const Logger& log_;
  std::unordered_map<std::string, Reported> errors_;  // by path
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_RETRY_LOG_H_
