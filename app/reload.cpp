#include "app/reload.h"

#include <chrono>
#include <exception>
#include <set>
#include <utility>

namespace tower {
namespace {

constexpr std::string_view kReloads = "config_reloads_total";
constexpr std::string_view kReloadsHelp = "Reloads of the configuration, by what became of them.";

double UnixSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Reloader::Reloader(const Setup& running, Supervisor& supervisor, Logger log, Metrics& metrics)
    : supervisor_(supervisor),
      log_(std::move(log)),
      taken_(metrics.GetCounter(kReloads, kReloadsHelp, {{"result", "ok"}})),
      refused_(metrics.GetCounter(kReloads, kReloadsHelp, {{"result", "refused"}})),
      last_success_(metrics.GetGauge("config_last_reload_success_timestamp_seconds",
                                     "When the configuration in force was read.")),
      watchers_(IdentitiesOf(running)) {
  for (const auto& option : running.core.all()) core_[option.name()] = option.Fingerprint();
  last_success_.Set(UnixSeconds());
}

void Reloader::Reload(const std::function<Configured()>& configure) {
  Configured next;
  Identities identities;
  try {
    next = configure();
    if (next.errors.empty()) {
      identities = IdentitiesOf(*next.setup);
      CheckWatchers(next, identities);
    }
  } catch (const std::exception& exception) {
    next.errors.push_back({"", std::string("exception: ") + exception.what(), ""});
  }
  if (!next.errors.empty()) return Refuse(next.errors);
  for (const auto& warning : next.setup->Warnings()) log_.Warn(kUnwise, {{"error", warning}});
  TakeCore(*next.setup);
  TakeWatchers(*next.setup, std::move(identities));
  taken_.Add();
  last_success_.Set(UnixSeconds());
}

Reloader::Identities Reloader::IdentitiesOf(const Setup& setup) {
  Identities out;
  for (const auto& watcher : setup.watchers) {
    out[watcher.name] = {watcher.kind, watcher.options->Fingerprint()};
  }
  return out;
}

bool Reloader::IsKnown(const std::string& name, const Identity& identity) const {
  const auto before = watchers_.find(name);
  return before != watchers_.end() && before->second == identity;
}

// Skips watchers that continue unchanged: a share that is unavailable at the moment is no reason to
// refuse the configuration.
void Reloader::CheckWatchers(Configured& next, const Identities& identities) const {
  for (auto& watcher : next.setup->watchers) {
    if (IsKnown(watcher.name, identities.at(watcher.name))) continue;
    for (const auto& fault : watcher.options->Faults({}, true)) {
      next.errors.push_back({watcher.options->prefix(), fault.message, ""});
    }
  }
}

void Reloader::Refuse(const ConfigErrors& errors) {
  for (const auto& [about, message, hint, of_source] : errors) {
    log_.Error("fault in the new configuration",
               {{"error", about.empty() ? message : about + ": " + message}, {"hint", hint}});
  }
  log_.Error("new configuration refused; the old one stays in effect", {{"faults", errors.size()}});
  refused_.Add();
}

void Reloader::TakeCore(const Setup& next) {
  std::string waiting;
  for (const auto& option : next.core.all()) {
    const auto& name = option.name();
    auto fingerprint = option.Fingerprint();
    auto& in_force = core_[name];
    if (fingerprint == in_force || name == "plugin" || name == "config") continue;
    if (name == "log.level") {
      SetLogLevel(next.settings.level());
      in_force = std::move(fingerprint);
    } else {
      waiting += (waiting.empty() ? "" : ", ") + name;
    }
  }
  if (waiting.empty()) return;
  log_.Warn("changed core options take effect after a restart", {{"options", waiting}});
}

void Reloader::TakeWatchers(Setup& next, Identities identities) {
  std::set<std::string> failed;
  for (const auto& status : supervisor_.States()) {
    if (status.state == WatcherState::kFailed) failed.insert(status.name);
  }
  std::vector<WatcherChange> changes;
  std::size_t started = 0, restarted = 0, untouched = 0;
  for (auto& watcher : next.watchers) {
    const auto& name = watcher.name;
    changes.push_back({name, std::string(watcher.kind->name()), nullptr});
    if (IsKnown(name, identities.at(name)) && !failed.contains(name)) {
      ++untouched;
      continue;
    }
    changes.back().watcher = std::move(watcher.watcher);
    ++(watchers_.contains(name) ? restarted : started);
  }
  const auto stopped = watchers_.size() - restarted - untouched;
  supervisor_.Change(std::move(changes));
  watchers_ = std::move(identities);
  log_.Info("configuration reloaded", {{"started", started},
                                       {"restarted", restarted},
                                       {"stopped", stopped},
                                       {"untouched", untouched}});
}

}  // namespace tower
