// Which resources of the service (experiments, run groups, activities, runs) cannot be read or have
// a problem, and when they are tried again.
#ifndef PLUGINS_RIFFYN_RETRY_LOG_H_
#define PLUGINS_RIFFYN_RETRY_LOG_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/watch/watcher.h"

namespace tower::riffyn {

// Logs each problem once, and again when it changes. A resource that cannot be read is tried again
// at the next poll, then after 2, 4 and at most 8 polls, so that the others are not delayed. Used
// by one thread.
class RetryLog {
 public:
  // Forgets resources that were not reported for 64 polls.
  void BeginPoll();
  // Whether the resource is to be read in this poll.
  bool IsDue(const std::string& resource) const;
  // The resource cannot be read: delays the next attempt.
  void ReportFailure(const std::string& resource, const std::string& why, const Logger& log);
  // The resource has a problem that delays nothing.
  void ReportWarning(const std::string& resource, const std::string& why, const Logger& log);
  void Clear(const std::string& resource, const Logger& log);
  // The delayed attempts, if the next poll is at `next` and one follows each `interval`.
  std::vector<WatcherNotes::Retry> Retries(WallTime next, std::chrono::milliseconds interval) const;

 private:
  struct Entry {
    std::string why;
    int failures = 0;
    std::uint64_t due = 0;
  };
  Entry& Report(const std::string& resource, const std::string& why, const Logger& log);

  std::uint64_t poll_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_RETRY_LOG_H_
