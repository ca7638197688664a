// Which times a cron text means, on a clock that is never set.
#include "plugins/schedule/time/cron.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <set>
#include <string>
#include <vector>

#include "plugins/schedule/time/instant.h"
#include "test/support/seeds.h"

namespace tower::schedule {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::local_seconds;
using std::chrono::seconds;

local_seconds At(std::string_view text) {
  const auto time = ParseTime(text);
  REQUIRE(time);
  return std::chrono::floor<seconds>(time->local);
}

std::string Text(local_seconds time) {
  auto text = FormatTime(std::chrono::sys_seconds(time.time_since_epoch()));
  text.pop_back();  // Z
  return text;
}

Cron Parsed(std::string_view text) {
  INFO(text);
  auto cron = Cron::Parse(text);
  REQUIRE(cron);
  return *std::move(cron);
}

std::string FaultOf(std::string_view text) {
  const auto cron = Cron::Parse(text);
  return cron ? "" : cron.error().message;
}

// The first times from a moment on, with blanks between them.
std::string Times(std::string_view text, std::string_view from, int count) {
  const auto cron = Parsed(text);
  std::string times;
  auto next = At(from);
  for (int i = 0; i < count; ++i) {
    const auto found = cron.NextLocal(next);
    REQUIRE(found);
    times.append(times.empty() ? "" : " ").append(Text(*found));
    next = *found + seconds(1);
  }
  return times;
}

TEST_CASE("a cron text means the times that crontab(5) says", "[schedule]") {
  const struct {
    const char *text, *from, *times;
    int count;
  } rows[] = {
      {"30 6 * * *", "2026-05-01T06:30:01", "2026-05-02T06:30:00 2026-05-03T06:30:00", 2},
      {"30 6 * * *", "2026-05-01T06:30:00", "2026-05-01T06:30:00", 1},
      {"* * * * *", "2026-12-31T23:58:30", "2026-12-31T23:59:00 2027-01-01T00:00:00", 2},
      {"*/20 8-10/2 * * *", "2026-05-01T08:30",
       "2026-05-01T08:40:00 2026-05-01T10:00:00 2026-05-01T10:20:00", 3},
      {"50,10 12 * * *", "2026-05-01T00:00", "2026-05-01T12:10:00 2026-05-01T12:50:00", 2},
      {"5-59/25 1 * * *", "2026-05-01T00:00",
       "2026-05-01T01:05:00 2026-05-01T01:30:00 2026-05-01T01:55:00 2026-05-02T01:05:00", 4},
      {"15,45 30 6 * * *", "2026-05-01T06:30:16", "2026-05-01T06:30:45 2026-05-02T06:30:15", 2},
      {"* 59 23 31 12 *", "2026-12-31T23:59:59", "2026-12-31T23:59:59 2027-12-31T23:59:00", 2},
      // Days of the week: 2026-05-01 is a Friday.
      {"0 0 * * 7", "2026-05-01T00:00", "2026-05-03T00:00:00 2026-05-10T00:00:00", 2},
      {"0 0 * * 0", "2026-05-01T00:00", "2026-05-03T00:00:00", 1},
      {"0 0 * * SUN", "2026-05-01T00:00", "2026-05-03T00:00:00", 1},
      {"0 0 * * mon-Fri", "2026-05-01T00:01", "2026-05-04T00:00:00", 1},
      {"0 0 * * fri-sun", "2026-05-02T00:01", "2026-05-03T00:00:00 2026-05-08T00:00:00", 2},
      {"0 0 * * 5-7", "2026-05-02T00:01", "2026-05-03T00:00:00 2026-05-08T00:00:00", 2},
      {"0 0 * * 0-1,wed", "2026-05-01T00:00",
       "2026-05-03T00:00:00 2026-05-04T00:00:00 2026-05-06T00:00:00", 3},
      // Months, their ends, and leap years.
      {"0 0 1 jan,JUL *", "2026-05-01T00:00", "2026-07-01T00:00:00 2027-01-01T00:00:00", 2},
      {"0 0 31 * *", "2026-05-01T00:00",
       "2026-05-31T00:00:00 2026-07-31T00:00:00 2026-08-31T00:00:00", 3},
      {"0 0 29 2 *", "2026-05-01T00:00", "2028-02-29T00:00:00 2032-02-29T00:00:00", 2},
      {"0 0 29 feb *", "2096-03-01T00:00", "2104-02-29T00:00:00", 1},
      {"0 0 L * *", "2028-01-31T00:01",
       "2028-02-29T00:00:00 2028-03-31T00:00:00 2028-04-30T00:00:00", 3},
      {"0 0 l,15 feb *", "2026-01-01T00:00", "2026-02-15T00:00:00 2026-02-28T00:00:00", 2},
      // Both day fields: one of them is enough, unless one begins with *.
      {"0 0 13 * 5", "2026-05-01T00:01",
       "2026-05-08T00:00:00 2026-05-13T00:00:00 2026-05-15T00:00:00", 3},
      {"0 0 */2 * 5", "2026-05-01T00:01", "2026-05-15T00:00:00 2026-05-29T00:00:00", 2},
      {"0 0 13 * */5", "2026-05-01T00:00", "2026-09-13T00:00:00 2026-11-13T00:00:00", 2},
      {"0 0 31 2 1", "2026-05-01T00:00", "2027-02-01T00:00:00", 1},
      // Names of whole texts, and blanks.
      {"@yearly", "2026-05-01T00:00", "2027-01-01T00:00:00", 1},
      {"@annually", "2026-05-01T00:00", "2027-01-01T00:00:00", 1},
      {"@monthly", "2026-05-01T00:01", "2026-06-01T00:00:00", 1},
      {"@weekly", "2026-05-01T00:00", "2026-05-03T00:00:00", 1},
      {"@Daily", "2026-05-01T00:01", "2026-05-02T00:00:00", 1},
      {"@midnight", "2026-05-01T00:01", "2026-05-02T00:00:00", 1},
      {" @hourly ", "2026-05-01T00:01", "2026-05-01T01:00:00", 1},
      {"\t0  0\t1 1 * ", "2026-05-01T00:00", "2027-01-01T00:00:00", 1},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text, row.from);
    CHECK(Times(row.text, row.from, row.count) == row.times);
  }
}

TEST_CASE("a cron text that can't be is refused with what to write instead", "[schedule]") {
  const struct {
    const char *text, *says;
  } rows[] = {
      {"60 * * * *", R"(for the minute 0 to 59, *, a range)"},
      {"60 * * * *", R"(, not "60")"},
      {"0 24 * * *", "for the hour 0 to 23"},
      {"0 0 0 * *", "for the day of month 1 to 31"},
      {"0 0 32 * *", "for the day of month 1 to 31"},
      {"0 0 * 13 *", "for the month 1 to 12 or jan to dec"},
      {"0 0 * * 8", "for the day of week 0 to 7 or sun to sat"},
      {"61 0 0 * * *", "for the second 0 to 59"},
      {"0 0 * * monday", R"(, not "monday")"},
      {"0 0 * mon *", "for the month"},
      {"-1 * * * *", R"(, not "-1")"},
      {"1, * * * *", R"(for the minute)"},
      {"+5 * * * *", R"(, not "+5")"},
      {"0 8am * * *", R"(, not "8am")"},
      {"0 0 ? * *", R"(, not "?")"},
      {"99999999999999999999 * * * *", "for the minute"},
      {"0 22-2 * * *", "for the hour 22-23,0-2 (ranges run upwards), not \"22-2\""},
      {"0 0 * nov-feb *", "for the month 11-12,1-2 "},
      {"0 0 * * sat-mon", "for the day of week 6-7,0-1 "},
      {"5/15 * * * *", "5-59/15"},
      {"*/0 * * * *", "a step from 1 to 60"},
      {"*/90 * * * *", "a step from 1 to 60"},
      {"*/x * * * *", "a step from 1 to 60"},
      {"* */25 * * *", "a step from 1 to 24"},
      {"* * * *", "five fields"},
      {"* * * * * * *", "five fields"},
      {"", "five fields"},
      {"@reboot", "@daily"},
      {"@every 5m", "the option every"},
      {"0 0 30 2 *", "a day that comes"},
      {"0 0 31 4,6,9,11 *", "a day that comes"},
      {"0 0 30,31 2 */2", "a day that comes"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK_THAT(FaultOf(row.text), ContainsSubstring(row.says));
    CHECK_THAT(FaultOf(row.text), ContainsSubstring("must "));
  }
  const auto several = FaultOf("60 24 * * 9");
  CHECK_THAT(several, ContainsSubstring("minute") && ContainsSubstring("; ") &&
                          ContainsSubstring("hour") && ContainsSubstring("day of week"));
}

// A field made by chance, its text and the numbers that it means.
struct RandomField {
  std::string text;
  std::set<int> numbers;

  RandomField(Chance& chance, int low, int high) {
    if (chance.Percent(40)) {
      const int step = chance.Percent(50) ? 1 : chance.Pick(2, high - low + 1);
      text = step == 1 ? "*" : "*/" + std::to_string(step);
      Add(low, high, step);
      return;
    }
    const int items = chance.Pick(1, 3);
    for (int i = 0; i < items; ++i) {
      const int a = chance.Pick(low, high), b = chance.Pick(a, high);
      text += (i == 0 ? "" : ",") + std::to_string(a);
      if (a == b) {
        Add(a, a, 1);
        continue;
      }
      const int step = chance.Percent(50) ? 1 : chance.Pick(1, high - low + 1);
      text += "-" + std::to_string(b) + (step == 1 ? "" : "/" + std::to_string(step));
      Add(a, b, step);
    }
  }
  void Add(int from, int to, int step) {
    for (int i = from; i <= to; i += step) numbers.insert(i);
  }
  bool star() const { return text[0] == '*'; }
};

TEST_CASE("a cron text of chance means the minutes that a look at each of them finds",
          "[schedule]") {
  for (const auto seed : Seeds(300)) {
    Chance chance(seed);
    const RandomField minute(chance, 0, 59), hour(chance, 0, 23), day(chance, 1, 31),
        month(chance, 1, 12), weekday(chance, 0, 7);
    const auto text =
        minute.text + " " + hour.text + " " + day.text + " " + month.text + " " + weekday.text;
    CAPTURE(seed, text);
    const auto fits = [&](local_seconds time) {
      const auto midnight = std::chrono::floor<std::chrono::days>(time);
      const std::chrono::year_month_day date(midnight);
      const auto minutes = static_cast<int>((time - midnight) / std::chrono::minutes(1));
      const auto number = static_cast<int>(std::chrono::weekday(midnight).c_encoding());
      const bool by_weekday =
          weekday.numbers.count(number) != 0 || (number == 0 && weekday.numbers.count(7) != 0);
      const bool by_day = day.numbers.count(static_cast<int>(unsigned(date.day()))) != 0;
      const bool either = !day.star() && !weekday.star();
      return month.numbers.count(static_cast<int>(unsigned(date.month()))) != 0 &&
             (either ? by_day || by_weekday : by_day && by_weekday) &&
             hour.numbers.count(minutes / 60) != 0 && minute.numbers.count(minutes % 60) != 0;
    };
    auto cron = Cron::Parse(text);
    if (!cron) {
      CHECK_THAT(cron.error().message, ContainsSubstring("a day that comes"));
      continue;
    }
    // A look at three weeks, from anywhere in a few years.
    auto time = At("2026-01-01T00:00") + std::chrono::minutes(chance.Pick(0, 4 * 366 * 1440));
    const auto end = time + std::chrono::weeks(3);
    auto next = cron->NextLocal(time);
    int wrong = 0;
    for (; time < end; time += std::chrono::minutes(1)) {
      const bool found = next && *next == time;
      if (found != fits(time)) ++wrong;
      if (found) next = cron->NextLocal(time + seconds(1));
    }
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace tower::schedule
