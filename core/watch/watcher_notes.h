// What a watcher tells of its events, for /watchers and the metrics.
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

// Thread-safe. Texts may have what came from outside in them, and no secret.
class WatcherNotes {
 public:
  struct Rejection {
    WallTime at;
    std::string why;
  };
  // Something that failed, and is tried again by the watcher itself.
  struct Retry {
    std::string what;   // "/inbox/order-17.json"
    std::string error;  // why it failed
    WallTime at;        // when it is due
  };
  struct Snapshot {
    std::uint64_t taken = 0;  // triggers
    std::uint64_t rejected = 0;
    std::optional<WallTime> last_event;  // that was taken or rejected
    std::optional<Rejection> last_rejection;
    std::optional<WallTime> next_fire;
    std::vector<Retry> retries;
  };

  // Both outlive the notes.
  WatcherNotes(Counter& taken, Counter& rejected) : taken_(taken), rejected_(rejected) {}

  // An event became that many triggers. WatcherQueue tells; cheap.
  void Take(std::size_t triggers) noexcept;
  // An event could not become triggers: counts it, and keeps the reason of the last one. Beside the
  // reason, `why` names the event: "/inbox/order-17.json: not JSON". A watcher logs the rejection
  // first, so that whoever sees the count finds the log line too.
  void Reject(std::string_view why);
  // When the next event is due, of a watcher that knows; nothing: none is.
  void NextFire(std::optional<WallTime> at);
  // All that is retried at present. The first kMostRetries are kept.
  static constexpr std::size_t kMostRetries = 100;
  void Retrying(std::vector<Retry> all);
  // Run has ended: what was to come is off.
  void EndRun();

  Snapshot Read() const;

 private:
  // Constant after construction.
  Counter& taken_;
  Counter& rejected_;
  std::atomic<std::int64_t> last_event_ms_{0};  // 0: none
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::optional<Rejection> last_rejection_;
  std::optional<WallTime> next_fire_;
  std::vector<Retry> retries_;
};

}  // namespace tower

#endif  // CORE_WATCH_WATCHER_NOTES_H_
