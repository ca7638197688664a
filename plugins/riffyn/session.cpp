#include "plugins/riffyn/session.h"

#include <algorithm>
#include <set>

namespace tower::riffyn {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string PlaceOf(const std::string& experiment) { return "experiment " + experiment; }

}  // namespace

Status Session::Run(const std::stop_token& stop) {
  auto next = Clock::now();
  while (true) {
    if (auto looked = Look(stop); !looked) return looked;
    const auto now = Clock::now();
    next += settings_.poll_interval * ((now - next) / settings_.poll_interval + 1);
    const auto pause = std::chrono::ceil<milliseconds>(next - now);
    tower_.notes.Retrying(troubles_.Retries(WallNow() + pause, settings_.poll_interval));
    if (!WatcherContext::Sleep(pause, stop)) return Ok();
  }
}

Status Session::Look(const std::stop_token& stop) {
  gate_.BeginLook();
  troubles_.BeginLook();
  const auto experiments = ListExperiments(stop);
  if (!experiments) return experiments.error();
  std::vector<std::string> due;
  std::copy_if(experiments->begin(), experiments->end(), std::back_inserter(due),
               [&](const std::string& experiment) { return troubles_.Due(PlaceOf(experiment)); });
  bool any = experiments->empty();
  const std::span<const std::string> all(due);
  for (std::size_t begin = 0; begin < all.size(); begin += crew_.size()) {
    const auto size = std::min(crew_.size(), all.size() - begin);
    for (auto& reading : Read(all.subspan(begin, size), stop)) {
      const auto read = Take(std::move(reading), stop);
      if (!read) return read.error();
      any = any || *read;
    }
    if (auto down = gate_.Down()) return Error{ErrorCode::kUnavailable, down->message};
  }
  if (!any) return Error{ErrorCode::kUnavailable, "no experiment can be read"};
  tower_.ReportSuccess();
  return Ok();
}

Result<std::vector<std::string>> Session::ListExperiments(const std::stop_token& stop) {
  if (!settings_.experiment.empty()) return settings_.experiment;
  auto listed = crew_.first().Experiments(stop);
  if (!listed) {
    if (IsOfPlace(listed.error())) return Error{ErrorCode::kUnavailable, listed.error().message};
    return listed.error();
  }
  Judge("the list of experiments", listed->whole);
  if (listed->whole) {
    if (auto noted = intake_.NoteExperiments(listed->items); !noted) return noted.error();
  }
  return std::move(listed->items);
}

std::vector<Session::Reading> Session::Read(std::span<const std::string> experiments,
                                            const std::stop_token& stop) {
  std::vector<Reading> readings(experiments.size());
  crew_.ForEach(experiments.size(), [&](Api& api, std::size_t i) {
    readings[i].experiment = experiments[i];
    if (!gate_.Down()) readings[i].groups = api.Groups(experiments[i], stop);
  });
  std::vector<std::pair<std::size_t, std::size_t>> wanted;  // reading, group
  for (std::size_t i = 0; i < readings.size(); ++i) {
    auto& [experiment, groups, runs] = readings[i];
    if (!groups || !*groups) continue;
    for (const auto& group : (*groups)->items) {
      const auto& at = runs.emplace_back(
          GroupReading{"run group " + group + " of experiment " + experiment, std::nullopt});
      if (troubles_.Due(at.place)) wanted.emplace_back(i, runs.size() - 1);
    }
  }
  crew_.ForEach(wanted.size(), [&](Api& api, std::size_t n) {
    auto& [experiment, groups, runs] = readings[wanted[n].first];
    const auto& group = (*groups)->items[wanted[n].second];
    if (!gate_.Down()) runs[wanted[n].second].runs = api.Runs(experiment, group, stop);
  });
  return readings;
}

// Whether anything could be read.
Result<bool> Session::Take(Reading reading, const std::stop_token& stop) {
  if (!reading.groups) return false;
  const auto place = PlaceOf(reading.experiment);
  const auto& groups = *reading.groups;
  if (!groups) {
    if (auto noted = Note(place, groups.error()); !noted) return noted.error();
    return false;
  }
  Judge(place, groups->whole);
  bool any = reading.runs.empty(), whole = groups->whole;
  std::vector<riffyn::Run> runs;
  std::set<std::string, std::less<>> seen;
  for (auto& group : reading.runs) {
    whole = whole && group.runs && *group.runs && (*group.runs)->whole;
    if (!group.runs) continue;
    if (!*group.runs) {
      if (auto noted = Note(group.place, group.runs->error()); !noted) return noted.error();
      continue;
    }
    any = true;
    Judge(group.place, (*group.runs)->whole);
    for (auto& run : (*group.runs)->items) {
      if (seen.insert(run.id).second) runs.push_back(std::move(run));
    }
  }
  if (auto taken = intake_.Take(reading.experiment, runs, whole, stop); !taken)
    return taken.error();
  return any;
}

// Of a place whose list could be read.
void Session::Judge(const std::string& place, bool whole) {
  if (whole) {
    troubles_.Clear(place, tower_.log);
  } else {
    troubles_.Remark(place, "some items of its list have no id", tower_.log);
  }
}

Status Session::Note(const std::string& place, const Error& error) {
  if (!IsOfPlace(error)) return error;
  troubles_.Note(place, error.message, tower_.log);
  return Ok();
}

}  // namespace tower::riffyn
