#include "plugins/schedule/time/instant.h"

#include <cstdio>

#include "core/base/time_text.h"

namespace tower::schedule {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Instant WrittenTime::In(const Zone& zone) const {
  if (offset) return Instant(local.time_since_epoch() - *offset);
  const auto whole = std::chrono::floor<seconds>(local);
  return zone.FirstAt(whole) + (local - whole);
}

std::optional<WrittenTime> ParseTime(std::string_view text) {
  const auto read = ParseTimeText(text);
  if (!read) return std::nullopt;
  return WrittenTime{.local = read->local, .offset = read->offset, .text = std::string(text)};
}

std::string FormatTime(Instant time, const Zone& zone) {
  auto offset = zone.At(std::chrono::floor<seconds>(time)).offset;
  if (offset % minutes(1) != seconds(0)) offset = seconds(0);
  const auto local = time + offset;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(local - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string out = text;
  if (const auto fraction = clock.subseconds().count(); fraction != 0) {
    std::snprintf(text, sizeof text, ".%03d", static_cast<int>(fraction));
    out += text;
  }
  if (offset == seconds(0)) return out + "Z";
  const auto size = static_cast<int>(std::chrono::abs(offset) / minutes(1));
  std::snprintf(text, sizeof text, "%c%02d:%02d", offset < seconds(0) ? '-' : '+', size / 60,
                size % 60);
  return out + text;
}

}  // namespace tower::schedule
