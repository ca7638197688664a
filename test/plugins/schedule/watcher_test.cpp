// The plugin as it is linked in: its options, and the clock of the system.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <stdexcept>

#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Options = WatcherHarness::Options;
using std::chrono::milliseconds;

constexpr const char* kTrigger = R"({"apiVersion":"T/v1","protocol":"Wash","spec":{}})";

Options With(Options more) {
  more.push_back({"trigger", {kTrigger}});
  return more;
}

// What is wrong with options, or with the world.
std::string FaultOf(const Options& options) {
  TestQueue queue;
  try {
    WatcherHarness watcher(queue, "schedule", options);
    const auto check = watcher.Check();
    return check ? "" : check.error().message;
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST_CASE("a schedule that can't be is refused with what to set", "[schedule]") {
  const struct {
    Options options;
    const char* says;
  } rows[] = {
      {With({}), "set one of cron"},
      {With({{"cron", {"@daily"}}, {"every", {"1h"}}}), "only one of cron, every and at"},
      {With({{"at", {"2026-05-01T08:00"}}, {"every", {"1h"}}}), "only one of cron, every and at"},
      {{{"cron", {"@daily"}}}, "set trigger, or map or map-file"},
      {With({{"cron", {"@daily"}}, {"map", {"event"}}}), "not both"},
      {{{"cron", {"@daily"}},
        {"trigger",
         {R"({"apiVersion":"T/v1","protocol":"P","spec":{},"uuid":"01890a5d-ac96-774b-bcce-b302099a8057"})"}}},
       "no uuid"},
      {With({{"cron", {"0 25 * * *"}}}), "for the hour 0 to 23"},
      {With({{"every", {"99ms"}}}), "from 100ms to 3660d"},
      {With({{"every", {"3661d"}}}), "from 100ms to 3660d"},
      {With({{"at", {"2026-05-01T08:00", "noon"}}}), "must be times such as"},
      {With({{"cron", {"@daily"}}, {"timezone", {"../UTC"}}}), "IANA name such as Europe/Berlin"},
      {With({{"cron", {"@daily"}}, {"timezone", {"Europe/Berln"}}}),
       "time zone Europe/Berln: there is no zone"},
      {With({{"cron", {"@daily"}}, {"catch-up", {"some"}}}), "one of none, last, all"},
      {With({{"cron", {"@daily"}}, {"max-age", {"9s"}}}), "from 10s"},
  };
  for (const auto& row : rows) {
    INFO(row.says);
    CHECK_THAT(FaultOf(row.options), ContainsSubstring(row.says));
  }
  CHECK(FaultOf(With({{"cron", {"@daily"}}, {"timezone", {"Europe/Berlin"}}})).empty());
  CHECK(FaultOf(With({{"every", {"100ms"}}})).empty());
}

TEST_CASE("a zone that is not there stops the watcher when it runs", "[schedule]") {
  TestQueue queue;
  WatcherHarness watcher(queue, "schedule",
                         With({{"cron", {"@daily"}}, {"timezone", {"Europe/Berln"}}}));
  watcher.Start();
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  REQUIRE_FALSE(watcher.result());
  CHECK(watcher.result().error().code == ErrorCode::kPermanent);
}

TEST_CASE("by the clock of the system, a trigger comes with each multiple of the interval",
          "[schedule]") {
  TestQueue queue;
  // With all, a machine that stalls makes triggers late, not fewer.
  WatcherHarness watcher(queue, "schedule", With({{"every", {"200ms"}}, {"catch-up", {"all"}}}));
  const auto began = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  watcher.Start();
  const auto taken = queue.Take(6);
  REQUIRE(taken.size() == 6);
  CHECK(watcher.Stop());
  for (const auto& trigger : taken) CHECK(trigger.protocol == "Wash");
  CHECK(taken[5].accepted_at > began + 5 * milliseconds(200));  // none before its time
  const auto checkpoint = queue->Checkpoint("test", "schedule").value().value();
  CHECK(std::stoll(checkpoint.substr(checkpoint.find(' '))) % 200 == 0);
}

TEST_CASE("a schedule that waits stops at once", "[schedule]") {
  TestQueue queue;
  WatcherHarness watcher(queue, "schedule", With({{"at", {"2999-01-01T00:00:00Z"}}}));
  watcher.Start();
  REQUIRE(watcher.WaitForSuccesses(2));  // the first checkpoint, and a look at the clock
  const auto began = std::chrono::steady_clock::now();
  CHECK(watcher.Stop());
  CHECK(std::chrono::steady_clock::now() - began < milliseconds(4000));
  CHECK(queue.Empty());
}

}  // namespace
}  // namespace tower
