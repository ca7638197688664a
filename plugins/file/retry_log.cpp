#include "plugins/file/retry_log.h"

#include "plugins/file/files.h"

namespace tower::file {

void RetryLog::Report(const std::string& path, const Error& error) {
  constexpr std::size_t kMax = 10'000;
  if (errors_.size() >= kMax) errors_.clear();
  auto& reported = errors_[path];
  reported.when = Clock::now();
  if (reported.error == error.message) return;
  reported.error = error.message;
  log_.Warn("cannot read, move or delete file; will retry", {{"path", path}, {"error", error}});
}

void RetryLog::ForgetBefore(const std::string& folder, Clock::time_point time) {
  std::erase_if(errors_, [&](const auto& each) {
    return each.second.when < time && each.first.starts_with(JoinPath(folder, ""));
  });
}

std::vector<WatcherNotes::Retry> RetryLog::Retries(WallTime at) const {
  std::vector<WatcherNotes::Retry> retries;
  for (const auto& [path, reported] : errors_) {
    if (retries.size() == WatcherNotes::kMostRetries) break;
    retries.push_back({path, reported.error, at});
  }
  return retries;
}

}  // namespace tower::file
