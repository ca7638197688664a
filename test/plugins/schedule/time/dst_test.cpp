// When a cron text fires in a zone whose clocks are set forward and back.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "plugins/schedule/time/times.h"
#include "test/support/seeds.h"

namespace tower::schedule {
namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

Zone ZoneOf(const std::string& name) {
  auto zone = Zone::Load(name);
  REQUIRE(zone);
  return *std::move(zone);
}

Instant Moment(std::string_view text, const Zone& zone) {
  const auto time = ParseTime(text);
  REQUIRE(time);
  return time->In(zone);
}

// What fires after `from` up to `to`, with blanks between.
std::string Fired(std::string_view text, const std::string& name, std::string_view from,
                  std::string_view to) {
  const auto zone = ZoneOf(name);
  auto cron = Cron::Parse(text);
  REQUIRE(cron);
  const Times times(*cron, zone);
  std::string fired;
  const auto end = Moment(to, zone);
  for (auto next = times.Next(Moment(from, zone)); next && *next <= end; next = times.Next(*next)) {
    fired.append(fired.empty() ? "" : " ").append(FormatTime(*next, zone));
  }
  return fired;
}

struct Row {
  const char *cron, *from, *to, *fired;
};

void CheckAll(const std::string& zone, const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    CAPTURE(zone, row.cron);
    CHECK(Fired(row.cron, zone, row.from, row.to) == row.fired);
  }
}

TEST_CASE("a time that clocks skip fires once, at the change", "[schedule]") {
  CheckAll(
      "Europe/Berlin",
      {{"30 2 * * *", "2026-03-28T12:00", "2026-03-30T12:00",
        "2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
       {"0,15,30 2 * * *", "2026-03-28T12:00", "2026-03-29T12:00", "2026-03-29T03:00:00+02:00"},
       {"0 2,3 * * *", "2026-03-28T12:00", "2026-03-29T12:00", "2026-03-29T03:00:00+02:00"},
       {"30 1,2,3 * * *", "2026-03-29T00:00", "2026-03-29T12:00",
        "2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-29T03:30:00+02:00"},
       {"30 2 29 3 *", "2026-01-01T00:00", "2027-01-01T00:00", "2026-03-29T03:00:00+02:00"},
       {"59 59 2 * * *", "2026-03-29T00:00", "2026-03-29T12:00", "2026-03-29T03:00:00+02:00"}});
  CheckAll("America/New_York", {{"15 2 * * *", "2026-03-07T12:00", "2026-03-09T12:00",
                                 "2026-03-08T03:00:00-04:00 2026-03-09T02:15:00-04:00"}});
  // By half an hour.
  CheckAll("Australia/Lord_Howe", {{"15 2 * * *", "2026-10-03T12:00", "2026-10-05T12:00",
                                    "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"}});
  // At midnight.
  CheckAll("America/Sao_Paulo", {{"@daily", "2018-11-03T12:00", "2018-11-05T12:00",
                                  "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"}});
  CheckAll("Asia/Beirut", {{"0 0 * * *", "2026-03-28T12:00", "2026-03-30T12:00",
                            "2026-03-29T01:00:00+03:00 2026-03-30T00:00:00+03:00"}});
  CheckAll("Africa/Cairo", {{"@daily", "2026-04-23T12:00", "2026-04-25T12:00",
                             "2026-04-24T01:00:00+03:00 2026-04-25T00:00:00+03:00"}});
  // A whole day: 2011-12-30 was none.
  CheckAll("Pacific/Apia",
           {{"0 8 * * *", "2011-12-29T00:00", "2012-01-01T00:00",
             "2011-12-29T08:00:00-10:00 2011-12-31T00:00:00+14:00 2011-12-31T08:00:00+14:00"},
            {"0 8 30 12 *", "2011-06-01T00:00", "2012-06-01T00:00", "2011-12-31T00:00:00+14:00"},
            {"0 8 * * fri", "2011-12-28T00:00", "2012-01-07T00:00",
             "2011-12-31T00:00:00+14:00 2012-01-06T08:00:00+14:00"}});
}

TEST_CASE("a time that clocks show twice fires once, the first time", "[schedule]") {
  CheckAll("Europe/Berlin",
           {{"30 2 * * *", "2026-10-24T12:00", "2026-10-26T12:00",
             "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
            {"0,30 1-3 * * *", "2026-10-25T00:00", "2026-10-25T12:00",
             "2026-10-25T01:00:00+02:00 2026-10-25T01:30:00+02:00 2026-10-25T02:00:00+02:00 "
             "2026-10-25T02:30:00+02:00 2026-10-25T03:00:00+01:00 2026-10-25T03:30:00+01:00"}});
  // From the second time on, the first one is over.
  CHECK(Fired("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10:00+01:00", "2026-10-26T12:00") ==
        "2026-10-26T02:30:00+01:00");
  CheckAll("America/New_York", {{"30 1 * * *", "2026-10-31T12:00", "2026-11-02T12:00",
                                 "2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"}});
  CheckAll("Australia/Lord_Howe", {{"45 1 * * *", "2026-04-04T12:00", "2026-04-06T12:00",
                                    "2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"}});
  CheckAll("America/Sao_Paulo", {{"0 0 * * *", "2019-02-16T00:00", "2019-02-18T00:00",
                                  "2019-02-17T00:00:00-03:00 2019-02-18T00:00:00-03:00"},
                                 {"30 23 * * *", "2019-02-16T00:00", "2019-02-18T00:00",
                                  "2019-02-16T23:30:00-02:00 2019-02-17T23:30:00-03:00"}});
  CheckAll("Africa/Cairo", {{"30 23 * * *", "2026-10-29T12:00", "2026-10-31T12:00",
                             "2026-10-29T23:30:00+03:00 2026-10-30T23:30:00+02:00"}});
}

TEST_CASE("a text with * for minute or hour fires by elapsed time", "[schedule]") {
  CheckAll("Europe/Berlin",
           {{"*/20 * * * *", "2026-03-29T01:30", "2026-03-29T03:30",
             "2026-03-29T01:40:00+01:00 2026-03-29T03:00:00+02:00 2026-03-29T03:20:00+02:00"},
            {"30 * * * *", "2026-10-25T01:00", "2026-10-25T04:00",
             "2026-10-25T01:30:00+02:00 2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 "
             "2026-10-25T03:30:00+01:00"},
            {"@hourly", "2026-10-25T01:30", "2026-10-25T03:30",
             "2026-10-25T02:00:00+02:00 2026-10-25T02:00:00+01:00 2026-10-25T03:00:00+01:00"},
            {"*/30 2 * * *", "2026-03-28T12:00", "2026-03-29T12:00", ""},
            {"*/30 2 25 10 *", "2026-10-25T00:00", "2027-10-25T01:00",
             "2026-10-25T02:00:00+02:00 2026-10-25T02:30:00+02:00 2026-10-25T02:00:00+01:00 "
             "2026-10-25T02:30:00+01:00"}});
  CheckAll("Australia/Lord_Howe",
           {{"*/30 * * * *", "2026-04-05T01:00", "2026-04-05T02:30",
             "2026-04-05T01:30:00+11:00 2026-04-05T01:30:00+10:30 2026-04-05T02:00:00+10:30 "
             "2026-04-05T02:30:00+10:30"},
            {"*/30 * * * *", "2026-10-04T01:00", "2026-10-04T03:00",
             "2026-10-04T01:30:00+10:30 2026-10-04T02:30:00+11:00 2026-10-04T03:00:00+11:00"}});
  CheckAll("Pacific/Apia", {{"0 */12 * * *", "2011-12-29T00:00", "2012-01-01T00:00",
                             "2011-12-29T12:00:00-10:00 2011-12-31T00:00:00+14:00 "
                             "2011-12-31T12:00:00+14:00 2012-01-01T00:00:00+14:00"}});
}

TEST_CASE("times of the far future follow the rule of the zone", "[schedule]") {
  CheckAll("Europe/Berlin",
           {{"30 2 31 3 *", "2090-01-01T00:00", "2092-01-01T00:00",
             "2090-03-31T02:30:00+02:00 2091-03-31T02:30:00+02:00"},
            {"30 2 26 3 *", "2090-01-01T00:00", "2091-01-01T00:00", "2090-03-26T03:00:00+02:00"}});
}

// Walks through every minute, and remembers the latest time that clocks have shown.
std::vector<sys_seconds> Look(const Cron& cron, const Zone& zone, sys_seconds from,
                              sys_seconds to) {
  const auto fits = [&](local_seconds time) { return cron.NextLocal(time) == time; };
  std::vector<sys_seconds> fired;
  auto shown = zone.Local(from);
  for (auto past = from - std::chrono::days(2); past < from; past += std::chrono::minutes(1)) {
    shown = std::max(shown, zone.Local(past));
  }
  for (auto time = from + std::chrono::minutes(1); time <= to; time += std::chrono::minutes(1)) {
    const auto local = zone.Local(time);
    bool fires = cron.by_elapsed_time() && fits(local);
    if (!cron.by_elapsed_time()) {
      for (; shown < local; shown += std::chrono::minutes(1)) {
        fires = fires || fits(shown + std::chrono::minutes(1));
      }
    }
    if (fires) fired.push_back(time);
  }
  return fired;
}

TEST_CASE("a cron text of chance fires around a change as a look at each minute finds",
          "[schedule]") {
  const struct {
    const char *zone, *change;
  } changes[] = {
      {"Europe/Berlin", "2026-03-29T01:00Z"},       {"Europe/Berlin", "2026-10-25T01:00Z"},
      {"America/New_York", "2026-03-08T07:00Z"},    {"America/New_York", "2026-11-01T06:00Z"},
      {"Australia/Lord_Howe", "2026-04-04T15:00Z"}, {"Australia/Lord_Howe", "2026-10-03T15:30Z"},
      {"America/Sao_Paulo", "2018-11-04T03:00Z"},   {"America/Sao_Paulo", "2019-02-17T02:00Z"},
      {"Asia/Beirut", "2026-03-28T22:00Z"},         {"Asia/Beirut", "2026-10-24T21:00Z"},
      {"Africa/Cairo", "2026-04-23T22:00Z"},        {"Africa/Cairo", "2026-10-29T21:00Z"},
      {"Pacific/Apia", "2011-12-30T10:00Z"},        {"Antarctica/Troll", "2026-03-29T01:00Z"},
      {"Africa/Casablanca", "2026-02-15T02:00Z"},   {"Pacific/Kwajalein", "1993-08-21T12:00Z"}};
  for (const auto& change : changes) {
    const auto zone = ZoneOf(change.zone);
    const auto middle = std::chrono::floor<seconds>(Moment(change.change, zone));
    REQUIRE(zone.At(middle).begin == middle);
    for (const auto seed : Seeds(60)) {
      Chance chance(seed);
      const auto field = [&](int most, int percent) -> std::string {
        if (chance.Percent(percent))
          return chance.Percent(60) ? "*" : "*/" + std::to_string(chance.Pick(2, 12));
        return std::to_string(chance.Pick(0, most)) + "," + std::to_string(chance.Pick(0, most));
      };
      const auto text = field(59, 30) + " " + field(23, 30) + " * * *";
      const auto cron = Cron::Parse(text);
      REQUIRE(cron);
      const auto from = middle - std::chrono::minutes(chance.Pick(1, 1600));
      const auto to = middle + std::chrono::minutes(2000);
      CAPTURE(seed, text, change.zone, FormatTime(from));
      std::vector<sys_seconds> fired;
      for (auto next = NextTime(*cron, zone, from); next && *next <= to;
           next = NextTime(*cron, zone, *next)) {
        fired.push_back(*next);
      }
      REQUIRE(fired == Look(*cron, zone, from, to));
    }
  }
}

TEST_CASE("an interval fires at the multiples of its length since 1970", "[schedule]") {
  const auto text = [](const Times& times, std::string_view after) {
    const auto next = times.Next(Moment(after, Zone()));
    return next ? FormatTime(*next) : "never";
  };
  const Times ninety(std::chrono::minutes(90));
  CHECK(text(ninety, "2026-05-01T00:00Z") == "2026-05-01T01:30:00Z");
  CHECK(text(ninety, "2026-05-01T01:29:59.999Z") == "2026-05-01T01:30:00Z");
  CHECK(text(ninety, "2026-05-01T01:30Z") == "2026-05-01T03:00:00Z");
  CHECK(text(ninety, "1969-12-31T23:30Z") == "1970-01-01T00:00:00Z");
  CHECK(text(Times(std::chrono::hours(7 * 24)), "2026-05-01T00:00Z") == "2026-05-07T00:00:00Z");
  CHECK(text(Times(std::chrono::milliseconds(250)), "2026-05-01T00:00:00.3Z") ==
        "2026-05-01T00:00:00.500Z");
}

TEST_CASE("a list of times fires each of them, in order", "[schedule]") {
  const auto zone = ZoneOf("Europe/Berlin");
  std::vector<Instant> moments;
  for (const auto* text : {"2026-10-25T02:30", "2026-03-29T02:30", "2026-05-01T08:00:00.25",
                           "2026-05-01T00:00:00Z", "2026-05-01T02:00+02:00"}) {
    moments.push_back(Moment(text, zone));
  }
  const Times times(moments);
  std::string fired;
  for (auto next = times.Next(Instant()); next; next = times.Next(*next)) {
    fired += FormatTime(*next, zone) + " ";
  }
  CHECK(fired ==
        "2026-03-29T03:00:00+02:00 2026-05-01T02:00:00+02:00 2026-05-01T08:00:00.250+02:00 "
        "2026-10-25T02:30:00+02:00 ");
}

TEST_CASE("a time that is written in another way is none", "[schedule]") {
  for (const auto* text :
       {"", "2026-05-01", "2026-05-01T8:00", "2026-05-01T24:00", "2026-05-01T08:60",
        "2026-05-01T08:00:60", "2026-02-29T08:00", "2026-13-01T08:00", "2026-05-01T08:00:00.",
        "2026-05-01T08:00+2", "2026-05-01T08:00+0200", "2026-05-01T08:00ZZ", "2026-05-01T08:00 ",
        "20260501T080000Z", "-026-05-01T08:00", "tomorrow"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTime(text));
  }
  const auto zone = ZoneOf("Asia/Kathmandu");
  CHECK(FormatTime(Moment("2026-05-01t08:00:00.5+05:45", Zone()), zone) ==
        "2026-05-01T08:00:00.500+05:45");
  CHECK(FormatTime(Moment("2026-05-01 08:00:00-03:30", Zone())) == "2026-05-01T11:30:00Z");
  CHECK(FormatTime(Moment("1880-01-01T00:00Z", Zone()), zone) == "1880-01-01T00:00:00Z");
}

}  // namespace
}  // namespace tower::schedule
