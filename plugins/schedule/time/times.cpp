#include "plugins/schedule/time/times.h"

#include <algorithm>
#include <utility>

namespace tower::schedule {

using std::chrono::milliseconds;

Times::Times(Cron cron, Zone zone) : kind_(ByCron{std::move(cron), std::move(zone)}) {}

Times::Times(milliseconds every) : kind_(every) {}

Times::Times(std::vector<Instant> moments) : kind_(std::move(moments)) {
  auto& sorted = std::get<std::vector<Instant>>(kind_);
  std::sort(sorted.begin(), sorted.end());
}

std::optional<Instant> Times::Next(Instant after) const {
  if (const auto* by = std::get_if<ByCron>(&kind_)) {
    return NextTime(by->cron, by->zone, std::chrono::floor<std::chrono::seconds>(after));
  }
  if (const auto* every = std::get_if<milliseconds>(&kind_)) {
    auto rest = after.time_since_epoch() % *every;
    if (rest < milliseconds(0)) rest += *every;
    return after - rest + *every;
  }
  const auto& moments = std::get<std::vector<Instant>>(kind_);
  const auto next = std::upper_bound(moments.begin(), moments.end(), after);
  if (next == moments.end()) return std::nullopt;
  return *next;
}

}  // namespace tower::schedule
