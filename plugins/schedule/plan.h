// What is to be done now: pure functions of the schedule, of what was done, and of the clock.
#ifndef PLUGINS_SCHEDULE_PLAN_H_
#define PLUGINS_SCHEDULE_PLAN_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/schedule/time/times.h"

namespace tower::schedule {

// A time that is found to be due this much later was fired on time; any other was missed.
inline constexpr std::chrono::milliseconds kOnTime = std::chrono::seconds(10);

// What becomes of times that were missed. Whatever it is, of those that are on time the last one
// fires.
enum class CatchUp {
  kNone,
  kLast,  // the last one fires, if it is no older than max_age
  kAll,   // all that are no older fire, in order
};

struct Policy {
  CatchUp catch_up = CatchUp::kLast;
  std::chrono::milliseconds max_age = std::chrono::hours(24);
};

struct Step {
  // The time to fire now, and whether it was missed.
  std::optional<Instant> fire;
  bool late = false;
  // The first of the times that passed and do not fire.
  std::optional<Instant> skipped;
  // All up to here is done once this step is.
  Instant until;
  // When there is nothing to do: the time to wait for; nothing when none will come.
  std::optional<Instant> next;
};

// The next step. All up to `until` was done.
Step Plan(const Times& times, Instant until, Instant now, const Policy& policy);

// Whether `until` was noted by a clock that was wrong, rather than one that was set back a little.
bool IsFromWrongClock(Instant until, Instant now);

// What a watcher remembers.
struct Checkpoint {
  std::string definition;  // of the schedule; another one begins anew
  Instant until;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

std::string Encode(const Checkpoint& checkpoint);
std::optional<Checkpoint> Decode(std::string_view text);

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_PLAN_H_
