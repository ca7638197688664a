// Fires the runs of a schedule in order, each exactly once.
#ifndef PLUGINS_SCHEDULE_SESSION_H_
#define PLUGINS_SCHEDULE_SESSION_H_

#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "core/base/result.h"
#include "core/trigger/trigger.h"
#include "core/watch/watcher.h"
#include "plugins/schedule/plan.h"
#include "plugins/schedule/settings.h"

namespace tower::schedule {

// The system clock, which may be set at any time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() = 0;
  // Waits until `until`, or less, since the clock may be set meanwhile. Nothing: for any time.
  // False as soon as stop is requested.
  virtual bool Wait(std::optional<Instant> until, const std::stop_token& stop) = 0;
};

// Used by one thread.
class Session {
 public:
  // References outlive the session. REQUIRES: settings.mapping is loaded.
  Session(WatcherContext& tower, Settings& settings, Zone zone, Clock& clock);

  // Returns when stop is requested. Errors are those of the queue.
  Status Run(const std::stop_token& stop);

 private:
  // Sets until_ from the checkpoint or, if there is none for this schedule, from the clock.
  Status Recall();
  Status BeginAt(Instant now);
  Status Take(const Step& step, Instant now);
  Status Fire(const Step& step, Instant now);
  // Reports a run that cannot fire; it counts as done.
  Status Reject(const Error& error, Instant time);
  Status Put(std::span<const Trigger> triggers, std::string_view key = {});
  std::string EventOf(const Step& step, Instant now) const;
  void ReportNext(const std::optional<Instant>& next);

  WatcherContext& tower_;
  Settings& settings_;
  const Zone zone_;
  Clock& clock_;
  const Times times_;
  const Policy policy_;
  const std::string definition_;
  Instant until_;  // all runs up to here are done
  bool reported_next_ = false, reported_end_ = false;
};

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_SESSION_H_
