#include "plugins/schedule/settings.h"

#include <utility>

#include "core/base/digest.h"

namespace tower {

using schedule::Every;
using schedule::WrittenTime;

Result<Every> OptionCodec<Every>::Parse(std::string_view text) {
  auto time = OptionCodec<std::chrono::milliseconds>::Parse(text);
  if (!time || *time < Every::kShortest || *time > Every::kLongest) {
    return Error{ErrorCode::kInvalid,
                 "must be a duration such as 90s, 5m or 7d, from 100ms to 3660d"};
  }
  return Every{*time};
}

std::string OptionCodec<Every>::Format(const Every& value) {
  if (value.time.count() == 0) return "";
  return OptionCodec<std::chrono::milliseconds>::Format(value.time);
}

Result<WrittenTime> OptionCodec<WrittenTime>::Parse(std::string_view text) {
  if (auto time = schedule::ParseTime(text)) return *std::move(time);
  return Error{ErrorCode::kInvalid,
               "must be times such as 2026-03-29T08:00:00+02:00, or 2026-03-29T08:00:00 for a time "
               "of the timezone"};
}

}  // namespace tower

namespace tower::schedule {
namespace {

Error Fault(std::string what) { return {ErrorCode::kInvalid, std::move(what)}; }

}  // namespace

void Settings::Declare(OptionSet& options) {
  options.Add("cron", &cron,
              "When to fire, as in crontab(5): minute, hour, day of month, month, day of week. "
              "With six fields, the first one is seconds. Or @daily and the like.");
  options.Add(
      "every", &every,
      "Fire at the multiples of this duration since 1970-01-01T00:00:00Z, instead of cron.");
  options.Add(
      "at", &at,
      "Fire at these times, instead of cron. Times without an offset from UTC are in timezone.");
  options
      .Add("timezone", &timezone,
           "Time zone of cron and at, an IANA name such as Europe/Berlin. Read from the system's "
           "zoneinfo.")
      .NotEmpty();
  options
      .Add("catch-up", &catch_up,
           "What to do about runs missed during downtime: fire the `last` one, `all` of them, or "
           "`none`.")
      .OneOf({"none", "last", "all"});
  options
      .Add("max-age", &max_age,
           "Runs missed longer ago than this do not fire, whatever catch-up is.")
      .Range(kOnTime.count(), Every::kLongest.count());
  options.Add("trigger", &trigger,
              "The trigger to fire, without a uuid. Alternatively, set map or map-file.");
  mapping.Declare(options);
  options.Check({"cron", "every", "at"}, [this] { return CheckKind(); });
  options.Check({"timezone"}, [this] { return CheckZone(); });
  options.Check({"trigger", "map", "map-file"}, [this] { return CheckTrigger(); });
  options.CheckWorld({"timezone"}, [this]() -> Status {
    auto zone = LoadZone();
    return zone ? Ok() : Status(zone.error());
  });
}

Status Settings::CheckKind() const {
  const int given =
      (cron.empty() ? 0 : 1) + (every.time.count() == 0 ? 0 : 1) + (at.empty() ? 0 : 1);
  if (given == 1) return Ok();
  return Fault(given == 0
                   ? R"(set one of cron (such as "30 6 * * mon-fri"), every (90m) and at)"
                   : "set only one of cron, every and at; another schedule is another watcher");
}

Status Settings::CheckZone() const {
  if (IsZoneName(timezone)) return Ok();
  return Fault("timezone must be an IANA name such as Europe/Berlin or UTC");
}

Status Settings::CheckTrigger() const {
  if (trigger.empty() && !mapping.given()) {
    return Fault("set trigger, or map or map-file");
  }
  if (!trigger.empty() && mapping.given())
    return Fault("set trigger, or map or map-file, not both");
  if (trigger.uuid()) {
    return Fault("trigger must have no uuid: each run fires a new trigger");
  }
  return Ok();
}

Times Settings::TimesIn(const Zone& zone) const {
  if (!cron.empty()) return {cron, zone};
  if (every.time.count() != 0) return Times(every.time);
  std::vector<Instant> moments;
  moments.reserve(at.size());
  for (const auto& time : at) moments.push_back(time.In(zone));
  return Times(std::move(moments));
}

std::string Settings::Definition() const {
  constexpr std::size_t kEnough = 32;
  std::string text = "at";
  if (!cron.empty()) text = "cron " + cron.text() + " in " + timezone;
  if (every.time.count() != 0) text = "every " + std::to_string(every.time.count());
  return Sha256Hex(text).substr(0, kEnough);
}

Policy Settings::MakePolicy() const {
  const auto kind = catch_up == "none"  ? CatchUp::kNone
                    : catch_up == "all" ? CatchUp::kAll
                                        : CatchUp::kLast;
  return {kind, max_age};
}

}  // namespace tower::schedule
