// Runs that are wells of a plate.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/riffyn/lab.h"

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string Origin(const std::string& run) {
  return R"({"experimentId":"exp","activityId":"act","runId":")" + run + R"("})";
}

// Where a trigger's array begins and what it is, up to its end.
std::string Member(const std::string& body, const std::string& name) {
  const auto begin = body.find("\"" + name + "\":[");
  if (begin == std::string::npos) return body;
  return body.substr(begin, body.find(']', begin) + 1 - begin);
}

TEST_CASE("a plate is one trigger for each API version, column first from A1", "[riffyn]") {
  Lab lab;
  // Wells 1 and 2 are A1 and B1: the first column. Listed in another order.
  for (const int well : {6, 2, 4, 1, 5, 3}) {
    auto run = Lab::MakeRun("w" + std::to_string(well), "new");
    run.name =
        "growth [2x3] " + std::string(static_cast<std::size_t>(well), '0') + std::to_string(well);
    run.number = 10 + well;
    run.values["arm | vol"] = std::to_string(well) + ".0";
    if (well == 5) run.uses.clear();
    if (well == 2) run.uses = {{std::string(kReactor), "reactor"}};
    if (well == 3) run.uses.push_back({std::string(kReactor), "reactor"});
    run.values["reactor | vol"] = well == 2 ? "null" : "\"x\"";
    lab.Add(run);
  }
  lab.Watch();
  for (const int well : {1, 2, 3, 4, 5})
    lab.server.SetStatus("w" + std::to_string(well), "running");
  CHECK(lab.NothingMore());
  CHECK(lab.server.CountAsked("/activity/") == 0);
  lab.server.SetStatus("w6", "running");
  const auto taken = lab.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].api_version == kArm);
  CHECK(taken[0].protocol == "SerialDilution");
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("plate":{"rows":2,"columns":3})"));
  CHECK_THAT(taken[0].body,
             ContainsSubstring(R"("spec":[{"volume":1.0},null,{"volume":3.0},{"volume":4.0},null,)"
                               R"({"volume":6.0}],"metadata":{"source":"riffyn","spec":[)" +
                               Origin("w1") + ",null," + Origin("w3") + "," + Origin("w4") +
                               ",null," + Origin("w6") + "]}"));
  CHECK(taken[1].api_version == kReactor);
  CHECK_THAT(taken[1].body,
             ContainsSubstring(R"("spec":[null,{},{"volume":"x"},null,null,null],)") &&
                 ContainsSubstring(R"("spec":[null,)" + Origin("w2") + "," + Origin("w3") +
                                   ",null,null,null]"));
  CHECK(lab.NothingMore());
}

TEST_CASE("a stopped run leaves its plate incomplete again", "[riffyn]") {
  Lab lab;
  for (const auto* well : {"1", "2", "3"}) {
    lab.AddWell(std::string("w") + well, std::string("growth [1x3] ") + well, "new");
  }
  lab.Watch();
  SECTION("before it was complete") {
    lab.server.SetStatus("w1", "running");
    lab.server.SetStatus("w2", "running");
    CHECK(lab.NothingMore());
    lab.server.SetStatus("w1", "stopped");
    CHECK(lab.Polls(2));
    lab.server.SetStatus("w3", "running");
    CHECK(lab.NothingMore());
    lab.server.SetStatus("w1", "running");
    CHECK(lab.TakeRuns(1) == Strings{"w1"});
    CHECK(lab.NothingMore());
  }
  SECTION("after it was complete") {
    for (const auto* well : {"w1", "w2", "w3"}) lab.server.SetStatus(well, "running");
    CHECK(lab.TakeRuns(1) == Strings{"w1"});
    lab.server.SetStatus("w2", "completed");
    CHECK(lab.NothingMore());
    if (GENERATE(false, true)) {
      lab.Restart();
      CHECK(lab.NothingMore());
    }
    lab.server.SetStatus("w2", "running");
    const auto again = lab.queue.Take(1);
    REQUIRE(again.size() == 1);
    CHECK_THAT(Member(again[0].body, "spec"),
               ContainsSubstring(R"({"volume":1.50},{"volume":1.50})"));
    CHECK(lab.NothingMore());
  }
}

TEST_CASE("an incomplete plate survives a restart", "[riffyn]") {
  Lab lab;
  for (const auto* well : {"1", "2", "3", "4"}) {
    lab.AddWell(std::string("w") + well, std::string("growth [2x2] ") + well, "new");
  }
  for (const auto* well : {"w1", "w2", "w3"}) lab.server.SetStatus(well, "running");
  lab.Watch();
  CHECK(lab.NothingMore());
  lab.Restart();
  CHECK(lab.NothingMore());
  SECTION("and is completed") {
    lab.server.SetStatus("w4", "running");
    CHECK(lab.TakeRuns(1) == Strings{"w1"});
    lab.Restart();
  }
  SECTION("and loses a well meanwhile") {
    lab.watcher.reset();
    lab.server.SetStatus("w1", "stopped");
    lab.server.SetStatus("w4", "running");
    lab.Restart();
  }
  CHECK(lab.NothingMore());
}

TEST_CASE("a plate's trigger and what is remembered of its runs are one", "[riffyn]") {
  Lab lab;
  for (const auto* well : {"1", "2"}) {
    lab.AddWell(std::string("w") + well, std::string("growth [2x1] ") + well);
  }
  lab.Make();
  lab.watcher->HoldAtNextSuccess();
  lab.watcher->Start();
  REQUIRE(lab.watcher->WaitUntilHeld());
  CHECK(lab.queue->Checkpoints("test")->size() == 2);
  lab.Restart();
  CHECK(lab.TakeRuns(1) == Strings{"w1"});
  CHECK(lab.NothingMore());
}

TEST_CASE("the largest plate is one trigger, whose data takes several requests", "[riffyn]") {
  Lab lab;
  lab.server.Change([](World& world) {
    for (int well = 1; well <= 384; ++well) {
      auto run = Lab::MakeRun("run-with-a-rather-long-id-" + std::to_string(well));
      run.name = "screen [16x24] " + std::to_string(well);
      run.values["arm | vol"] = std::to_string(well);
      world.experiments[0].groups[0].runs.push_back(std::move(run));
    }
  });
  lab.Watch();
  const auto taken = lab.queue.Take(1);
  REQUIRE(taken.size() == 1);
  std::string spec = R"("spec":[{"volume":1})";
  for (int well = 2; well <= 384; ++well) spec += R"(,{"volume":)" + std::to_string(well) + "}";
  CHECK_THAT(taken[0].body, ContainsSubstring(spec + "]"));
  CHECK(lab.server.CountAsked("/data/raw") > 1);
  CHECK(lab.NothingMore());
}

TEST_CASE("a well that no plate has is reported once", "[riffyn]") {
  Lab lab;
  lab.AddWell("far", "growth [1x2] 3");
  lab.AddWell("wide", "growth [1x129] 1");
  lab.AddRun("other");
  auto& watcher = lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"other"});
  CHECK(lab.NothingMore());
  CHECK(watcher.rejected.value() == 2);
  CHECK(lab.Count("the plate has no such well") == 2);
  auto& again = lab.Restart();
  CHECK(lab.NothingMore());
  CHECK(again.rejected.value() == 0);
}

TEST_CASE("a plate whose wells are claimed twice is reported once, and waits", "[riffyn]") {
  Lab lab;
  lab.AddWell("w1", "growth [1x2] 1");
  lab.AddWell("w2", "growth [1x2] 2");
  lab.AddWell("w2b", "growth [1x2] 2");
  lab.AddRun("other");
  lab.Watch();
  CHECK(lab.TakeRuns(1) == Strings{"other"});
  CHECK(lab.NothingMore());
  CHECK(lab.Count("are both running for well 2") == 1);
  lab.server.SetStatus("w2", "stopped");
  const auto taken = lab.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK_THAT(taken[0].body, ContainsSubstring(Origin("w1") + "," + Origin("w2b")));
}

TEST_CASE("a plate none of whose wells is for an API version is left alone", "[riffyn]") {
  Lab lab;
  for (const auto* well : {"1", "2"}) {
    auto run = Lab::MakeRun(std::string("w") + well);
    run.name = std::string("growth [2x1] ") + well;
    run.uses = {{"Glucose", "arm"}};
    lab.Add(run);
  }
  auto& watcher = lab.Watch();
  CHECK(lab.NothingMore());
  CHECK(lab.server.CountAsked("/activity/") == 0);
  CHECK(watcher.rejected.value() == 0);
}

}  // namespace
}  // namespace tower::riffyn
