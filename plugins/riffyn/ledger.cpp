#include "plugins/riffyn/ledger.h"

#include <optional>
#include <unordered_map>
#include <utility>

#include "core/watch/checkpoint.h"
#include "plugins/riffyn/api.h"

namespace tower::riffyn {
namespace {

constexpr std::string_view kRunning = "1 running";
constexpr int kMissesOfGone = 2;

std::string KeyOf(const std::string& experiment, const std::string& run) {
  return Escape(experiment) + "/" + Escape(run);
}

}  // namespace

Result<Ledger> Ledger::Load(const WatcherQueue& queue) {
  Ledger ledger;
  auto read = ReadCheckpoint(queue, [&](std::string_view key, std::string_view value) {
    const auto slash = key.find('/');
    if (value != kRunning || slash == std::string_view::npos) return false;
    const auto experiment = Unescape(key.substr(0, slash)), run = Unescape(key.substr(slash + 1));
    if (!experiment || !run) return false;
    ledger.SetHandled(*experiment, *run);
    return true;
  });
  if (!read) return read.error();
  return ledger;
}

bool Ledger::Handled(const std::string& experiment, const std::string& run) const {
  const auto runs = experiments_.find(experiment);
  return runs != experiments_.end() && runs->second.contains(run);
}

CheckpointChange Ledger::HandledChange(const std::string& experiment, const std::string& run) {
  return {KeyOf(experiment, run), std::string(kRunning)};
}

CheckpointChange Ledger::ForgetChange(const std::string& experiment, const std::string& run) {
  return {KeyOf(experiment, run), std::nullopt};
}

void Ledger::SetHandled(const std::string& experiment, const std::string& run) {
  experiments_[experiment][run] = {};
}

void Ledger::Forget(const std::string& experiment, const std::string& run) {
  const auto runs = experiments_.find(experiment);
  if (runs == experiments_.end()) return;
  runs->second.erase(run);
  if (runs->second.empty()) experiments_.erase(runs);
}

std::vector<std::string> Ledger::RecordRuns(const std::string& experiment,
                                            const std::vector<Run>& runs, bool whole) {
  std::vector<std::string> ended;
  const auto known = experiments_.find(experiment);
  if (known == experiments_.end()) return ended;
  std::unordered_map<std::string_view, RunState> states;
  for (const auto& run : runs) states.emplace(run.id, run.state);
  for (auto& [id, entry] : known->second) {
    const auto state = states.find(id);
    if (state == states.end()) {
      if (whole && ++entry.missed >= kMissesOfGone) ended.push_back(id);
      continue;
    }
    entry.missed = 0;
    if (state->second == RunState::kIdle || state->second == RunState::kDeleted) {
      ended.push_back(id);
    }
  }
  return ended;
}

std::vector<std::pair<std::string, std::string>> Ledger::RecordExperiments(
    const std::vector<std::string>& listed) {
  std::vector<std::pair<std::string, std::string>> ended;
  const std::set<std::string_view> there(listed.begin(), listed.end());
  for (auto& [experiment, runs] : experiments_) {
    if (there.contains(experiment)) continue;
    for (auto& [run, entry] : runs) {
      if (++entry.missed >= kMissesOfGone) ended.emplace_back(experiment, run);
    }
  }
  return ended;
}

}  // namespace tower::riffyn
