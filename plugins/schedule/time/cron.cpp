#include "plugins/schedule/time/cron.h"

#include <algorithm>
#include <bit>

#include "plugins/schedule/time/cron_field.h"

namespace tower::schedule {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

namespace {

constexpr days kCalendarCycle{146'097};  // 400 years, after which the calendar repeats itself

std::string_view ExpandName(std::string_view text) {
  if (text == "@yearly" || text == "@annually") return "0 0 1 1 *";
  if (text == "@monthly") return "0 0 1 * *";
  if (text == "@weekly") return "0 0 * * 0";
  if (text == "@daily" || text == "@midnight") return "0 0 * * *";
  if (text == "@hourly") return "0 * * * *";
  return text;
}

int NextBit(std::uint64_t bits, int from) {
  if (from > 63) return -1;
  const auto rest = bits >> static_cast<unsigned>(from);
  return rest == 0 ? -1 : from + std::countr_zero(rest);
}

bool HasBit(std::uint64_t bits, unsigned bit) { return ((bits >> bit) & 1U) != 0; }

}  // namespace

Result<Cron> Cron::Parse(std::string_view text) {
  const auto fault = [](std::string what) { return Error{ErrorCode::kInvalid, std::move(what)}; };
  Cron cron;
  for (const auto& word : Words(text))
    cron.text_.append(cron.text_.empty() ? "" : " ").append(word);
  const auto expanded = ExpandName(cron.text_);
  if (expanded.starts_with('@')) {
    return fault(
        "must be @yearly, @monthly, @weekly, @daily or @hourly where it begins with @ (for \"every "
        "5 minutes\" there is the option every)");
  }
  auto words = Words(expanded);
  if (words.size() == 5) words.insert(words.begin(), "0");
  if (words.size() != 6) {
    return fault(
        "must have five fields (minute, hour, day of month, month, day of week), six with seconds "
        "in front, or be a name such as @daily");
  }
  FieldValues values[6];
  std::string faults;
  for (std::size_t i = 0; i < 6; ++i) {
    auto field = ParseField(words[i], kCronFields[i]);
    if (field) values[i] = *field;
    if (!field) faults.append(faults.empty() ? "" : "; ").append(field.error().message);
  }
  if (!faults.empty()) return fault(faults);
  const auto& [second, minute, hour, day, month, weekday] = values;
  cron.seconds_ = second.bits;
  cron.minutes_ = minute.bits;
  cron.hours_ = hour.bits;
  cron.days_ = day.bits;
  cron.months_ = month.bits;
  cron.weekdays_ = weekday.bits | (HasBit(weekday.bits, 7) ? 1U : 0U);
  cron.last_day_ = day.last;
  cron.either_day_ = !day.star && !weekday.star;
  cron.by_elapsed_time_ = second.star || minute.star || hour.star;
  if (!cron.NextLocal(local_seconds())) {
    return fault("must have a day that comes: none of its months has such a day of the month");
  }
  return cron;
}

bool Cron::Fits(const year_month_day& date) const {
  const bool last =
      last_day_ && date.day() == (date.year() / date.month() / std::chrono::last).day();
  const bool by_day = last || HasBit(days_, static_cast<unsigned>(date.day()));
  const bool by_weekday = HasBit(weekdays_, std::chrono::weekday(local_days(date)).c_encoding());
  return either_day_ ? by_day || by_weekday : by_day && by_weekday;
}

std::optional<seconds> Cron::NextInDay(seconds from) const {
  const std::chrono::hh_mm_ss start(from);
  const int first_hour = static_cast<int>(start.hours().count());
  const int first_minute = static_cast<int>(start.minutes().count());
  for (int h = NextBit(hours_, first_hour); h >= 0; h = NextBit(hours_, h + 1)) {
    for (int m = NextBit(minutes_, h == first_hour ? first_minute : 0); m >= 0;
         m = NextBit(minutes_, m + 1)) {
      const bool same = h == first_hour && m == first_minute;
      const int s = NextBit(seconds_, same ? static_cast<int>(start.seconds().count()) : 0);
      if (s >= 0) return std::chrono::hours(h) + std::chrono::minutes(m) + seconds(s);
    }
  }
  return std::nullopt;
}

std::optional<local_seconds> Cron::NextLocal(local_seconds from) const {
  auto day = std::chrono::floor<days>(from);
  const auto last = day + kCalendarCycle;
  auto time = from - day;
  while (day <= last) {
    const year_month_day date(day);
    if (!HasBit(months_, static_cast<unsigned>(date.month()))) {
      day = local_days((date.year() / date.month() + std::chrono::months(1)) / 1);
      time = seconds(0);
      continue;
    }
    if (Fits(date)) {
      if (auto found = NextInDay(time)) return day + *found;
    }
    day += days(1);
    time = seconds(0);
  }
  return std::nullopt;
}

namespace {

std::optional<sys_seconds> NextByElapsedTime(const Cron& cron, const Zone& zone,
                                             sys_seconds after) {
  constexpr auto kTurn = 2 * kMaxOffset;  // clocks are never set by more
  const auto last = after + kCalendarCycle;
  auto time = after + seconds(1);
  while (time <= last) {
    const auto span = zone.At(time);
    const auto local = cron.NextLocal(local_seconds(time.time_since_epoch() + span.offset));
    if (!local) break;
    const auto found = sys_seconds(local->time_since_epoch() - span.offset);
    if (found < span.end) return found;
    // Times later than that have not been shown by clocks before.
    const bool far = span.end >= time + kTurn;
    time = far ? std::max(span.end, found - kTurn) : span.end;
  }
  return std::nullopt;
}

}  // namespace

std::optional<sys_seconds> NextTime(const Cron& cron, const Zone& zone, sys_seconds after) {
  if (cron.by_elapsed_time()) return NextByElapsedTime(cron, zone, after);
  const auto local = cron.NextLocal(zone.LatestLocal(after) + seconds(1));
  if (!local) return std::nullopt;
  return zone.FirstAt(*local);
}

}  // namespace tower::schedule
