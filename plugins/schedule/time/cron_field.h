// One field of a cron expression.
#ifndef PLUGINS_SCHEDULE_TIME_CRON_FIELD_H_
#define PLUGINS_SCHEDULE_TIME_CRON_FIELD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace tower::schedule {

struct CronField {
  std::string_view name;
  int low = 0, high = 0;
  std::string_view names = {};  // three letters for each number from `low` on
  bool last = false;            // L is allowed
};

inline constexpr CronField kCronFields[] = {
    {"second", 0, 59},
    {"minute", 0, 59},
    {"hour", 0, 23},
    {"day of month", 1, 31, {}, true},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of week", 0, 7, "sunmontuewedthufrisat"},
};

struct FieldValues {
  std::uint64_t bits = 0;  // a bit for each number
  bool star = false;       // begins with *
  bool last = false;       // has L
};

// The words between blanks, in lower case.
std::vector<std::string> Words(std::string_view text);

// REQUIRES: lower case. kInvalid: `must have for the hour …, not "25"`.
Result<FieldValues> ParseField(std::string_view text, const CronField& field);

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_TIME_CRON_FIELD_H_
