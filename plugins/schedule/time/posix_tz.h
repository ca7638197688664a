// The rule of a time zone for all future years: the TZ text in the footer of a zoneinfo file (RFC
// 9636, section 3.3.1; POSIX.1-2017, chapter 8.3, with times from -167 to 167 hours).
#ifndef PLUGINS_SCHEDULE_TIME_POSIX_TZ_H_
#define PLUGINS_SCHEDULE_TIME_POSIX_TZ_H_

#include <chrono>
#include <optional>
#include <string_view>

namespace tower::schedule {

// A period, `end` excluded, in which local time is UTC plus `offset`.
struct Span {
  std::chrono::sys_seconds begin, end;
  std::chrono::seconds offset{0};
};

// The limits of time. Far enough from the limits of the type that sums do not overflow.
inline constexpr std::chrono::sys_seconds kBeginOfTime{std::chrono::seconds(-(1LL << 56))};
inline constexpr std::chrono::sys_seconds kEndOfTime{std::chrono::seconds(1LL << 56)};

// Offsets are smaller than this (RFC 9636, section 3.2: -24:59:59 to 25:59:59).
inline constexpr std::chrono::seconds kMaxOffset = std::chrono::hours(26);

class PosixTz {
 public:
  // "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3", … Nothing if the text is invalid, or names
  // daylight-saving time without its dates.
  static std::optional<PosixTz> Parse(std::string_view text);

  // The span that contains `time`, whose year is within the calendar of <chrono>.
  Span At(std::chrono::sys_seconds time) const;

 private:
  friend class PosixTzReader;
  // A time of each year, in the local time that applies until then.
  struct YearDay {
    enum class Kind { kNoLeap, kZeroBased, kWeekday } kind = Kind::kZeroBased;
    int month = 1, week = 1;  // of kWeekday; the fifth week is the last one
    int day = 0;              // of the year, from 1 without February 29, or from 0; or of the week
    std::chrono::seconds time{0};  // since midnight; may lie on other days

    std::chrono::local_seconds In(std::chrono::year year) const;
  };
  struct Daylight {
    std::chrono::seconds offset{0};
    YearDay start, end;
  };

  std::chrono::seconds offset_{0};
  std::optional<Daylight> daylight_;
};

}  // namespace tower::schedule

#endif  // PLUGINS_SCHEDULE_TIME_POSIX_TZ_H_
