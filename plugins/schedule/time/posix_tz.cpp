#include "plugins/schedule/time/posix_tz.h"

#include <algorithm>
#include <array>

#include "core/base/encode.h"

namespace tower::schedule {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using std::chrono::year;

class PosixTzReader {
 public:
  explicit PosixTzReader(std::string_view text) : rest_(text) {}

  std::optional<PosixTz> Read() {
    PosixTz zone;
    Name();
    zone.offset_ = -Time(24);  // POSIX counts westwards
    if (good_ && !rest_.empty()) {
      PosixTz::Daylight daylight;
      Name();
      const bool named = !rest_.empty() && rest_.front() != ',';
      daylight.offset = named ? -Time(24) : zone.offset_ + std::chrono::hours(1);
      daylight.start = Day();
      daylight.end = Day();
      zone.daylight_ = daylight;
    }
    if (!good_ || !rest_.empty()) return std::nullopt;
    return zone;
  }

 private:
  using Kind = PosixTz::YearDay::Kind;

  bool Skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void Need(char c) { good_ = Skip(c) && good_; }

  void Name() {
    std::size_t length = 0;
    const bool quoted = Skip('<');
    const auto fits = [quoted](char c) {
      return IsLetter(c) || (quoted && (IsDigit(c) || c == '+' || c == '-'));
    };
    while (length < rest_.size() && fits(rest_[length])) ++length;
    good_ = good_ && length >= 3;
    rest_.remove_prefix(length);
    if (quoted) Need('>');
  }

  int Number(int least, int most) {
    int number = 0;
    std::size_t length = 0;
    while (length < rest_.size() && length < 4 && IsDigit(rest_[length])) {
      number = number * 10 + (rest_[length++] - '0');
    }
    rest_.remove_prefix(length);
    good_ = good_ && length > 0 && number >= least && number <= most;
    return number;
  }

  // [+-]hh[:mm[:ss]]
  seconds Time(int most_hours) {
    const bool negative = Skip('-');
    if (!negative) Skip('+');
    seconds time = std::chrono::hours(Number(0, most_hours));
    if (Skip(':')) {
      time += std::chrono::minutes(Number(0, 59));
      if (Skip(':')) time += seconds(Number(0, 59));
    }
    return negative ? -time : time;
  }

  PosixTz::YearDay Day() {
    PosixTz::YearDay day;
    Need(',');
    if (Skip('M')) {
      day.kind = Kind::kWeekday;
      day.month = Number(1, 12);
      Need('.');
      day.week = Number(1, 5);
      Need('.');
      day.day = Number(0, 6);
    } else if (Skip('J')) {
      day.kind = Kind::kNoLeap;
      day.day = Number(1, 365);
    } else {
      day.day = Number(0, 365);
    }
    day.time = Skip('/') ? Time(167) : std::chrono::hours(2);
    return day;
  }

  std::string_view rest_;
  bool good_ = true;
};

std::optional<PosixTz> PosixTz::Parse(std::string_view text) { return PosixTzReader(text).Read(); }

std::chrono::local_seconds PosixTz::YearDay::In(year y) const {
  using namespace std::chrono;  // NOLINT: dates are written with its operators
  const local_days new_year(y / January / 1);
  if (kind == Kind::kZeroBased) return new_year + days(day) + time;
  if (kind == Kind::kNoLeap) {
    constexpr int kFebruary28 = 31 + 28;
    const bool later = y.is_leap() && day > kFebruary28;
    return new_year + days(later ? day : day - 1) + time;
  }
  const std::chrono::month m(static_cast<unsigned>(month));
  const weekday wanted(static_cast<unsigned>(day));
  const auto date = week == 5 ? local_days(y / m / wanted[last])
                              : local_days(y / m / wanted[static_cast<unsigned>(week)]);
  return date + time;
}

Span PosixTz::At(sys_seconds time) const {
  if (!daylight_) return {kBeginOfTime, kEndOfTime, offset_};
  struct Change {
    sys_seconds at;
    seconds offset;
  };
  // Moments may lie a week outside of their year.
  constexpr int kYears = 2;
  std::array<Change, 2 * (2 * kYears + 1)> changes;
  const auto date = std::chrono::year_month_day(std::chrono::floor<days>(time));
  auto* next = changes.data();
  for (int i = -kYears; i <= kYears; ++i) {
    const auto y = date.year() + std::chrono::years(i);
    const auto start = daylight_->start.In(y).time_since_epoch() - offset_;
    const auto end = daylight_->end.In(y).time_since_epoch() - daylight_->offset;
    *next++ = {sys_seconds(end), offset_};
    *next++ = {sys_seconds(start), daylight_->offset};
  }
  // Of changes at one moment that of the later year comes last: where one summer ends as the next
  // begins, it is summer all year (RFC 8536, section 3.3.1).
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.at < b.at; });
  const auto* after =
      std::upper_bound(changes.data(), next, time,
                       [](sys_seconds wanted, const Change& change) { return wanted < change.at; });
  return {(after - 1)->at, after->at, (after - 1)->offset};
}

}  // namespace tower::schedule
