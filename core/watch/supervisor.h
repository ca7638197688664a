// The supervisor: a thread per watcher, restarted with backoff and jitter, and the state of each.
#ifndef CORE_WATCH_SUPERVISOR_H_
#define CORE_WATCH_SUPERVISOR_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/queue/queue.h"
#include "core/watch/watcher.h"

namespace tower {

struct SupervisorOptions {
  std::chrono::milliseconds backoff_min{500};
  std::chrono::milliseconds backoff_max{60'000};
  bool exit_on_failure = false;
};

enum class WatcherState { kStarting, kRunning, kBackingOff, kFailed, kStopped };
std::string_view ToString(
    WatcherState state) noexcept;  // "starting", "running", "backing off", "failed", "stopped"

struct WatcherStatus {
  std::string name;
  std::string plugin;
  WatcherState state = WatcherState::kStarting;
  std::string last_error;            // of the last Run that ended with one; empty after a success
  std::optional<WallTime> retry_at;  // while it backs off: when Run is called again
  std::int64_t restarts = 0;
  WatcherNotes::Snapshot notes;
};

// What Change makes of one name.
struct WatcherChange {
  std::string name;
  std::string plugin;
  std::unique_ptr<Watcher> watcher;  // null: the one that has the name goes on, untouched
};

// Used by one thread, but for States.
class Supervisor {
 public:
  // `queue`, `hooks` and `metrics` outlive the supervisor. `on_failure` is called, from a watcher's
  // thread, when a watcher failed for good and exit_on_failure is set.
  Supervisor(TriggerQueue& queue, Hooks& hooks, const SupervisorOptions& options, Logger log,
             Metrics& metrics, std::function<void(const WatcherStatus&)> on_failure = {});
  ~Supervisor();  // Stop()

  // Before Start. `name` is unique.
  void Add(std::string name, std::string plugin, std::unique_ptr<Watcher> watcher);
  void Start();
  // While it runs: makes these, whose names are unique, all the watchers that there are. What has a
  // watcher here takes the place of the one of its name; that one, and those that are not named
  // here, are stopped and joined first, all at once, and the metrics and hooks of names that are
  // gone are forgotten. As short as it takes them to return from Run.
  void Change(std::vector<WatcherChange> watchers);
  // Requests stop of all watchers, then joins them. Idempotent.
  void Stop();

  // In the order of Add, or of the last Change. Thread-safe.
  std::vector<WatcherStatus> States() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tower

#endif  // CORE_WATCH_SUPERVISOR_H_
