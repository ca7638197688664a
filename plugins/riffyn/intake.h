// Puts the triggers of the runs of an experiment that have started, and remembers those runs.
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
#include "plugins/riffyn/ledger.h"
#include "plugins/riffyn/plan.h"
#include "plugins/riffyn/retry_log.h"

namespace tower::riffyn {

class Intake {
 public:
  // All must outlive the intake.
  Intake(WatcherContext& tower, Api& api, Throttle& throttle, Ledger& ledger, RetryLog& retry_log)
      : tower_(tower), api_(api), throttle_(throttle), ledger_(ledger), retry_log_(retry_log) {}

  // `whole`: `runs` are all runs of the experiment, so one that is missing is gone. Problems of
  // single runs are logged; a returned error ends the watcher's run. Returns early when the service
  // fails.
  Status Take(const std::string& experiment, const std::vector<Run>& runs, bool whole,
              const std::stop_token& stop);

  // `experiments` are all experiments: forgets the runs of those that are gone.
  Status RecordExperiments(const std::vector<std::string>& experiments);

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
  // Returns the error unless it is skippable.
  Status ReportFailure(const std::string& resource, const Error& error);

  WatcherContext& tower_;
  Api& api_;
  Throttle& throttle_;
  Ledger& ledger_;
  RetryLog& retry_log_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_INTAKE_H_
