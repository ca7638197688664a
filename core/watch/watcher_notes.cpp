#include "core/watch/watcher_notes.h"

#include <algorithm>
#include <utility>

#include "core/json/json.h"

namespace tower {
namespace {

constexpr std::size_t kLongestText = 2000;

// Cuts a text to at most kLongestText bytes, at a character boundary.
std::string Bounded(std::string_view text) {
  if (text.size() <= kLongestText) return std::string(text);
  text = text.substr(0, kLongestText);
  if (const auto end = FindInvalidUtf8(text);
      end != std::string_view::npos && text.size() - end < 4) {
    text = text.substr(0, end);
  }
  return std::string(text) + "…";
}

}  // namespace

void WatcherNotes::Take(std::size_t triggers) noexcept {
  taken_.Add(triggers);
  last_event_ms_.store(WallNow().time_since_epoch().count(), std::memory_order_relaxed);
}

void WatcherNotes::Reject(std::string_view why) {
  const auto now = WallNow();
  last_event_ms_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  Rejection last{now, Bounded(why)};
  {
    const std::lock_guard lock(mutex_);
    last_rejection_ = std::move(last);
  }
  rejected_.Add();  // last, so that the reason exists once the count is visible
}

void WatcherNotes::NextFire(std::optional<WallTime> at) {
  const std::lock_guard lock(mutex_);
  next_fire_ = at;
}

void WatcherNotes::Retrying(std::vector<Retry> all) {
  if (all.size() > kMostRetries) all.resize(kMostRetries);
  for (auto& [what, error, at] : all) {
    what = Bounded(what);
    error = Bounded(error);
  }
  const std::lock_guard lock(mutex_);
  retries_ = std::move(all);
}

void WatcherNotes::EndRun() {
  const std::lock_guard lock(mutex_);
  next_fire_.reset();
  retries_.clear();
}

WatcherNotes::Snapshot WatcherNotes::Read() const {
  Snapshot out;
  out.taken = taken_.value();
  out.rejected = rejected_.value();
  if (const auto ms = last_event_ms_.load(std::memory_order_relaxed); ms != 0) {
    out.last_event = WallTime(std::chrono::milliseconds(ms));
  }
  const std::lock_guard lock(mutex_);
  out.last_rejection = last_rejection_;
  out.next_fire = next_fire_;
  out.retries = retries_;
  return out;
}

}  // namespace tower
