// Points in time and their text: RFC 3339, with an offset from UTC or, for a local time, without.
#ifndef PLUGINS_SCHEDULE_TIME_INSTANT_H_
#define PLUGINS_SCHEDULE_TIME_INSTANT_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/schedule/time/zone.h"

namespace tower::schedule {

using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

// A time as written in the configuration.
struct WrittenTime {
  std::chrono::local_time<std::chrono::milliseconds> local;
  std::optional<std::chrono::seconds> offset;  // nothing: a time in the zone
  std::string text;

  Instant In(const Zone& zone) const;  // as Zone::FirstAt says
};

// "2026-03-29T08:00:00+01:00", "2026-03-29T07:00Z", "2026-03-29 08:00"; nothing else.
std::optional<WrittenTime> ParseTime(std::string_view text);

// "2026-03-29T08:00:00+02:00", with Z for the offset 0. In UTC if the offset is not a whole number
// of minutes, which RFC 3339 cannot express.
std::string FormatTime(Instant time, const Zone& zone = {});

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_TIME_INSTANT_H_
