// Times in the notation of crontab(5): five fields (minute, hour, day of month, month, day of
// week), or six with seconds in front; or @yearly, @annually, @monthly, @weekly, @daily, @midnight,
// @hourly.
//
// A field is a list of `*`, numbers, ranges `8-17`, and steps over either of these, `*/15`,
// `10-50/20`. Months and days of the week have names too (jan, MON), 0 and 7 are Sunday, and L is
// the last day of the month. When both day fields are restricted, which is to say that neither
// begins with `*`, a day has to fit one of them; else both.
#ifndef PLUGINS_SCHEDULE_TIME_CRON_H_
#define PLUGINS_SCHEDULE_TIME_CRON_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "plugins/schedule/time/zone.h"

namespace tower::schedule {

class Cron {
 public:
  Cron() = default;  // empty: matches no time

  // kInvalid names every wrong field and what to write instead ("must have …"). It is also the
  // error if no day ever matches.
  static Result<Cron> Parse(std::string_view text);

  bool empty() const noexcept { return text_.empty(); }
  // The text in lower case, with single blanks.
  const std::string& text() const noexcept { return text_; }

  // The first matching time from `from` on, on a clock that is never changed.
  std::optional<std::chrono::local_seconds> NextLocal(std::chrono::local_seconds from) const;

  // Whether second, minute or hour begins with `*`: then it fires whenever clocks show a matching
  // time, that is, by elapsed time. Others fire once for each matching time.
  bool by_elapsed_time() const noexcept { return by_elapsed_time_; }

 private:
  bool Fits(const std::chrono::year_month_day& date) const;
  std::optional<std::chrono::seconds> NextInDay(std::chrono::seconds from) const;

  std::string text_;
  // A bit for each matching number.
  std::uint64_t seconds_ = 0, minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
  bool last_day_ = false;    // L
  bool either_day_ = false;  // one of the day fields is enough
  bool by_elapsed_time_ = false;
};

// When it fires first after `after` in a zone; nothing if never.
std::optional<std::chrono::sys_seconds> NextTime(const Cron& cron, const Zone& zone,
                                                 std::chrono::sys_seconds after);

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_TIME_CRON_H_
