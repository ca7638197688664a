// What the service can do wrong.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/riffyn/lab.h"

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;
using Clock = std::chrono::steady_clock;

TEST_CASE("401 and 403 end the watcher for good, and the key is nowhere to be seen", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  SECTION("the key is wrong") { lab.Watch({{"api-key", {"not-the-key"}}}); }
  SECTION("forbidden") {
    lab.server.Break("/experiments", {.status = 403});
    lab.Watch();
  }
  SECTION("forbidden here") {
    lab.server.Break(GENERATE("/run-groups", "/runs", "/activity/", "/data/raw"), {.status = 403});
    lab.Watch();
  }
  REQUIRE(Eventually([&] { return lab.watcher->ended(); }));
  REQUIRE_FALSE(lab.watcher->result());
  const auto& error = lab.watcher->result().error();
  CHECK(error.code == ErrorCode::kPermanent);
  CHECK_THAT(error.message, ContainsSubstring("the API key is not accepted"));
  CHECK(error.message.find("the-key") == std::string::npos);
  CHECK(lab.Count("the-key") == 0);
  CHECK(lab.queue.Empty());
}

// The faults that make the supervisor back off.
Fault AnyFault() {
  return GENERATE(Fault{.status = 500}, Fault{.status = 503, .body = ""}, Fault{.cut = true},
                  Fault{.status = 404}, Fault{.status = 200},
                  Fault{.status = 200, .body = R"({"data":{"error":"none"}})"});
}

TEST_CASE("without the list of experiments the watcher backs off, and goes on later", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  lab.server.Break("/experiments", AnyFault());
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  REQUIRE_FALSE(watcher.result());
  CHECK(watcher.result().error().code == ErrorCode::kUnavailable);
  CHECK_THAT(watcher.result().error().message, ContainsSubstring("/v1/experiments"));
  CHECK(watcher.result().error().message.find("limit") == std::string::npos);
  lab.server.Mend();
  lab.AddRun("run2");
  watcher.Start();
  CHECK(lab.TakeRuns(1) == Strings{"run2"});
  CHECK(lab.NothingMore());
}

TEST_CASE("the watcher backs off when its server is not there", "[riffyn]") {
  Lab lab;
  auto& watcher = lab.Watch({{"url", {"http://127.0.0.1:1/v1"}}});
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  REQUIRE_FALSE(watcher.result());
  CHECK(watcher.result().error().code == ErrorCode::kUnavailable);
}

TEST_CASE("when no experiment can be read the watcher backs off", "[riffyn]") {
  Lab lab;
  lab.AddExperiment("exp2");
  lab.server.Break(GENERATE("/run-groups", "/runs"), AnyFault());
  auto& watcher = lab.Watch();
  for (int tries = 0; tries < 3; ++tries) {
    REQUIRE(Eventually([&] { return watcher.ended(); }));
    REQUIRE_FALSE(watcher.result());
    CHECK(watcher.result().error().code == ErrorCode::kUnavailable);
    watcher.Start();
  }
}

TEST_CASE("a fault in one experiment or group is reported once and holds up no other", "[riffyn]") {
  Lab lab;
  lab.AddExperiment("exp2");
  lab.server.Change([](World& world) {
    world.experiments[0].groups.push_back({.id = "group2", .runs = {Lab::MakeRun("run2")}});
  });
  lab.AddRun("run1");
  lab.Add(Lab::MakeRun("run3"), "exp2");
  const bool whole = GENERATE(true, false);
  lab.server.Break(whole ? "/experiment/exp/run-groups" : "/experiment/exp/run-group/group/runs",
                   AnyFault());
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(whole ? 1 : 2) == (whole ? Strings{"run3"} : Strings{"run2", "run3"}));
  CHECK(lab.NothingMore());
  CHECK_FALSE(watcher.ended());
  CHECK(lab.Count("problem with a resource") == 1);
  lab.server.Mend();
  CHECK(lab.TakeRuns(whole ? 2 : 1) == (whole ? Strings{"run1", "run2"} : Strings{"run1"}));
  CHECK(lab.Count("recovered") == 1);
  // While it could not be read, nothing of it was forgotten.
  lab.server.Break("/experiment/exp/", {.status = 500});
  CHECK(lab.Polls(10));
  lab.server.Mend();
  CHECK(Eventually([&] { return lab.Count("recovered") >= 2; }));
  CHECK(lab.NothingMore());
}

TEST_CASE("a run whose data can't be read is tried again, and holds up no other", "[riffyn]") {
  Lab lab;
  for (const auto* id : {"run1", "run2", "run3"}) lab.AddRun(id);
  lab.server.Break("rid=run2", AnyFault());
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(2) == Strings{"run1", "run3"});
  lab.AddRun("run4");
  CHECK(lab.TakeRuns(1) == Strings{"run4"});
  CHECK(lab.Polls(10));
  CHECK_FALSE(watcher.ended());
  CHECK(lab.Count("(run run2)") == 1);
  CHECK(watcher.rejected.value() == 0);
  lab.server.Mend();
  CHECK(lab.TakeRuns(1) == Strings{"run2"});
  CHECK(lab.NothingMore());
}

TEST_CASE("a run without a data table is not triggered with nothing", "[riffyn]") {
  Lab lab;
  auto run = Lab::MakeRun("run1");
  run.has_table = false;
  lab.Add(run);
  lab.AddRun("run2");
  lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run2"});
  CHECK(lab.NothingMore());
  CHECK(lab.Count("no table of run run1") == 1);
  lab.server.Change([](World& world) { world.At("run1").has_table = true; });
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
}

TEST_CASE("a run whose activity was deleted holds up no other", "[riffyn]") {
  Lab lab;
  auto run = Lab::MakeRun("run1");
  run.activity = "gone";
  lab.Add(run);
  lab.AddRun("run2");
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run2"});
  CHECK(lab.Polls(10));
  CHECK(lab.Count("activity gone of experiment exp") == 1);
  CHECK(lab.server.CountAsked("/activity/gone") < 9);
  CHECK_FALSE(watcher.ended());
  lab.server.Change([](World& world) {
    auto step = world.experiments[0].activities[0];
    step.id = "gone";
    world.experiments[0].activities.push_back(step);
  });
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
}

TEST_CASE("a run that can't become a trigger is reported and counted once", "[riffyn]") {
  Lab lab;
  lab.server.Change([](World& world) {
    world.experiments[0].activities.push_back({"nameless", " ", {{"arm", {}}}});
  });
  auto run = Lab::MakeRun("run1");
  run.activity = "nameless";
  lab.Add(run);
  lab.AddRun("run2");
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run2"});
  CHECK(lab.NothingMore());
  CHECK(watcher.rejected.value() == 1);
  CHECK(lab.Count("/protocol") == 1);
  auto& again = lab.Restart();
  CHECK(lab.NothingMore());
  CHECK(again.rejected.value() == 0);
}

TEST_CASE("what is odd in a list is reported once, and ends no run", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  std::string body, report;
  SECTION("a status that nobody knows") {
    body = R"({"data":[{"id":"run1","status":"paused"}]})";
    report = "paused";
  }
  SECTION("a run without an id") {
    body = R"({"data":[{"name":"run1","status":"running"}]})";
    report = "have no id";
  }
  SECTION("a run without an activity") {
    body = R"({"data":[{"id":"run1","status":"running"}]})";
    report = "no activity_id";
  }
  lab.server.Break("/runs", {.status = 200, .body = body});
  CHECK(lab.Polls(5));
  CHECK(lab.Count(report) == 1);
  lab.server.Mend();
  CHECK(lab.NothingMore());
  // Those beside it start.
  lab.server.Break("/runs", {.status = 200,
                             .body = body.substr(0, body.size() - 2) +
                                     R"(,{"id":"run2","num":1,"status":"running","activityId":"act",
                                          "inputs":[{"resourceName":"A/v1","resourceDefId":"x"}]}]})"});
  CHECK(Eventually([&] { return lab.Count("the activity has no input x") == 1; }));
}

TEST_CASE("429 is waited for as long as it says", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  lab.server.Break(GENERATE("/experiments", "/runs", "/data/raw"),
                   {.status = 429, .retry_after = "1"}, 1);
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  CHECK_FALSE(watcher.ended());
  const auto asked = lab.server.asked();
  Clock::duration longest{};
  for (std::size_t i = 1; i < asked.size(); ++i) {
    longest = std::max(longest, asked[i].at - asked[i - 1].at);
  }
  CHECK(longest >= std::chrono::seconds(1));
  CHECK(lab.Count("throttled") == 1);
}

TEST_CASE("a stop ends the wait of a 429", "[riffyn]") {
  Lab lab;
  lab.server.Break("/experiments", {.status = 429, .retry_after = "3600"});
  lab.Watch();
  REQUIRE(Eventually([&] { return lab.Count("throttled") == 1; }));
  const auto before = Clock::now();
  CHECK(lab.watcher->Stop());
  CHECK(Clock::now() - before < std::chrono::seconds(20));
  CHECK(lab.server.asked().size() == 1);
}

TEST_CASE("a 429 that does not end makes the watcher back off", "[riffyn]") {
  Lab lab;
  lab.server.Break("/run-groups", {.status = 429, .retry_after = "0"});
  auto& watcher = lab.Watch();
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  REQUIRE_FALSE(watcher.result());
  CHECK(watcher.result().error().code == ErrorCode::kUnavailable);
  CHECK_THAT(watcher.result().error().message, ContainsSubstring("429"));
  CHECK(lab.server.CountAsked("/run-groups") == 5);
}

TEST_CASE("a service that fails everywhere is left alone for the rest of a look", "[riffyn]") {
  Lab lab;
  for (int i = 0; i < 20; ++i) lab.AddExperiment("exp" + std::to_string(i));
  lab.server.Break("/run-groups", {.status = 500});
  auto& watcher = lab.Watch();
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  CHECK(watcher.result().error().code == ErrorCode::kUnavailable);
  CHECK(lab.server.CountAsked("/run-groups") == 3);
  // The others have their turn: those that failed wait.
  lab.server.Mend();
  for (int i = 0; i < 5; ++i) {
    lab.server.Break("/experiment/exp" + std::to_string(i) + "/", {.status = 500});
  }
  lab.Add(Lab::MakeRun("run19"), "exp19");
  for (int tries = 0; tries < 20 && lab.queue.Empty(); ++tries) {
    watcher.Start();
    Eventually([&] { return watcher.ended() || watcher.successes() > 0; });
    (void)watcher.Stop();
  }
  CHECK(watcher.accepted.value() == 1);
}

TEST_CASE("an answer that is too large, or too slow, is a fault", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  SECTION("too large") {
    lab.server.Break("/experiments", {.status = 200, .body = std::string(2000, ' ') + "{}"});
    lab.Watch({{"max-body", {"1KiB"}}});
    REQUIRE(Eventually([&] { return lab.watcher->ended(); }));
    CHECK(lab.watcher->result().error().code == ErrorCode::kUnavailable);
  }
  SECTION("too slow") {
    lab.server.Hold("/experiments");
    lab.Watch({{"timeout", {"100ms"}}});
    REQUIRE(Eventually([&] { return lab.watcher->ended(); }));
    CHECK(lab.watcher->result().error().code == ErrorCode::kUnavailable);
    lab.server.Release();
  }
}

TEST_CASE("options that make no sense are refused, and say nothing of the key", "[riffyn]") {
  Lab lab;
  for (const auto& [option, value] : std::vector<std::pair<std::string, std::string>>{
           {"url", "ftp://a/v1"},
           {"url", "http://api.app.riffyn.com/v1"},
           {"url", "https://api.app.riffyn.com/v1?a=b"},
           {"url", "riffyn"},
           {"url", ""},
           {"api-key", "sesame\nopen"},
           {"api-key", ""},
           {"concurrency", "0"},
           {"concurrency", "17"},
           {"page-size", "1001"},
           {"poll-interval", "0s"}}) {
    INFO(option << " " << value);
    try {
      lab.Make({{option, {value}}});
      FAIL_CHECK("was taken");
    } catch (const std::runtime_error& error) {
      CHECK_THAT(error.what(), !ContainsSubstring("sesame"));
    }
  }
  for (const auto* url :
       {"http://localhost:1/v1", "http://[::1]:1", "https://api.lab.riffyn.com/v1"}) {
    CHECK_NOTHROW(lab.Make({{"url", {url}}}));
  }
  CHECK(lab.Make({{"url", {"https://api.lab.riffyn.com/v1"}}}).Check());
  lab.AddRun("run1");
  lab.Watch({{"url", {lab.server.url() + "/"}}});
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
}

}  // namespace
}  // namespace tower::riffyn
