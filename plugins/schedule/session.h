// Fires a schedule's times, one after the other, each exactly once.
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

// The clock on the wall, which may be set at any time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() = 0;
  // Waits until `until` or for a shorter while, since the clock may be set meanwhile; nothing is no
  // time in particular. False as soon as stop is requested.
  virtual bool Wait(std::optional<Instant> until, const std::stop_token& stop) = 0;
};

// Used by one thread.
class Session {
 public:
  // What is passed by reference outlives it. REQUIRES: settings.mapping is loaded.
  Session(WatcherContext& tower, Settings& settings, Zone zone, Clock& clock);

  // Until stop is requested. Errors: those of the queue; call Run again.
  Status Run(const std::stop_token& stop);

 private:
  // Makes until_ of the checkpoint, or of the clock where there is none for this schedule.
  Status Recall();
  Status BeginAt(Instant now);
  Status Take(const Step& step, Instant now);
  Status Fire(const Step& step, Instant now);
  // One time alone is at fault: reported, and done.
  Status Reject(const Error& error, Instant time);
  Status Put(std::span<const Trigger> triggers, std::string_view key = {});
  std::string EventOf(const Step& step, Instant now) const;
  void SayNext(const std::optional<Instant>& next);

  WatcherContext& tower_;
  Settings& settings_;
  const Zone zone_;
  Clock& clock_;
  const Times times_;
  const Policy policy_;
  const std::string definition_;
  Instant until_;  // all up to here is done
  bool said_next_ = false, said_end_ = false;
};

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_SESSION_H_
