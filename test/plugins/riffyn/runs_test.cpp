// Runs that start, stop, and start again, and the triggers that they become.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/riffyn/lab.h"

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a run that starts becomes a trigger", "[riffyn]") {
  Lab lab;
  if (GENERATE(false, true)) lab.server.UseCamelCase();
  auto run = Lab::MakeRun("run1", "new");
  run.values["arm | wave"] = R"({"nm":[1e2,"µ"],"big":12345678901234567890})";
  lab.Add(run);
  auto& watcher = lab.Watch();
  CHECK(lab.NothingMore());
  lab.server.SetStatus("run1", "running");
  const auto taken = lab.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].source == "test");
  CHECK_THAT(
      taken[0].body,
      ContainsSubstring(
          R"("apiVersion":"OT-2/v1alpha1","protocol":"SerialDilution",)"
          R"("spec":{"volume":1.50,"measurementWavelength":{"nm":[1e2,"µ"],"big":12345678901234567890}},)"
          R"("metadata":{"source":"riffyn","spec":{"experimentId":"exp","activityId":"act","runId":"run1"}}})"));
  CHECK(lab.NothingMore());
  CHECK(lab.watcher->Stop());
  CHECK(watcher.accepted.value() == 1);
}

TEST_CASE("a value that is null or not there is left out", "[riffyn]") {
  Lab lab;
  auto run = Lab::MakeRun("run1");
  run.values =
      GENERATE(std::map<std::string, std::string>{{"arm | vol", "null"}, {"arm | wave", "0"}},
               std::map<std::string, std::string>{{"arm | wave", "0"}});
  lab.Add(run);
  lab.Watch();
  const auto taken = lab.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("spec":{"measurementWavelength":0},)"));
}

TEST_CASE("each distinct resource that is an API version makes one trigger", "[riffyn]") {
  Lab lab;
  auto run = Lab::MakeRun("run1");
  run.uses = {{"Glucose", "arm"}, {std::string(kReactor), "reactor"}, {std::string(kArm), "arm"},
              {"", "arm"},        {std::string(kReactor), "reactor"}, {"OT-2/latest", "arm"}};
  run.values["reactor | vol"] = "20";
  lab.Add(run);
  lab.Watch();
  const auto taken = lab.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].api_version == kReactor);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("spec":{"volume":20})"));
  CHECK(taken[1].api_version == kArm);
  CHECK_THAT(taken[1].body, ContainsSubstring(R"("spec":{"volume":1.50})"));
  CHECK(lab.NothingMore());
}

TEST_CASE("a run without such a resource is left alone, and costs no request", "[riffyn]") {
  Lab lab;
  auto run = Lab::MakeRun("run1");
  run.uses = {{"Glucose", "arm"}};
  lab.Add(run);
  auto& watcher = lab.Watch();
  CHECK(lab.NothingMore());
  CHECK(lab.server.CountAsked("/activity/") == 0);
  // It has started without: what is added later is for its next start.
  lab.server.Change([](World& world) { world.At("run1").uses = {{std::string(kArm), "arm"}}; });
  CHECK(lab.NothingMore());
  CHECK(watcher.rejected.value() == 0);
}

TEST_CASE("a run may start again after it was anything but running", "[riffyn]") {
  const std::string status = GENERATE("stopped", "new", "completed", "deleted", "gone");
  Lab lab;
  lab.AddRun("run1");
  lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  if (status == "gone") {
    lab.server.Change([](World& world) { world.Erase("run1"); });
  } else {
    lab.server.SetStatus("run1", status);
  }
  CHECK(lab.NothingMore());
  CHECK(lab.queue->Checkpoints("test")->empty());
  if (status == "gone") {
    lab.AddRun("run1");
  } else {
    lab.server.SetStatus("run1", "running");
  }
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  CHECK(lab.NothingMore());
}

TEST_CASE("the runs of an experiment or group that is gone are forgotten", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  SECTION("experiment") {
    lab.server.Change([](World& world) { world.experiments.clear(); });
  }
  SECTION("group") {
    lab.server.Change([](World& world) { world.experiments[0].groups.clear(); });
  }
  CHECK(Eventually([&] { return lab.queue->Checkpoints("test")->empty(); }));
  CHECK(lab.NothingMore());
}

TEST_CASE("what a list of experiments lacks is not gone while the list is not whole", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  lab.server.Break("/experiments", {.status = 200, .body = R"({"data":[{"name":"no id"}]})"});
  CHECK(lab.Polls(5));
  CHECK(lab.queue->Checkpoints("test")->size() == 1);
  lab.server.Mend();
  CHECK(lab.NothingMore());
}

TEST_CASE("a run that is missing from one list alone has not ended", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  auto& watcher = lab.Watch({{"poll-interval", {"1h"}}});
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
  for (const bool there : {false, true, false, true}) {
    REQUIRE(lab.watcher->Stop());
    lab.server.Change([&](World& world) { world.Erase("run1"); });
    if (there) lab.AddRun("run1");
    watcher.Start();
    REQUIRE(watcher.WaitForSuccesses(1));
    CHECK(lab.queue->Checkpoints("test")->size() == 1);
  }
  CHECK(lab.queue.Empty());
}

TEST_CASE("after a restart nothing starts twice, and nothing is missed", "[riffyn]") {
  Lab lab;
  lab.AddRun("stays");
  lab.AddRun("stops");
  lab.AddRun("pauses");
  lab.AddRun("starts", "new");
  lab.Watch();
  CHECK(lab.TakeRuns(3) == Strings{"stays", "stops", "pauses"});
  lab.server.SetStatus("pauses", "stopped");
  CHECK(Eventually([&] { return lab.queue->Checkpoints("test")->size() == 2; }));
  lab.watcher.reset();
  lab.server.SetStatus("stops", "stopped");
  lab.server.SetStatus("pauses", "running");
  lab.server.SetStatus("starts", "running");
  lab.AddRun("new");
  lab.Restart();
  CHECK(lab.TakeRuns(3) == Strings{"pauses", "starts", "new"});
  CHECK(lab.NothingMore());
  lab.server.SetStatus("stops", "running");
  CHECK(lab.TakeRuns(1) == Strings{"stops"});
  lab.Restart();
  CHECK(lab.NothingMore());
}

TEST_CASE("a death in the middle of a look neither loses nor repeats", "[riffyn]") {
  Lab lab;
  const int experiments = 4;
  for (int i = 1; i < experiments; ++i) lab.AddExperiment("exp" + std::to_string(i));
  lab.AddRun("run0");
  for (int i = 1; i < experiments; ++i) {
    lab.Add(Lab::MakeRun("run" + std::to_string(i)), "exp" + std::to_string(i));
  }
  const std::string where = GENERATE("/experiments", "/experiment/exp2/run-groups",
                                     "/experiment/exp2/run-group/group/runs",
                                     "/experiment/exp2/activity/act", "/experiment/exp2/step/act");
  lab.server.Hold(where);
  lab.Watch();
  REQUIRE(lab.server.WaitUntilHeld(1));
  CHECK(lab.watcher->Stop());
  CHECK(lab.watcher->accepted.value() == (where == "/experiments" ? 0U : 2U));
  lab.server.Release();
  lab.Restart();
  CHECK(lab.TakeRuns(4) == Strings{"run0", "run1", "run2", "run3"});
  CHECK(lab.NothingMore());
}

TEST_CASE("a death right after a put repeats nothing", "[riffyn]") {
  Lab lab;
  for (int i = 0; i < 5; ++i) lab.AddRun("run" + std::to_string(i));
  lab.Make();
  lab.watcher->HoldAtNextSuccess();
  lab.watcher->Start();
  REQUIRE(lab.watcher->WaitUntilHeld());
  CHECK(lab.queue->Checkpoints("test")->size() == 1);  // with its trigger
  CHECK(lab.watcher->Stop());
  lab.Restart();
  CHECK(lab.TakeRuns(5) == Strings{"run0", "run1", "run2", "run3", "run4"});
  CHECK(lab.NothingMore());
}

TEST_CASE("every page of every list is read", "[riffyn]") {
  Lab lab;
  Strings expected;
  for (int i = 0; i < 7; ++i) {
    lab.AddExperiment("exp" + std::to_string(i));
    lab.server.Change([&](World& world) {
      auto& groups = world.Find("exp" + std::to_string(i))->groups;
      for (int g = 0; g < 5; ++g) {
        groups.push_back({.id = "group" + std::to_string(g), .runs = {}});
        for (int r = 0; r < 5; ++r) {
          expected.push_back(std::to_string(i) + "." + std::to_string(g) + "." + std::to_string(r));
          groups.back().runs.push_back(Lab::MakeRun(expected.back()));
        }
      }
    });
  }
  SECTION("as long as asked for") {
    lab.Watch({{"page-size", {"2"}}});
    CHECK(lab.TakeRuns(expected.size()) == expected);
    CHECK(lab.server.CountAsked("limit=2&offset=8") > 0);
  }
  SECTION("shorter than asked for") {
    lab.server.CapPages(3);
    lab.Watch();
    CHECK(lab.TakeRuns(expected.size()) == expected);
  }
  CHECK(lab.queue.Empty());
}

TEST_CASE("a list that says the same on every page has an end", "[riffyn]") {
  Lab lab;
  lab.AddRun("run1");
  lab.server.Break("/experiments", {.status = 200, .body = R"({"data":[{"id":"exp"}]})"});
  REQUIRE(lab.Watch({{"page-size", {"1"}}}).WaitForSuccesses(2));
  CHECK(lab.TakeRuns(1) == Strings{"run1"});
}

TEST_CASE("one request at a time, unless concurrency allows for more", "[riffyn]") {
  Lab lab;
  for (int i = 0; i < 6; ++i) {
    const auto id = "exp" + std::to_string(i);
    lab.AddExperiment(id);
    lab.Add(Lab::MakeRun("run" + std::to_string(i)), id);
  }
  const Strings all{"run0", "run1", "run2", "run3", "run4", "run5"};
  SECTION("one") {
    lab.Watch();
    CHECK(lab.TakeRuns(6) == all);
    CHECK(lab.NothingMore());
    CHECK(lab.server.most_in_flight() == 1);
  }
  SECTION("three") {
    lab.server.Hold("/runs");
    auto& watcher = lab.Watch({{"concurrency", {"3"}}});
    REQUIRE(lab.server.WaitUntilHeld(3));
    if (GENERATE(false, true)) {
      CHECK(watcher.Stop());
      lab.server.Release();
      lab.Watch({{"concurrency", {"3"}}});
    }
    lab.server.Release();
    CHECK(lab.TakeRuns(6) == all);
    CHECK(lab.NothingMore());
    CHECK(lab.server.most_in_flight() == 3);
  }
}

TEST_CASE("only the experiments that are asked for are watched", "[riffyn]") {
  Lab lab;
  lab.AddExperiment("exp/2");
  lab.AddExperiment("exp3");
  lab.AddRun("run1");
  lab.Add(Lab::MakeRun("run3"), "exp3");
  lab.Watch();
  CHECK(lab.TakeRuns(2) == Strings{"run1", "run3"});
  const int before = lab.server.CountAsked("/experiments?");
  auto& watcher = lab.Restart({{"experiment", {"exp3"}}});
  REQUIRE(watcher.WaitForSuccesses(4));
  CHECK(lab.server.CountAsked("/experiments?") <= before + 1);  // the last of the first watcher
  // The others are as they were, when they are watched again.
  CHECK(lab.queue->Checkpoints("test")->size() == 2);
  lab.Restart();
  CHECK(lab.NothingMore());
}

TEST_CASE("many runs that start together are asked for together", "[riffyn]") {
  Lab lab;
  Strings expected;
  for (int i = 0; i < 200; ++i) {
    expected.push_back("a-run-with-a-rather-long-id-" + std::to_string(i));
    lab.AddRun(expected.back(), "new");
  }
  REQUIRE(lab.Watch().WaitForSuccesses(1));
  lab.server.Hold("/experiments");
  REQUIRE(lab.server.WaitUntilHeld(1));
  for (const auto& id : expected) lab.server.SetStatus(id, "running");
  lab.server.Release();
  CHECK(lab.TakeRuns(200) == expected);
  CHECK(lab.server.CountAsked("/activity/") == 1);
  CHECK(lab.server.CountAsked("/data/raw") <= 5);
  for (const auto& [target, at] : lab.server.asked()) CHECK(target.size() < 5000);
}

TEST_CASE("looks begin every poll-interval", "[riffyn]") {
  Lab lab;
  lab.Watch({{"poll-interval", {"50ms"}}});
  REQUIRE(lab.Polls(4));
  std::vector<std::chrono::steady_clock::time_point> looks;
  for (const auto& [target, at] : lab.server.asked()) {
    if (target.starts_with("/v1/experiments?") && target.ends_with("offset=0")) looks.push_back(at);
  }
  REQUIRE(looks.size() >= 4);
  // The first may have been late by as much as the others then seem early; they keep their beat.
  CHECK(looks[3] - looks[0] > std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace tower::riffyn
