// Decides what to fire now: pure functions of the schedule, the checkpoint and the clock.
#ifndef PLUGINS_SCHEDULE_PLAN_H_
#define PLUGINS_SCHEDULE_PLAN_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/schedule/time/times.h"

namespace tower::schedule {

// A run that fires at most this much later is on time; any other run was missed.
inline constexpr std::chrono::milliseconds kOnTime = std::chrono::seconds(10);

// What to do about missed runs. Of several runs that are on time, the last one always fires.
enum class CatchUp {
  kNone,
  kLast,  // fire the last one, unless it is older than max_age
  kAll,   // fire all that are not older, in order
};

struct Policy {
  CatchUp catch_up = CatchUp::kLast;
  std::chrono::milliseconds max_age = std::chrono::hours(24);
};

struct Step {
  // The run to fire now, and whether it was missed.
  std::optional<Instant> fire;
  bool late = false;
  // The first of the missed runs that do not fire.
  std::optional<Instant> skipped;
  // All runs up to here are done once this step is.
  Instant until;
  // If there is nothing to do: the next run to wait for; nothing if there is none.
  std::optional<Instant> next;
};

// The next step, if all runs up to `until` are done.
Step Plan(const Times& times, Instant until, Instant now, const Policy& policy);

// Whether `until` comes from a clock that was wrong, rather than set back a little.
bool IsFromWrongClock(Instant until, Instant now);

// What a watcher remembers across restarts.
struct Checkpoint {
  std::string definition;  // of the schedule, as Settings::Definition returns it
  Instant until;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

std::string Encode(const Checkpoint& checkpoint);
std::optional<Checkpoint> Decode(std::string_view text);

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_PLAN_H_
