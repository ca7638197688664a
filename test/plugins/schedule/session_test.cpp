// Lives of a schedule: what fires in them, and what is remembered from one to the next.
#include "plugins/schedule/session.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/schedule/house.h"

namespace tower::schedule {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr const char* kTrigger = R"({"apiVersion":"T/v1","protocol":"Wash","spec":{"ml":1.0}})";

House::Options Daily(const House::Options& more = {}) {
  House::Options options = {{"cron", "0 8 * * *"}, {"trigger", kTrigger}};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

TEST_CASE("a schedule fires from its first start on, on time", "[schedule]") {
  House house;
  REQUIRE(house.Run(Daily(), "2026-05-01T08:00:00Z", "2026-05-04T07:00Z"));
  CHECK(house.Fired() == "05-02T08:00:00Z 05-03T08:00:00Z");
  const auto taken = house.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].source == "lab");
  CHECK(taken[0].uuid != taken[1].uuid);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("spec":{"ml":1.0})"));
  CHECK(house.Count() == 0);
}

TEST_CASE("waiting for months is one wait, and a clock in a zone is followed", "[schedule]") {
  House house;
  REQUIRE(house.Run({{"cron", "30 2 29 3 *"}, {"timezone", "Europe/Berlin"}, {"trigger", kTrigger}},
                    "2025-04-01T00:00Z", "2026-04-01T00:00Z"));
  CHECK(house.Fired() == "03-29T01:00:00Z");
  CHECK(house.clock.waits == 2);
}

TEST_CASE("after a restart in time nothing is lost, and nothing fires twice", "[schedule]") {
  House house;
  REQUIRE(house.Run(Daily(), "2026-05-01T00:00Z", "2026-05-01T08:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z");
  house.queue.Reopen();
  REQUIRE(house.Run(Daily(), "2026-05-01T08:00:00.5Z", "2026-05-02T07:59:59Z"));
  CHECK(house.Fired().empty());
  REQUIRE(house.Run(Daily(), "2026-05-02T08:00:04Z", "2026-05-02T09:00Z"));
  CHECK(house.Fired() == "05-02T08:00:00Z at 05-02T08:00:04Z");
  CHECK(house.Count() == 2);
}

TEST_CASE("what passed while nothing ran fires as catch-up says", "[schedule]") {
  const auto after_downtime = [](const House::Options& options) {
    House house;
    // Not even the first time had fired.
    REQUIRE(house.Run(options, "2026-05-01T07:00Z", "2026-05-01T07:30Z"));
    house.queue.Reopen();
    REQUIRE(house.Run(options, "2026-05-04T09:00Z", "2026-05-05T08:00Z"));
    house.queue.Reopen();
    REQUIRE(house.Run(options, "2026-05-05T08:00:01Z", "2026-05-05T12:00Z"));
    return house.Fired();
  };
  const std::string late = " at 05-04T09:00:00Z ", last = "05-05T08:00:00Z";
  CHECK(after_downtime(Daily()) == "05-04T08:00:00Z" + late + last);
  CHECK(after_downtime(Daily({{"catch-up", "none"}})) == last);
  CHECK(after_downtime(Daily({{"max-age", "59m"}})) == last);
  CHECK(after_downtime(Daily({{"catch-up", "all"}, {"max-age", "49h"}})) ==
        "05-02T08:00:00Z" + late + "05-03T08:00:00Z" + late + "05-04T08:00:00Z" + late + last);
  CHECK(after_downtime(Daily({{"catch-up", "all"}})) == "05-04T08:00:00Z" + late + last);
}

TEST_CASE("times that do not fire are reported once", "[schedule]") {
  const CapturedLogs logs;
  House house;
  const auto options = Daily({{"catch-up", "none"}});
  REQUIRE(house.Run(options, "2026-05-01T07:00Z", "2026-05-01T07:30Z"));
  REQUIRE(house.Run(options, "2026-05-04T09:00Z", "2026-05-04T10:00Z"));
  CHECK_THAT(logs.text(), ContainsSubstring("missed runs do not fire") &&
                              ContainsSubstring(R"("from":"2026-05-01T08:00:00Z")"));
  const auto before = logs.text().size();
  REQUIRE(house.Run(options, "2026-05-04T10:00Z", "2026-05-04T11:00Z"));
  CHECK(logs.text().substr(before).find("missed") == std::string::npos);
}

TEST_CASE("a death between two times to catch up with loses none and repeats none", "[schedule]") {
  House house;
  const House::Options options = {
      {"every", "1h"}, {"catch-up", "all"}, {"max-age", "7d"}, {"trigger", kTrigger}};
  REQUIRE(house.Run(options, "2026-05-01T00:30Z", "2026-05-01T00:40Z"));
  for (int hour = 1; hour <= 10; ++hour) {  // one death for each time
    house.on_fire = [] { throw std::runtime_error("killed"); };
    CHECK_THROWS(house.Run(options, "2026-05-01T10:30Z", "2026-05-01T10:40Z"));
    house.queue.Reopen();
    CHECK_THAT(
        house.Fired(),
        ContainsSubstring(
            FormatTime(TimeOf("2026-05-01T00:00Z") + std::chrono::hours(hour)).substr(5) + " at"));
  }
  house.on_fire = {};
  REQUIRE(house.Run(options, "2026-05-01T10:30Z", "2026-05-01T10:40Z"));
  CHECK(house.Fired().empty());
  CHECK(house.Count() == 10);
}

TEST_CASE("another schedule begins anew, so that an old checkpoint makes no flood", "[schedule]") {
  House house;
  const auto with = [](const std::string& name, const std::string& value) {
    return House::Options{{name, value}, {"catch-up", "all"}, {"trigger", kTrigger}};
  };
  REQUIRE(house.Run(with("cron", "0 8 * * *"), "2026-05-01T00:00Z", "2026-05-01T12:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z");
  REQUIRE(house.Run(with("every", "1h"), "2026-05-01T23:30Z", "2026-05-02T00:00Z"));
  CHECK(house.Fired() == "05-02T00:00:00Z");
  REQUIRE(house.Run(with("every", "30m"), "2026-05-02T02:15Z", "2026-05-02T02:30Z"));
  CHECK(house.Fired() == "05-02T02:30:00Z");
  REQUIRE(house.Run(with("cron", "* * * * *"), "2026-05-02T10:00:30Z", "2026-05-02T10:01Z"));
  CHECK(house.Fired() == "05-02T10:01:00Z");
  auto elsewhere = with("cron", "* * * * *");
  elsewhere.emplace_back("timezone", "Asia/Tokyo");
  REQUIRE(house.Run(elsewhere, "2026-05-02T11:00:30Z", "2026-05-02T11:01Z"));
  CHECK(house.Fired() == "05-02T11:01:00Z");
  // The same one in other words, and with another trigger.
  elsewhere = {{"cron", " *  * * * *"}, {"timezone", "Asia/Tokyo"}, {"trigger", kTrigger}};
  elsewhere[2].second.replace(elsewhere[2].second.find("Wash"), 4, "Rinse");
  REQUIRE(house.Run(elsewhere, "2026-05-02T11:05:30Z", "2026-05-02T11:06Z"));
  CHECK(house.Fired() == "05-02T11:05:00Z at 05-02T11:05:30Z 05-02T11:06:00Z");
}

TEST_CASE("a list of times may grow and shrink without losing what is due", "[schedule]") {
  House house;
  const auto at = [](const std::string& times) {
    return House::Options{{"at", times}, {"trigger", kTrigger}, {"catch-up", "all"}};
  };
  // At the first start what has passed stays so.
  REQUIRE(
      house.Run(at("2026-05-01T07:00,2026-05-01T09:00"), "2026-05-01T08:00Z", "2026-05-01T08:30Z"));
  CHECK(house.Fired().empty());
  REQUIRE(house.Run(at("2026-05-01T09:00Z,2026-05-01T09:30:00.5,2026-05-01T14:00+02:00"),
                    "2026-05-01T09:10Z", "2026-05-01T13:00Z"));
  CHECK(house.Fired() == "05-01T09:00:00Z at 05-01T09:10:00Z 05-01T09:30:00.500Z 05-01T12:00:00Z");
  REQUIRE(house.Run(at("2026-05-01T14:00+02:00"), "2026-05-01T14:00Z", "2027-05-01T13:00Z"));
  CHECK(house.Fired().empty());
}

TEST_CASE("a clock that is set forward has missed what it stepped over", "[schedule]") {
  House house;
  house.clock.sets[TimeOf("2026-05-01T07:00Z")] = TimeOf("2026-05-01T08:30Z");
  house.clock.sets[TimeOf("2026-05-02T07:00Z")] = TimeOf("2026-05-02T08:00:02Z");
  REQUIRE(house.Run(Daily(), "2026-05-01T06:00Z", "2026-05-03T07:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z at 05-01T08:30:00Z 05-02T08:00:00Z at 05-02T08:00:02Z");
}

TEST_CASE("a clock that is set back does not fire again what has fired", "[schedule]") {
  House house;
  house.clock.sets[TimeOf("2026-05-01T08:01Z")] = TimeOf("2026-05-01T07:00Z");
  REQUIRE(house.Run(Daily(), "2026-05-01T06:00Z", "2026-05-02T09:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z 05-02T08:00:00Z");
  REQUIRE(house.Run(Daily(), "2026-05-01T20:00Z", "2026-05-02T09:00Z"));
  CHECK(house.Fired().empty());
}

TEST_CASE("a clock that was years ahead does not silence a schedule", "[schedule]") {
  const CapturedLogs logs;
  House house;
  REQUIRE(house.Run(Daily(), "2036-05-01T06:00Z", "2036-05-01T09:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z");
  REQUIRE(house.Run(Daily(), "2026-05-01T06:00Z", "2026-05-01T09:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z");
  CHECK_THAT(logs.text(), ContainsSubstring("the clock was set back by more than a day"));
}

TEST_CASE("the same moment fires once, whatever schedule it comes from", "[schedule]") {
  House house;
  REQUIRE(house.Run(Daily(), "2026-05-01T06:00Z", "2026-05-01T08:00Z"));
  CHECK(house.Count() == 1);
  house.queue.Reopen();
  auto twice = Daily();
  twice[0].second = "0 8,20 * * *";
  REQUIRE(house.Run(twice, "2026-05-01T07:59:59Z", "2026-05-01T20:00Z"));
  CHECK(house.Count() == 1);  // at 20:00
}

TEST_CASE("a time whose event is no trigger is reported, and the next one fires", "[schedule]") {
  const CapturedLogs logs;
  House house;
  const House::Options options = {{"cron", "0 8 * * *"}, {"map", "event.scheduledAt"}};
  REQUIRE(house.Run(options, "2026-05-01T06:00Z", "2026-05-03T06:00Z"));
  CHECK(house.rejected.value() == 2);
  const auto notes = house.notes.Read();
  REQUIRE(notes.last_rejection);
  CHECK_THAT(notes.last_rejection->why, ContainsSubstring("2026-05-02T08:00:00Z: "));
  REQUIRE(notes.next_fire);
  CHECK(FormatTime(*notes.next_fire) == "2026-05-03T08:00:00Z");
  CHECK_THAT(logs.text(),
             ContainsSubstring("run rejected") && ContainsSubstring("2026-05-01T08:00:00Z"));
  house.queue.Reopen();
  REQUIRE(house.Run(Daily(), "2026-05-03T06:00Z", "2026-05-03T08:00Z"));
  CHECK(house.Fired() == "05-03T08:00:00Z");
}

TEST_CASE("a script sees the time and whether it is late, and may let it pass", "[schedule]") {
  House house;
  const House::Options options = {
      {"cron", "0 8,20 * * *"},
      {"timezone", "Europe/Berlin"},
      {"map", R"(not event.scheduledAt:find("T20") and )"
              R"({apiVersion = "T/v1", protocol = event.name, spec = event} or nil)"}};
  REQUIRE(house.Run(options, "2026-03-28T00:00Z", "2026-03-28T20:00Z"));
  house.queue.Reopen();
  REQUIRE(house.Run(options, "2026-03-29T06:01Z", "2026-03-30T07:00Z"));
  CHECK(house.Fired() == "03-28T07:00:00Z 03-29T06:00:00Z at 03-29T06:01:00Z 03-30T06:00:00Z");
  const auto taken = house.queue.Take(3);
  REQUIRE(taken.size() == 3);
  const auto spec = [](const std::string& at, const std::string& fired, bool late) {
    return R"("spec":{"firedAt":")" + fired + R"(","late":)" + (late ? "true" : "false") +
           R"(,"name":"lab","scheduledAt":")" + at + "\"}";
  };
  const std::string days[] = {"2026-03-28T08:00:00+01:00", "2026-03-29T08:00:00+02:00",
                              "2026-03-30T08:00:00+02:00"};
  CHECK_THAT(taken[0].body, ContainsSubstring(spec(days[0], days[0], false)));
  CHECK_THAT(taken[1].body, ContainsSubstring(spec(days[1], "2026-03-29T08:01:00+02:00", true)));
  CHECK_THAT(taken[2].body, ContainsSubstring(spec(days[2], days[2], false)));
  CHECK(taken[0].protocol == "lab");
  CHECK(house.rejected.value() == 0);
}

TEST_CASE("a queue that fails ends the run, and the time fires in the next one", "[schedule]") {
  House house;
  REQUIRE(house.Run(Daily(), "2026-05-01T06:00Z", "2026-05-01T07:00Z"));
  house.queue->Close();
  const auto failed = house.Run(Daily(), "2026-05-01T07:00Z", "2026-05-01T09:00Z");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::kStopped);
  house.queue.Reopen();
  REQUIRE(house.Run(Daily(), "2026-05-01T08:20Z", "2026-05-01T09:00Z"));
  CHECK(house.Fired() == "05-01T08:00:00Z at 05-01T08:20:00Z");
}

TEST_CASE("a checkpoint of another plugin stops the watcher", "[schedule]") {
  House house;
  const CheckpointChange change{"schedule", "something else"};
  REQUIRE(house.queue->Put({}, {.source = "lab", .checkpoints = std::span(&change, 1)}));
  const auto run = house.Run(Daily(), "2026-05-01T06:00Z", "2026-05-01T07:00Z");
  REQUIRE_FALSE(run);
  CHECK(run.error().code == ErrorCode::kPermanent);
}

}  // namespace
}  // namespace tower::schedule
