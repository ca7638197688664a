// The supervisor: runs each watcher on its own thread, restarts it with backoff and jitter, and
// keeps its state.
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
// "starting", "running", "backing off", "failed", "stopped".
std::string_view ToString(WatcherState state) noexcept;

struct WatcherStatus {
  std::string name;
  std::string plugin;
  WatcherState state = WatcherState::kStarting;
  std::string last_error;            // the last error of Run; empty after a success
  std::optional<WallTime> retry_at;  // during a backoff: when Run is called again
  std::int64_t restarts = 0;
  WatcherNotes::Snapshot notes;
};

// The new state of one watcher, for Supervisor::Change.
struct WatcherChange {
  std::string name;
  std::string plugin;
  std::unique_ptr<Watcher> watcher;  // null: the running watcher of this name continues
};

// Used by one thread, except States.
class Supervisor {
 public:
  // `queue`, `hooks` and `metrics` outlive the supervisor. If exit_on_failure is set, `on_failure`
  // is called on the thread of a watcher that failed permanently.
  Supervisor(TriggerQueue& queue, Hooks& hooks, const SupervisorOptions& options, Logger log,
             Metrics& metrics, std::function<void(const WatcherStatus&)> on_failure = {});
  ~Supervisor();  // Stop()

  // To be called before Start. `name` is unique.
  void Add(std::string name, std::string plugin, std::unique_ptr<Watcher> watcher);
  void Start();
  // Replaces the set of watchers while the supervisor runs. Names are unique. An entry with a
  // watcher replaces the watcher of that name. The replaced watchers, and those without an entry,
  // are first stopped together and joined; metrics and hooks of removed names are dropped. Blocks
  // until the stopped watchers have returned from Run.
  void Change(std::vector<WatcherChange> watchers);
  // Requests a stop of all watchers, then joins them. Idempotent.
  void Stop();

  // The states in the order of Add or of the last Change. Thread-safe.
  std::vector<WatcherStatus> States() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tower

#endif  // CORE_WATCH_SUPERVISOR_H_
