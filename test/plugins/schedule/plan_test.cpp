// What is to be done, given what was done and what the clock says.
#include "plugins/schedule/plan.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

namespace tower::schedule {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Instant At(std::string_view text) {
  const auto time = ParseTime("2026-05-" + std::string(text) + "Z");
  REQUIRE(time);
  return time->In(Zone());
}

Times ByCron(std::string_view text) {
  auto cron = Cron::Parse(text);
  REQUIRE(cron);
  return {*std::move(cron), Zone()};
}

std::string Text(const std::optional<Instant>& time) {
  return time ? FormatTime(*time).substr(8) : "-";
}

// All that fires when the clock says `now`, then what is waited for.
std::string Fired(const Times& times, Instant until, Instant now, const Policy& policy) {
  std::string fired;
  while (true) {
    const auto step = Plan(times, until, now, policy);
    if (!step.fire && !step.skipped) return fired + "then " + Text(step.next);
    if (step.skipped) fired += "skips from " + Text(step.skipped) + " ";
    if (step.fire) fired += Text(step.fire) + (step.late ? " late " : " ");
    REQUIRE(step.until > until);
    REQUIRE(step.until <= now);
    until = step.until;
  }
}

TEST_CASE("a time fires when it comes, and is waited for until then", "[schedule]") {
  const auto times = ByCron("0 8 * * *");
  for (const auto catch_up : {CatchUp::kNone, CatchUp::kLast, CatchUp::kAll}) {
    const Policy policy{catch_up, hours(24)};
    CHECK(Fired(times, At("01T08:00"), At("02T07:59:59.999"), policy) == "then 02T08:00:00Z");
    CHECK(Fired(times, At("01T08:00"), At("02T08:00"), policy) == "02T08:00:00Z then 03T08:00:00Z");
    CHECK(Fired(times, At("01T08:00"), At("02T08:00:10"), policy) ==
          "02T08:00:00Z then 03T08:00:00Z");
    // A clock that was set back a little: what fired does not fire again.
    CHECK(Fired(times, At("02T08:00"), At("02T07:30"), policy) == "then 03T08:00:00Z");
  }
}

TEST_CASE("what was missed fires as catch-up says", "[schedule]") {
  const auto times = ByCron("0 8 * * *");
  const auto fired = [&](CatchUp catch_up, hours max_age, std::string_view now) {
    return Fired(times, At("01T08:00"), At(now), {catch_up, max_age});
  };
  CHECK(fired(CatchUp::kNone, hours(240), "04T09:00") ==
        "skips from 02T08:00:00Z then 05T08:00:00Z");
  CHECK(fired(CatchUp::kLast, hours(240), "04T09:00") ==
        "skips from 02T08:00:00Z 04T08:00:00Z late then 05T08:00:00Z");
  CHECK(fired(CatchUp::kAll, hours(240), "04T09:00") ==
        "02T08:00:00Z late 03T08:00:00Z late 04T08:00:00Z late then 05T08:00:00Z");
  // No older than max-age, to the millisecond.
  CHECK(fired(CatchUp::kAll, hours(25), "04T09:00") ==
        "skips from 02T08:00:00Z 03T08:00:00Z late 04T08:00:00Z late then 05T08:00:00Z");
  CHECK(fired(CatchUp::kAll, hours(25), "04T09:00:00.001") ==
        "skips from 02T08:00:00Z 04T08:00:00Z late then 05T08:00:00Z");
  CHECK(fired(CatchUp::kLast, hours(1), "04T09:00") ==
        "skips from 02T08:00:00Z 04T08:00:00Z late then 05T08:00:00Z");
  CHECK(fired(CatchUp::kLast, hours(1), "04T09:00:00.001") ==
        "skips from 02T08:00:00Z then 05T08:00:00Z");
  // The last one is on time, whatever came before.
  CHECK(fired(CatchUp::kNone, hours(240), "04T08:00:02") ==
        "skips from 02T08:00:00Z 04T08:00:00Z then 05T08:00:00Z");
  CHECK(fired(CatchUp::kNone, hours(240), "04T08:00:10.001") ==
        "skips from 02T08:00:00Z then 05T08:00:00Z");
}

TEST_CASE("years away cost no more than an hour", "[schedule]") {
  const Times often(milliseconds(100));
  const auto now = At("04T09:00:00.050");
  CHECK(Fired(often, Instant(), now, {CatchUp::kLast, hours(24)}) ==
        "skips from 01T00:00:00.100Z 04T09:00:00Z then 04T09:00:00.100Z");
  CHECK(Fired(ByCron("* * * * * *"), Instant(), now, {CatchUp::kLast, hours(24 * 3660)}) ==
        "skips from 01T00:00:01Z 04T09:00:00Z then 04T09:00:01Z");
  CHECK(Fired(often, Instant(), now, {CatchUp::kNone, hours(24)}) ==
        "skips from 01T00:00:00.100Z 04T09:00:00Z then 04T09:00:00.100Z");
}

TEST_CASE("a list of times comes to an end", "[schedule]") {
  const Times times({At("01T08:00"), At("02T08:00")});
  const Policy policy{CatchUp::kAll, hours(24)};
  CHECK(Fired(times, At("01T00:00"), At("01T07:00"), policy) == "then 01T08:00:00Z");
  CHECK(Fired(times, At("01T00:00"), At("02T08:00"), policy) ==
        "01T08:00:00Z late 02T08:00:00Z then -");
  CHECK(Fired(times, At("02T08:00"), At("03T00:00"), policy) == "then -");
}

TEST_CASE("a clock that ran days ahead is told from one that was set back a little", "[schedule]") {
  CHECK_FALSE(IsFromWrongClock(At("02T08:00"), At("02T08:00")));
  CHECK_FALSE(IsFromWrongClock(At("02T08:00"), At("01T08:00")));
  CHECK(IsFromWrongClock(At("02T08:00:00.001"), At("01T08:00")));
}

TEST_CASE("a checkpoint is read as it was written, and nothing else is one", "[schedule]") {
  const Checkpoint checkpoint{"abc", At("02T08:00:00.123")};
  CHECK(Decode(Encode(checkpoint)) == checkpoint);
  for (const auto* text : {"", "abc", "abc ", " 12", "abc x", "abc 12 ", "abc -1", "abc 12 13",
                           "abc 253402300800001", "abc 99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(Decode(text));
  }
}

}  // namespace
}  // namespace tower::schedule
