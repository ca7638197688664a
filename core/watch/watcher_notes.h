// What a watcher reports about its events, for /watchers and the metrics.
#ifndef CORE_WATCH_WATCHER_NOTES_H_
#define CORE_WATCH_WATCHER_NOTES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/metrics.h"
#include "core/base/time_text.h"

namespace tower {

// Thread-safe. Texts may contain foreign data, but no secrets.
class WatcherNotes {
 public:
  struct Rejection {
    WallTime at;
    std::string why;
  };
  // A failed operation that the watcher itself retries.
  struct Retry {
    std::string what;   // "/inbox/order-17.json"
    std::string error;  // why it failed
    WallTime at;        // when it is due
  };
  struct Snapshot {
    std::uint64_t taken = 0;             // triggers
    std::uint64_t rejected = 0;          // events
    std::optional<WallTime> last_event;  // when an event was last accepted or rejected
    std::optional<Rejection> last_rejection;
    std::optional<WallTime> next_fire;
    std::vector<Retry> retries;
  };

  // The counters outlive the notes.
  WatcherNotes(Counter& taken, Counter& rejected) : taken_(taken), rejected_(rejected) {}

  // Records that an event became `triggers` triggers. Called by WatcherQueue; cheap.
  void Take(std::size_t triggers) noexcept;
  // Records an event that could not become triggers: counts it, and keeps the last reason. `why`
  // names the event and the reason: "/inbox/order-17.json: not JSON". A watcher logs the rejection
  // first, so that the log line exists once the count is visible.
  void Reject(std::string_view why);
  // Records when the next event is due, if the watcher knows; nullopt: no event is due.
  void NextFire(std::optional<WallTime> at);
  // Replaces the list of current retries. The first kMostRetries are kept.
  static constexpr std::size_t kMostRetries = 100;
  void Retrying(std::vector<Retry> all);
  // Called when Run has ended: clears the next event and the retries.
  void EndRun();

  Snapshot Read() const;

 private:
  // Constant after construction.
  Counter& taken_;
  Counter& rejected_;
  std::atomic<std::int64_t> last_event_ms_{0};  // since 1970; 0: none
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::optional<Rejection> last_rejection_;
  std::optional<WallTime> next_fire_;
  std::vector<Retry> retries_;
};

}  // namespace tower

#endif  // CORE_WATCH_WATCHER_NOTES_H_
