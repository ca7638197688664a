// Time zones from the system: TZif files (RFC 9636, formerly 8536; versions 1 to 4), with
// the rule in their footer for times after the last change that they list.
#ifndef PLUGINS_SCHEDULE_TIME_ZONE_H_
#define PLUGINS_SCHEDULE_TIME_ZONE_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "plugins/schedule/time/posix_tz.h"

namespace tower::schedule {

// TZDIR, or /usr/share/zoneinfo.
std::string ZoneinfoFolder();

// Whether a text can be the name of a zone, such as "Europe/Berlin" or "Etc/GMT+5": a relative path
// without "..".
bool IsZoneName(std::string_view name);

// A value.
class Zone {
 public:
  Zone() = default;  // UTC

  // "UTC" and "Etc/UTC" need no file. kPermanent: there is no such zone, or no zoneinfo at all; the
  // message says what to do. REQUIRES: IsZoneName(name).
  static Result<Zone> Load(const std::string& name, const std::string& folder = ZoneinfoFolder());
  // Parses a TZif file. kPermanent: it is invalid, or counts leap seconds ("right/…").
  static Result<Zone> Parse(std::string_view tzif);

  // The span that contains `time`. Adjacent spans may have the same offset.
  Span At(std::chrono::sys_seconds time) const;

  std::chrono::local_seconds Local(std::chrono::sys_seconds time) const;
  // The latest time that clocks have shown until `time`, inclusive. It is later than Local(time)
  // for a while after they are set back.
  std::chrono::local_seconds LatestLocal(std::chrono::sys_seconds time) const;
  // The first time at which clocks show `local` or more. Of a time that clocks show twice, this is
  // the first; for a skipped time, this is the time of the change.
  std::chrono::sys_seconds FirstAt(std::chrono::local_seconds local) const;

 private:
  struct Change {
    std::chrono::sys_seconds at;
    std::chrono::seconds offset;
  };
  friend class TzifReader;

  std::chrono::seconds first_offset_{0};  // before the first change
  std::vector<Change> changes_;           // in order
  std::optional<PosixTz> rule_;           // from the last change on
};

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_TIME_ZONE_H_
