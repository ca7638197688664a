// Takes what the runs of an experiment say: puts the triggers of those that have started, and
// remembers them.
#ifndef PLUGINS_RIFFYN_INTAKE_H_
#define PLUGINS_RIFFYN_INTAKE_H_

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/riffyn/api.h"
#include "plugins/riffyn/gate.h"
#include "plugins/riffyn/ledger.h"
#include "plugins/riffyn/plan.h"
#include "plugins/riffyn/troubles.h"

namespace tower::riffyn {

class Intake {
 public:
  // All must outlive the intake.
  Intake(WatcherContext& tower, Api& api, Gate& gate, Ledger& ledger, Troubles& troubles)
      : tower_(tower), api_(api), gate_(gate), ledger_(ledger), troubles_(troubles) {}

  // `whole`: these are all runs of the experiment, so one that is missing is gone. What is wrong
  // with a run is reported; an error that is returned ends the watch, or is a stop. Stops early
  // when the service is down.
  Status Take(const std::string& experiment, const std::vector<Run>& runs, bool whole,
              const std::stop_token& stop);

  // `experiments` are all there are: forgets the runs of those that are gone.
  Status NoteExperiments(const std::vector<std::string>& experiments);

 private:
  using Starts = std::vector<const Start*>;

  Status ForgetEnded(const std::string& experiment, const std::vector<Run>& runs, bool whole);
  Status TakeActivity(const std::string& experiment, const Starts& starts,
                      const std::stop_token& stop);
  Status TakeWithData(const std::string& experiment, const Activity& activity, const Starts& starts,
                      const std::stop_token& stop);
  Status TakeStart(const std::string& experiment, const Activity& activity, const Start& start,
                   const RawData& data);
  Status Put(const std::string& experiment, std::span<const Trigger> triggers,
             const std::vector<const Run*>& runs);
  void Reject(const std::string& experiment, const Run& run, std::string_view why);
  // Ok where others can go on.
  Status Note(const std::string& place, const Error& error);

  WatcherContext& tower_;
  Api& api_;
  Gate& gate_;
  Ledger& ledger_;
  Troubles& troubles_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_INTAKE_H_
