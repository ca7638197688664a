// Times as they are written (RFC 3339).
#ifndef CORE_BASE_TIME_TEXT_H_
#define CORE_BASE_TIME_TEXT_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

// A time of the clock on the wall.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

inline WallTime WallNow() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// What a text says of a time: a date, a time of day, and how far it is from UTC, where it says so.
struct ParsedTime {
  std::chrono::local_time<std::chrono::milliseconds> local;
  std::optional<std::chrono::seconds> offset;
};

// "2026-03-29T08:00:00+01:00", "2026-03-29T07:00Z", "2026-03-29 08:00"; nothing else. What is finer
// than a millisecond is dropped.
std::optional<ParsedTime> ParseTimeText(std::string_view text);

// "2024-05-01T09:30:00.000Z", for years from 0 to 9999.
std::string TimeText(WallTime time);

}  // namespace tower

#endif  // CORE_BASE_TIME_TEXT_H_
