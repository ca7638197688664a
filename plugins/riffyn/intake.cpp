#include "plugins/riffyn/intake.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/watch/checkpoint.h"
#include "plugins/riffyn/triggers.h"

namespace tower::riffyn {
namespace {

std::string NameOf(const std::string& experiment, const Run& run) {
  return "run " + run.id + " (" + run.name + ") of experiment " + experiment;
}
std::string NameOf(const std::string& experiment, const Start& start) {
  return (start.plate ? "the plate of " : "") + NameOf(experiment, *start.runs[0]);
}

// Grouped by activity, in the order of the first start of each.
std::vector<std::vector<const Start*>> ByActivity(const std::vector<Start>& starts) {
  std::vector<std::vector<const Start*>> sorted;
  std::map<std::string_view, std::size_t> places;
  for (const auto& start : starts) {
    if (!start.NeedsTriggers()) continue;
    const auto [at, is_new] = places.emplace(start.runs[0]->activity, sorted.size());
    if (is_new) sorted.emplace_back();
    sorted[at->second].push_back(&start);
  }
  return sorted;
}

}  // namespace

Status Intake::Take(const std::string& experiment, const std::vector<Run>& runs, bool whole,
                    const std::stop_token& stop) {
  if (auto forgot = ForgetEnded(experiment, runs, whole); !forgot) return forgot;
  for (const auto& run : runs) {
    if (run.state != RunState::kUnknown) continue;
    retry_log_.ReportWarning(NameOf(experiment, run), run.problem, tower_.log);
  }
  const auto plan =
      MakePlan(runs, [&](const Run& run) { return ledger_.Handled(experiment, run.id); });
  for (const auto& [resource, why] : plan.conflicts) {
    retry_log_.ReportWarning(resource + ", experiment " + experiment, why, tower_.log);
  }
  auto silent = plan.invalid_wells;  // runs that make no trigger
  for (const auto* run : plan.invalid_wells) Reject(experiment, *run, "the plate has no such well");
  for (const auto& start : plan.starts) {
    if (!start.NeedsTriggers()) silent.insert(silent.end(), start.runs.begin(), start.runs.end());
  }
  tower_.log.Debug("polled", {{"experiment", experiment},
                              {"runs", runs.size()},
                              {"starts", plan.starts.size()},
                              {"ignored", silent.size()}});
  if (auto put = Put(experiment, {}, silent); !put) return put;
  for (const auto& starts : ByActivity(plan.starts)) {
    if (throttle_.Outage()) break;
    if (auto taken = TakeActivity(experiment, starts, stop); !taken) return taken;
  }
  return Ok();
}

Status Intake::RecordExperiments(const std::vector<std::string>& experiments) {
  const auto ended = ledger_.RecordExperiments(experiments);
  if (ended.empty()) return Ok();
  std::vector<CheckpointChange> changes;
  for (const auto& [experiment, run] : ended) {
    changes.push_back(Ledger::ForgetChange(experiment, run));
  }
  if (auto put = PutCheckpoint(tower_.queue, changes); !put) return put;
  for (const auto& [experiment, run] : ended) ledger_.Forget(experiment, run);
  return Ok();
}

// Before any other request, so that a run that starts again while the process is down counts as
// started.
Status Intake::ForgetEnded(const std::string& experiment, const std::vector<Run>& runs,
                           bool whole) {
  const auto ended = ledger_.RecordRuns(experiment, runs, whole);
  if (ended.empty()) return Ok();
  std::vector<CheckpointChange> changes;
  for (const auto& run : ended) changes.push_back(Ledger::ForgetChange(experiment, run));
  if (auto put = PutCheckpoint(tower_.queue, changes); !put) return put;
  for (const auto& run : ended) ledger_.Forget(experiment, run);
  return Ok();
}

Status Intake::TakeActivity(const std::string& experiment, const Starts& starts,
                            const std::stop_token& stop) {
  Starts due;
  std::copy_if(starts.begin(), starts.end(), std::back_inserter(due),
               [&](const Start* start) { return retry_log_.IsDue(NameOf(experiment, *start)); });
  const auto& id = starts[0]->runs[0]->activity;
  const auto resource = "activity " + id + " of experiment " + experiment;
  if (due.empty() || !retry_log_.IsDue(resource)) return Ok();
  const auto activity = api_.ActivityOf(experiment, id, stop);
  if (!activity) return ReportFailure(resource, activity.error());
  retry_log_.Clear(resource, tower_.log);
  return TakeWithData(experiment, *activity, due, stop);
}

// Requests the data of all runs at once. If that fails, requests it for each start, so that only
// the one that causes the failure is delayed.
Status Intake::TakeWithData(const std::string& experiment, const Activity& activity,
                            const Starts& starts, const std::stop_token& stop) {
  std::vector<const Run*> runs;
  for (const auto* start : starts) {
    const auto some = RunsWithData(*start, activity);
    runs.insert(runs.end(), some.begin(), some.end());
  }
  const auto& id = starts[0]->runs[0]->activity;
  auto data =
      runs.empty() ? Result<RawData>(RawData()) : api_.RawDataOf(experiment, id, runs, stop);
  if (data) {
    for (const auto* start : starts) {
      if (auto taken = TakeStart(experiment, activity, *start, *data); !taken) return taken;
    }
    return Ok();
  }
  if (starts.size() == 1) return ReportFailure(NameOf(experiment, *starts[0]), data.error());
  if (!IsSkippable(data.error())) return data.error();
  for (const auto* start : starts) {
    if (throttle_.Outage()) break;
    auto taken = TakeWithData(experiment, activity, {start}, stop);
    if (!taken) return taken;
  }
  return Ok();
}

Status Intake::TakeStart(const std::string& experiment, const Activity& activity,
                         const Start& start, const RawData& data) {
  for (const auto* run : RunsWithData(start, activity)) {
    if (data.contains(run->id)) continue;
    return ReportFailure(NameOf(experiment, start),
                         {ErrorCode::kNotFound, "the raw data has no table of run " + run->id});
  }
  const auto composed = Compose(experiment, start, activity, data);
  for (const auto& fault : composed.faults) Reject(experiment, *start.runs[0], fault);
  if (auto put = Put(experiment, composed.triggers, start.runs); !put) return put;
  retry_log_.Clear(NameOf(experiment, start), tower_.log);
  if (!composed.triggers.empty()) {
    tower_.log.Info("run started", {{"experiment", experiment},
                                    {"run", start.runs[0]->id},
                                    {"name", start.runs[0]->name},
                                    {"triggers", composed.triggers.size()}});
  }
  return Ok();
}

Status Intake::Put(const std::string& experiment, std::span<const Trigger> triggers,
                   const std::vector<const Run*>& runs) {
  if (runs.empty()) return Ok();
  std::vector<CheckpointChange> changes;
  for (const auto* run : runs) changes.push_back(Ledger::HandledChange(experiment, run->id));
  auto put = tower_.queue.Put(triggers, Event{.key = {}, .remember = changes});
  if (!put && !triggers.empty() && put.error().of_event()) {
    Reject(experiment, *runs[0], put.error().message);
    put = PutCheckpoint(tower_.queue, changes);
  }
  if (!put) return put;
  for (const auto* run : runs) ledger_.SetHandled(experiment, run->id);
  return Ok();
}

void Intake::Reject(const std::string& experiment, const Run& run, std::string_view why) {
  tower_.log.Warn(
      "run rejected",
      {{"experiment", experiment}, {"run", run.id}, {"name", run.name}, {"error", why}});
  tower_.notes.Reject(NameOf(experiment, run) + ": " + std::string(why));
}

Status Intake::ReportFailure(const std::string& resource, const Error& error) {
  if (!IsSkippable(error)) return error;
  retry_log_.ReportFailure(resource, error.message, tower_.log);
  return Ok();
}

}  // namespace tower::riffyn
