// A new configuration for a tower that runs (SIGHUP). One that has a fault is refused, and the old
// one goes on. Else watchers that are no longer named stop, new ones start, and those whose plugin
// or options changed are made anew; so are those that had failed for good, since whatever was wrong
// may be right by now. All others go on untouched. Of the core's options log.level alone is taken
// on; what else changed is named in the log, and waits for a restart.
#ifndef APP_RELOAD_H_
#define APP_RELOAD_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/settings.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/watch/supervisor.h"

namespace tower {

// Used by one thread, the supervisor's.
class Reloader {
 public:
  // `running` is what the supervisor starts with; its options are read now, before the watchers
  // run, and not kept. The others outlive the reloader.
  Reloader(const Setup& running, Supervisor& supervisor, Logger log, Metrics& metrics);

  // Takes on what `configure` returns, or logs every fault of it; an exception is a fault too.
  // Returns when the watchers that had to stop have stopped.
  void Reload(const std::function<Configured()>& configure);

 private:
  // What makes another object of a watcher necessary when it changes.
  struct Identity {
    const WatcherKind* kind = nullptr;
    std::string fingerprint;  // of its options
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  using Identities = std::map<std::string, Identity>;  // by the watcher's name

  static Identities IdentitiesOf(const Setup& setup);
  bool IsKnown(const std::string& name, const Identity& identity) const;
  void CheckWatchers(Configured& next, const Identities& identities) const;
  void Refuse(const ConfigErrors& errors);
  void TakeCore(const Setup& next);
  void TakeWatchers(Setup& next, Identities identities);

  Supervisor& supervisor_;
  const Logger log_;
  Counter& taken_;
  Counter& refused_;
  Gauge& last_success_;
  std::map<std::string, std::string> core_;  // fingerprint of each option in force, by its name
  Identities watchers_;
};

}  // namespace tower

#endif  // APP_RELOAD_H_
