#include "plugins/schedule/plan.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace tower::schedule {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kWrongClock = std::chrono::hours(24);

// The last time in (from, now], if there is one.
std::optional<Instant> Last(const Times& times, Instant from, Instant now) {
  const auto any_after = [&](Instant moment) {
    const auto next = times.Next(moment);
    return next && *next <= now;
  };
  if (!any_after(from)) return std::nullopt;
  auto low = from, high = now;  // a time comes after low, and none after high
  while (high - low > milliseconds(1)) {
    const auto middle = low + (high - low) / 2;
    (any_after(middle) ? low : high) = middle;
  }
  return times.Next(low);
}

}  // namespace

Step Plan(const Times& times, Instant until, Instant now, const Policy& policy) {
  Step step;
  step.until = until;
  const auto first = times.Next(until);
  if (!first || *first > now) {
    step.next = first;
    return step;
  }
  const auto oldest =
      policy.catch_up == CatchUp::kNone ? kOnTime : std::max(policy.max_age, kOnTime);
  const auto from = std::max(until, now - oldest - milliseconds(1));
  if (policy.catch_up == CatchUp::kAll) {
    step.fire = times.Next(from);
    if (step.fire && *step.fire > now) step.fire.reset();
  } else {
    step.fire = Last(times, from, now);
  }
  step.until = step.fire.value_or(now);
  step.late = step.fire && now - *step.fire > kOnTime;
  if (!step.fire || *first < *step.fire) step.skipped = first;
  return step;
}

bool IsFromWrongClock(Instant until, Instant now) { return until - now > kWrongClock; }

std::string Encode(const Checkpoint& checkpoint) {
  return checkpoint.definition + " " + std::to_string(checkpoint.until.time_since_epoch().count());
}

std::optional<Checkpoint> Decode(std::string_view text) {
  const auto blank = text.find(' ');
  if (blank == std::string_view::npos || blank == 0) return std::nullopt;
  std::int64_t number = 0;
  const auto* last = text.data() + text.size();
  const auto [end, fault] = std::from_chars(text.data() + blank + 1, last, number);
  constexpr std::int64_t kYear9999 = 253'402'300'800'000;
  if (fault != std::errc() || end != last || number < 0 || number > kYear9999) return std::nullopt;
  return Checkpoint{std::string(text.substr(0, blank)), Instant(milliseconds(number))};
}

}  // namespace tower::schedule
