#include "plugins/riffyn/session.h"

#include <algorithm>
#include <set>

namespace tower::riffyn {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string NameOf(const std::string& experiment) { return "experiment " + experiment; }

}  // namespace

Status Session::Run(const std::stop_token& stop) {
  auto next = Clock::now();
  while (true) {
    if (auto polled = Poll(stop); !polled) return polled;
    const auto now = Clock::now();
    next += settings_.poll_interval * ((now - next) / settings_.poll_interval + 1);
    const auto pause = std::chrono::ceil<milliseconds>(next - now);
    tower_.notes.Retrying(retry_log_.Retries(WallNow() + pause, settings_.poll_interval));
    if (!WatcherContext::Sleep(pause, stop)) return Ok();
  }
}

Status Session::Poll(const std::stop_token& stop) {
  throttle_.BeginPoll();
  retry_log_.BeginPoll();
  const auto experiments = ListExperiments(stop);
  if (!experiments) return experiments.error();
  std::vector<std::string> due;
  std::copy_if(experiments->begin(), experiments->end(), std::back_inserter(due),
               [&](const std::string& experiment) { return retry_log_.IsDue(NameOf(experiment)); });
  bool any = experiments->empty();
  const std::span<const std::string> all(due);
  for (std::size_t begin = 0; begin < all.size(); begin += pool_.size()) {
    const auto size = std::min(pool_.size(), all.size() - begin);
    for (auto& listing : Read(all.subspan(begin, size), stop)) {
      const auto read = Take(std::move(listing), stop);
      if (!read) return read.error();
      any = any || *read;
    }
    if (auto down = throttle_.Outage()) return Error{ErrorCode::kUnavailable, down->message};
  }
  if (!any) return Error{ErrorCode::kUnavailable, "no experiment can be read"};
  tower_.ReportSuccess();
  return Ok();
}

Result<std::vector<std::string>> Session::ListExperiments(const std::stop_token& stop) {
  if (!settings_.experiment.empty()) return settings_.experiment;
  auto listed = pool_.first().Experiments(stop);
  if (!listed) {
    if (IsSkippable(listed.error())) return Error{ErrorCode::kUnavailable, listed.error().message};
    return listed.error();
  }
  RecordList("the list of experiments", listed->whole);
  if (listed->whole) {
    if (auto noted = intake_.RecordExperiments(listed->items); !noted) return noted.error();
  }
  return std::move(listed->items);
}

std::vector<Session::Listing> Session::Read(std::span<const std::string> experiments,
                                            const std::stop_token& stop) {
  std::vector<Listing> listings(experiments.size());
  pool_.ForEach(experiments.size(), [&](Api& api, std::size_t i) {
    listings[i].experiment = experiments[i];
    if (!throttle_.Outage()) listings[i].groups = api.Groups(experiments[i], stop);
  });
  std::vector<std::pair<std::size_t, std::size_t>> wanted;  // listing, group
  for (std::size_t i = 0; i < listings.size(); ++i) {
    auto& [experiment, groups, runs] = listings[i];
    if (!groups || !*groups) continue;
    for (const auto& group : (*groups)->items) {
      const auto& at = runs.emplace_back(
          GroupListing{"run group " + group + " of experiment " + experiment, std::nullopt});
      if (retry_log_.IsDue(at.name)) wanted.emplace_back(i, runs.size() - 1);
    }
  }
  pool_.ForEach(wanted.size(), [&](Api& api, std::size_t n) {
    auto& [experiment, groups, runs] = listings[wanted[n].first];
    const auto& group = (*groups)->items[wanted[n].second];
    if (!throttle_.Outage()) runs[wanted[n].second].runs = api.Runs(experiment, group, stop);
  });
  return listings;
}

// Returns whether anything could be read.
Result<bool> Session::Take(Listing listing, const std::stop_token& stop) {
  if (!listing.groups) return false;
  const auto resource = NameOf(listing.experiment);
  const auto& groups = *listing.groups;
  if (!groups) {
    if (auto noted = ReportFailure(resource, groups.error()); !noted) return noted.error();
    return false;
  }
  RecordList(resource, groups->whole);
  bool any = listing.runs.empty(), whole = groups->whole;
  std::vector<riffyn::Run> runs;
  std::set<std::string, std::less<>> seen;
  for (auto& group : listing.runs) {
    whole = whole && group.runs && *group.runs && (*group.runs)->whole;
    if (!group.runs) continue;
    if (!*group.runs) {
      if (auto noted = ReportFailure(group.name, group.runs->error()); !noted) return noted.error();
      continue;
    }
    any = true;
    RecordList(group.name, (*group.runs)->whole);
    for (auto& run : (*group.runs)->items) {
      if (seen.insert(run.id).second) runs.push_back(std::move(run));
    }
  }
  if (auto taken = intake_.Take(listing.experiment, runs, whole, stop); !taken)
    return taken.error();
  return any;
}

void Session::RecordList(const std::string& resource, bool whole) {
  if (whole) {
    retry_log_.Clear(resource, tower_.log);
  } else {
    retry_log_.ReportWarning(resource, "some items of the list have no id", tower_.log);
  }
}

Status Session::ReportFailure(const std::string& resource, const Error& error) {
  if (!IsSkippable(error)) return error;
  retry_log_.ReportFailure(resource, error.message, tower_.log);
  return Ok();
}

}  // namespace tower::riffyn
