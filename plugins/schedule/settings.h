// The options of a `schedule` watcher.
#ifndef PLUGINS_SCHEDULE_SETTINGS_H_
#define PLUGINS_SCHEDULE_SETTINGS_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/options/options.h"
#include "core/trigger/trigger.h"
#include "core/watch/mapping.h"
#include "plugins/schedule/plan.h"
#include "plugins/schedule/time/cron.h"
#include "plugins/schedule/time/instant.h"
#include "plugins/schedule/time/times.h"

namespace tower::schedule {

// A duration between kShortest and kLongest; 0 is none.
struct Every {
  static constexpr std::chrono::milliseconds kShortest{100};
  static constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 3660);
  std::chrono::milliseconds time{0};
};

struct Settings {
  Cron cron;
  Every every;
  std::vector<WrittenTime> at;
  std::string timezone = "UTC";
  std::string catch_up = "last";
  std::chrono::milliseconds max_age = std::chrono::hours(24);
  Trigger trigger;
  Mapping mapping;

  void Declare(OptionSet& options);

  // Reads the zone. Errors are those of Zone::Load.
  Result<Zone> LoadZone() const { return Zone::Load(timezone); }
  Times TimesIn(const Zone& zone) const;
  // A digest of cron or every. When it changes, the schedule starts again from now. The list of
  // `at` is not part of it: its times can be added and removed.
  std::string Definition() const;
  Policy MakePolicy() const;

 private:
  Status CheckKind() const;
  Status CheckZone() const;
  Status CheckTrigger() const;
};

}  // namespace tower::schedule

namespace tower {

template <>
struct OptionCodec<schedule::Cron> {
  static constexpr std::string_view kType = "cron";
  static Result<schedule::Cron> Parse(std::string_view text) { return schedule::Cron::Parse(text); }
  static std::string Format(const schedule::Cron& value) { return value.text(); }
};
template <>
struct OptionCodec<schedule::Every> {
  static constexpr std::string_view kType = "duration from 100ms to 3660d";
  static Result<schedule::Every> Parse(std::string_view text);
  static std::string Format(const schedule::Every& value);
};
template <>
struct OptionCodec<schedule::WrittenTime> {
  static constexpr std::string_view kType = "time (RFC 3339)";
  static Result<schedule::WrittenTime> Parse(std::string_view text);
  static std::string Format(const schedule::WrittenTime& value) { return value.text; }
};

}  // namespace tower

#endif  // PLUGINS_SCHEDULE_SETTINGS_H_
