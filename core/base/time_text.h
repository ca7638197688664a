// Times as text (RFC 3339).
#ifndef CORE_BASE_TIME_TEXT_H_
#define CORE_BASE_TIME_TEXT_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

// Wall-clock time, in milliseconds.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

inline WallTime WallNow() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// A parsed date and time of day, and the offset from UTC if the text has one.
struct ParsedTime {
  std::chrono::local_time<std::chrono::milliseconds> local;
  std::optional<std::chrono::seconds> offset;
};

// Accepts the forms "2026-03-29T08:00:00+01:00", "2026-03-29T07:00Z" and "2026-03-29 08:00", with
// fractions of a second; returns nullopt for anything else. Digits beyond milliseconds are dropped.
std::optional<ParsedTime> ParseTimeText(std::string_view text);

// Formats as "2024-05-01T09:30:00.000Z". REQUIRES: the year is between 0 and 9999.
std::string TimeText(WallTime time);

// "Tue, 15 Nov 1994 08:12:31 GMT": the form in which HTTP writes times, IMF-fixdate (RFC 9110,
// section 5.6.7).
std::string HttpDate(std::chrono::sys_seconds time);
// Reads that form and the two obsolete ones of the same section.
std::optional<std::chrono::sys_seconds> ParseHttpDate(const std::string& text);

}  // namespace tower

#endif  // CORE_BASE_TIME_TEXT_H_
