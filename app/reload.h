// Applies a new configuration to a running tower (SIGHUP). A configuration with errors is refused,
// and the previous one stays in force. Otherwise removed watchers are stopped and new ones are
// started. Watchers whose plugin or options changed are created again; so are watchers that failed
// permanently, because the cause may have been fixed. All others continue undisturbed. Of the
// core's options only log.level is applied; the log names the others that changed and need a
// restart.
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

// Used by one thread, the one that uses the supervisor.
class Reloader {
 public:
  // `running` is the configuration at the start; its options are read by the constructor, before
  // the watchers run, and not afterwards. `supervisor` and `metrics` outlive the reloader.
  Reloader(const Setup& running, Supervisor& supervisor, Logger log, Metrics& metrics);

  // Applies the result of `configure`, or logs all of its errors; an exception counts as an error.
  // Returns once the watchers to be stopped have stopped.
  void Reload(const std::function<Configured()>& configure);

 private:
  // A watcher must be created again if one of these changes.
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
