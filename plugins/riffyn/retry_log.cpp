#include "plugins/riffyn/retry_log.h"

#include <algorithm>

namespace tower::riffyn {
namespace {

constexpr int kMaxDoublings = 3;       // 8 polls
constexpr std::uint64_t kForget = 64;  // polls after the one in which it was due

}  // namespace

void RetryLog::BeginPoll() {
  ++poll_;
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.due + kForget < poll_; });
}

bool RetryLog::IsDue(const std::string& resource) const {
  const auto found = entries_.find(resource);
  return found == entries_.end() || found->second.due <= poll_;
}

RetryLog::Entry& RetryLog::Report(const std::string& resource, const std::string& why,
                                  const Logger& log) {
  auto& entry = entries_[resource];
  if (entry.why != why)
    log.Warn("problem with a resource", {{"resource", resource}, {"error", why}});
  entry.why = why;
  return entry;
}

void RetryLog::ReportFailure(const std::string& resource, const std::string& why,
                             const Logger& log) {
  auto& entry = Report(resource, why, log);
  entry.due = poll_ + (std::uint64_t{1} << std::min(entry.failures++, kMaxDoublings));
}

void RetryLog::ReportWarning(const std::string& resource, const std::string& why,
                             const Logger& log) {
  Report(resource, why, log).due = poll_;
}

void RetryLog::Clear(const std::string& resource, const Logger& log) {
  if (entries_.erase(resource) > 0) log.Info("recovered", {{"resource", resource}});
}

std::vector<WatcherNotes::Retry> RetryLog::Retries(WallTime next,
                                                   std::chrono::milliseconds interval) const {
  std::vector<WatcherNotes::Retry> retries;
  for (const auto& [resource, entry] : entries_) {
    if (entry.due <= poll_) continue;
    const auto polls = static_cast<std::int64_t>(entry.due - poll_ - 1);
    retries.push_back({resource, entry.why, next + interval * polls});
  }
  return retries;
}

}  // namespace tower::riffyn
