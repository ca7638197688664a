// The parts that ask nobody: answers, plans, triggers, the checkpoint, troubles.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <set>

#include "plugins/riffyn/answers.h"
#include "plugins/riffyn/gate.h"
#include "plugins/riffyn/ledger.h"
#include "plugins/riffyn/plan.h"
#include "plugins/riffyn/triggers.h"
#include "plugins/riffyn/troubles.h"
#include "test/support/watcher_harness.h"

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;

// --- Answers -------------------------------------------------------------------------------------

TEST_CASE("a run is read in snake_case and in camelCase", "[riffyn]") {
  const std::string json = GENERATE(
      R"({"data":[{"id":"r","name":"n","num":7,"status":"running","activity_id":"a","group_id":"g",
          "inputs":[{"resource_name":"X/v1","resource_def_id":"i"},
                    {"resource_name":"Glucose","resource_def_id":"j"},{"resource_name":null}]}]})",
      R"({"data":[{"id":"r","name":"n","num":7,"status":"running","activityId":"a","groupId":"g",
          "activity_id":null,"inputs":[{"resourceName":"X/v1","resourceDefId":"i"},5]}]})");
  const auto page = ReadRuns(json, "other");
  REQUIRE(page);
  REQUIRE(page->items.size() == 1);
  const auto& run = page->items[0];
  CHECK(run.id + run.name + run.number + run.activity + run.group == "rn7ag");
  CHECK(run.state == RunState::kRunning);
  REQUIRE(run.resources.size() == 1);
  CHECK(run.resources[0].name + run.resources[0].input == "X/v1i");
}

TEST_CASE("a run that lacks what is needed is unclear, not stopped", "[riffyn]") {
  const auto page = ReadRuns(R"({"data":[
      {"id":"a","status":"running","num":1}, {"id":"b","status":"running","activity_id":"x"},
      {"id":"c","status":"paused"}, {"id":"d"}, {"id":"e","status":"stopped"},
      {"id":"f","status":"deleted"}, {"name":"no id","status":"running"}, 5, null]})",
                             "g");
  REQUIRE(page);
  CHECK(page->size == 9);
  REQUIRE(page->items.size() == 6);
  for (int i = 0; i < 4; ++i)
    CHECK(page->items[static_cast<std::size_t>(i)].state == RunState::kUnclear);
  CHECK_THAT(page->items[2].unclear, ContainsSubstring("paused"));
  CHECK(page->items[4].state == RunState::kIdle);
  CHECK(page->items[5].state == RunState::kDeleted);
  CHECK(page->items[0].group == "g");
}

TEST_CASE("what is no answer is an error of the place", "[riffyn]") {
  for (const auto* text : {"", "<html>", "[]", "{}", "5", R"({"data":{}})", R"({"data":[)",
                           R"({"data":null,"datatables":[],"id":null})", "\xff"}) {
    INFO(text);
    for (const auto& error : {ReadIds(text).error(), ReadRuns(text, "g").error(),
                              ReadActivity(text).error(), ReadRawData(text).error()}) {
      CHECK(error.code == ErrorCode::kNotFound);
    }
  }
}

TEST_CASE("raw data is the first row of each table, byte for byte and without nulls", "[riffyn]") {
  const auto data = ReadRawData(R"({"datatables":{
      "r":{"datatable":[{"x":1.0,"y":null,"z":{"a":[1e2, "µ"]}},{"x":2}]},
      "empty":{"datatable":[]}, "none":{}, "odd":{"datatable":[[1]]}, "null":null}})");
  REQUIRE(data);
  CHECK(data->size() == 3);
  CHECK(data->at("r") == Row{{"x", "1.0"}, {"z", R"({"a":[1e2, "µ"]})"}});
  CHECK(data->at("empty").empty());
  CHECK_FALSE(data->contains("none"));
}

// --- Plans ---------------------------------------------------------------------------------------

Run MakeRun(const std::string& id, const std::string& name, RunState state = RunState::kRunning,
            const std::string& group = "g", const std::string& activity = "act") {
  return {.id = id,
          .name = name,
          .number = "1",
          .activity = activity,
          .group = group,
          .state = state,
          .resources = {{"X/v1", "in"}}};
}

// The ids of each start, joined.
Strings Starts(const std::vector<Run>& runs, const std::set<std::string>& handled = {}) {
  Strings starts;
  const auto plan = MakePlan(runs, [&](const Run& run) { return handled.contains(run.id); });
  for (const auto& start : plan.starts) {
    auto& ids = starts.emplace_back();
    for (const auto* run : start.runs) ids += run->id;
  }
  for (const auto* run : plan.no_well) starts.push_back("no well: " + run->id);
  for (const auto& objection : plan.objections) starts.push_back(objection.why);
  return starts;
}

TEST_CASE("a run starts when it runs and was not handled", "[riffyn]") {
  CHECK(Starts({MakeRun("a", "x"), MakeRun("b", "x"), MakeRun("c", "x", RunState::kIdle),
                MakeRun("d", "x", RunState::kUnclear), MakeRun("e", "x", RunState::kDeleted)},
               {"b"}) == Strings{"a"});
}

TEST_CASE("a plate starts when all its wells run, in well order", "[riffyn]") {
  std::vector<Run> runs{MakeRun("d", "p [2x2] 4"), MakeRun("b", "p [2x2] 02"),
                        MakeRun("a", "p [2x2] 1"), MakeRun("s", "single"),
                        MakeRun("c", "p [2x2] 3")};
  CHECK(Starts(runs) == Strings{"abcd", "s"});
  CHECK(Starts(runs, {"a", "b", "c", "d"}) == Strings{"s"});
  CHECK(Starts(runs, {"a", "b", "d", "s"}) == Strings{"abcd"});  // c has run again
  runs[2].state = RunState::kIdle;
  CHECK(Starts(runs, {"s"}).empty());
  runs[2] = MakeRun("A", "p [2x2] 1");  // another run in its place
  CHECK(Starts(runs, {"a", "b", "c", "d", "s"}) == Strings{"Abcd"});
}

TEST_CASE("a plate is one activity's, one name's, one size's", "[riffyn]") {
  const auto runs =
      GENERATE(std::vector<Run>{MakeRun("a", "p [1x2] 1"), MakeRun("b", "q [1x2] 2")},
               std::vector<Run>{MakeRun("a", "p [1x2] 1"), MakeRun("b", "p [2x1] 2")},
               std::vector<Run>{MakeRun("a", "p [1x2] 1"),
                                MakeRun("b", "p [1x2] 2", RunState::kRunning, "g", "other")});
  CHECK(Starts(runs).empty());
}

TEST_CASE("the wells of a plate may be in several groups", "[riffyn]") {
  const auto running = RunState::kRunning, idle = RunState::kIdle;
  CHECK(Starts({MakeRun("a", "p [1x2] 1", running, "g"),
                MakeRun("b", "p [1x2] 2", running, "h")}) == Strings{"ab"});
  // But where both have the same wells, each has a plate of its own.
  CHECK(Starts({MakeRun("a", "p [1x2] 1", running, "g"), MakeRun("b", "p [1x2] 2", idle, "g"),
                MakeRun("A", "p [1x2] 1", idle, "h"), MakeRun("B", "p [1x2] 2", running, "h")})
            .empty());
  CHECK(Starts({MakeRun("a", "p [1x2] 1", running, "g"), MakeRun("A", "p [1x2] 1", running, "h"),
                MakeRun("b", "p [1x2] 2", running, "g"),
                MakeRun("B", "p [1x2] 2", running, "h")}) == Strings{"ab", "AB"});
  // What was deleted claims nothing.
  CHECK(Starts({MakeRun("a", "p [1x2] 1", running, "g"), MakeRun("b", "p [1x2] 2", running, "h"),
                MakeRun("A", "p [1x2] 1", RunState::kDeleted, "h")}) == Strings{"ab"});
}

TEST_CASE("a plate waits while two runs of a group run for one well", "[riffyn]") {
  std::vector<Run> runs{MakeRun("a", "p [1x2] 1"), MakeRun("b", "p [1x2] 2"),
                        MakeRun("c", "p [1x2] 2")};
  CHECK(Starts(runs) == Strings{"the runs b and c both run for well 2"});
  CHECK(Starts(runs, {"a", "b", "c"}).empty());
  runs[1].state = RunState::kIdle;
  CHECK(Starts(runs) == Strings{"ac"});
}

TEST_CASE("a run named as a well that no plate has is neither a well nor alone", "[riffyn]") {
  CHECK(Starts({MakeRun("a", "p [1x1] 2"), MakeRun("b", "p [200x1] 1"),
                MakeRun("c", "p [1x1] 3", RunState::kIdle), MakeRun("d", "p [1x1] 0")},
               {"d"}) == Strings{"no well: a", "no well: b"});
}

// --- Triggers ------------------------------------------------------------------------------------

const Activity kActivity{"Serial dilution",
                         {{"in", {{"p", "Volume"}, {"q", "mix speed"}}}, {"bare", {}}}};

Row MakeRow(const std::string& p, const std::string& q = {}) {
  Row row{{"act | input | in | p | value", p}};
  if (!q.empty()) row.emplace("act | input | in | q | value", q);
  return row;
}

TEST_CASE("two inputs of one resource make one trigger", "[riffyn]") {
  const Activity activity{"A", {{"in", {{"p", "x"}}}, {"two", {{"q", "y"}, {"r", "X"}}}}};
  auto run = MakeRun("r", "n");
  run.resources.push_back({"X/v1", "two"});
  run.resources.push_back({"X/v1", "in"});
  const Start start{std::nullopt, {&run}};
  Row row{{"act | input | in | p | value", "1"}, {"act | input | two | q | value", "2"}};
  auto composed = Compose("e", start, activity, {{"r", row}});
  REQUIRE(composed.triggers.size() == 1);
  CHECK_THAT(std::string(composed.triggers[0].json()),
             ContainsSubstring(R"("spec":{"x":1,"y":2})"));
  row["act | input | two | r | value"] = "1";  // the same once more
  composed = Compose("e", start, activity, {{"r", row}});
  REQUIRE(composed.triggers.size() == 1);
  CHECK_THAT(std::string(composed.triggers[0].json()),
             ContainsSubstring(R"("spec":{"x":1,"y":2})"));
  row["act | input | two | r | value"] = "3";
  composed = Compose("e", start, activity, {{"r", row}});
  CHECK(composed.triggers.empty());
  REQUIRE(composed.faults.size() == 1);
  CHECK_THAT(composed.faults[0], ContainsSubstring("X/v1") && ContainsSubstring("become x"));
}

TEST_CASE("what can't be made for one API version is made for the others", "[riffyn]") {
  auto run = MakeRun("r", "n");
  run.resources.push_back({"Y/v1", "nowhere"});
  const Start start{std::nullopt, {&run}};
  auto composed = Compose("e", start, kActivity, {{"r", MakeRow("1")}});
  CHECK(composed.triggers.size() == 1);
  REQUIRE(composed.faults.size() == 1);
  CHECK_THAT(composed.faults[0],
             ContainsSubstring("Y/v1: run r: the activity has no input nowhere"));

  composed = Compose("e", start, Activity{"", kActivity.inputs}, {{"r", MakeRow("1")}});
  CHECK(composed.triggers.empty());
  CHECK_THAT(composed.faults.at(0), ContainsSubstring("/protocol"));

  const Activity nameless{"A", {{"in", {{"p", "()"}}}}};
  CHECK_THAT(Compose("e", start, nameless, {{"r", MakeRow("1")}}).faults.at(0),
             ContainsSubstring("a property has no name: p"));
  CHECK(Compose("e", start, nameless, {{"r", {}}}).triggers.size() == 1);
}

TEST_CASE("the data of a run is needed where its resources have properties", "[riffyn]") {
  auto with = MakeRun("a", "n"), without = MakeRun("b", "n");
  without.resources = {{"X/v1", "bare"}, {"Y/v1", "nowhere"}};
  const Start start{std::nullopt, {&without, &with}};
  CHECK(RunsWithData(start, kActivity) == std::vector<const Run*>{&with});
}

// --- The checkpoint ------------------------------------------------------------------------------

struct Checkpoint {
  TestQueue queue;
  Counter accepted, rejected;
  WatcherNotes notes{accepted, rejected};
  WatcherQueue door{*queue, "test", {}, notes, [] {}};

  void Put(const Remember& change) {
    REQUIRE(
        door.Put(std::span<const Trigger>(), Event{.key = {}, .remember = std::span(&change, 1)}));
  }
};

TEST_CASE("what was handled is on disk, whatever the ids", "[riffyn]") {
  Checkpoint c;
  c.Put(Ledger::HandledChange("e/1", "r 1"));
  c.Put(Ledger::HandledChange("e", "1/r"));
  c.Put(Ledger::HandledChange("e", "gone"));
  c.Put(Ledger::ForgetChange("e", "gone"));
  const auto ledger = Ledger::Load(c.door);
  REQUIRE(ledger);
  CHECK(ledger->Handled("e/1", "r 1"));
  CHECK(ledger->Handled("e", "1/r"));
  CHECK_FALSE(ledger->Handled("e", "gone"));
  CHECK_FALSE(ledger->Handled("e", "r 1"));
}

TEST_CASE("the checkpoint of another plugin is left alone", "[riffyn]") {
  const Remember change = GENERATE(Remember{"/inbox/a.json", "1 running"}, Remember{"a/b", "2 x"},
                                   Remember{"ab", "1 running"}, Remember{"a/%zz", "1 running"});
  Checkpoint c;
  c.Put(change);
  const auto ledger = Ledger::Load(c.door);
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().code == ErrorCode::kPermanent);
  CHECK_THAT(ledger.error().message, ContainsSubstring("give this watcher another name"));
}

TEST_CASE("a run has ended when it is idle, or missing from two whole lists", "[riffyn]") {
  Ledger ledger;
  for (const auto* id : {"idle", "deleted", "unclear", "running", "gone"})
    ledger.SetHandled("e", id);
  ledger.SetHandled("other", "gone");
  const std::vector<Run> runs{MakeRun("idle", "n", RunState::kIdle),
                              MakeRun("deleted", "n", RunState::kDeleted),
                              MakeRun("unclear", "n", RunState::kUnclear), MakeRun("running", "n")};
  CHECK(ledger.NoteRuns("e", runs, false) == Strings{"deleted", "idle"});
  CHECK(ledger.NoteRuns("e", runs, true) == Strings{"deleted", "idle"});
  CHECK(ledger.NoteRuns("e", runs, false) == Strings{"deleted", "idle"});
  CHECK(ledger.NoteRuns("e", runs, true) == Strings{"deleted", "gone", "idle"});
  auto more = runs;
  more.push_back(MakeRun("gone", "n"));  // it was only between two pages
  CHECK(ledger.NoteRuns("e", more, true) == Strings{"deleted", "idle"});
  CHECK(ledger.NoteRuns("e", runs, true) == Strings{"deleted", "idle"});
  CHECK(ledger.NoteRuns("none", runs, true).empty());

  CHECK(ledger.NoteExperiments({"e"}).empty());
  const auto gone = ledger.NoteExperiments({"e"});
  REQUIRE(gone.size() == 1);
  CHECK(gone[0] == std::pair<std::string, std::string>("other", "gone"));
  ledger.Forget("other", "gone");
  CHECK_FALSE(ledger.Handled("other", "gone"));
  CHECK(ledger.NoteExperiments({"e"}).empty());
}

// --- Troubles ------------------------------------------------------------------------------------

TEST_CASE("trouble is told of once, and tried again after ever more looks", "[riffyn]") {
  const CapturedLogs logs;
  const Logger log;
  Troubles troubles;
  std::string tried;
  for (int look = 0; look < 40; ++look) {
    troubles.BeginLook();
    tried += troubles.Due("place") ? 'x' : '.';
    if (troubles.Due("place")) troubles.Note("place", "out of order", log);
    CHECK(troubles.Due("elsewhere"));
  }
  CHECK(tried == "xx.x...x.......x.......x.......x.......x");
  const WallTime next(std::chrono::hours(1));
  auto retries = troubles.Retries(next, std::chrono::minutes(1));
  REQUIRE(retries.size() == 1);
  CHECK(retries[0].what == "place");
  CHECK(retries[0].error == "out of order");
  CHECK(retries[0].at == next + std::chrono::minutes(7));  // 8 looks
  const auto count = [&](const std::string& text) {
    int times = 0;
    const auto all = logs.text();
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++times;
    return times;
  };
  CHECK(count("out of order") == 1);
  troubles.Note("place", "something else", log);
  CHECK(count("something else") == 1);
  troubles.Clear("place", log);
  troubles.Clear("place", log);
  CHECK(count("trouble is over") == 1);
  CHECK(troubles.Retries(next, std::chrono::minutes(1)).empty());
  troubles.BeginLook();
  CHECK(troubles.Due("place"));
  troubles.Remark("place", "odd", log);
  troubles.BeginLook();
  CHECK(troubles.Due("place"));
  for (int look = 0; look < 100; ++look) troubles.BeginLook();
  troubles.Remark("place", "odd", log);  // that was long ago
  CHECK(count("odd") == 2);
}

TEST_CASE("the service is down after three faults in a row", "[riffyn]") {
  Gate gate;
  const Error fault{ErrorCode::kUnavailable, "a fault"};
  gate.BeginLook();
  gate.Failed(fault);
  gate.Failed(fault);
  gate.Answered();
  gate.Failed(fault);
  gate.Failed(fault);
  CHECK_FALSE(gate.Down());
  gate.Failed({ErrorCode::kTimeout, "the last"});
  REQUIRE(gate.Down());
  CHECK(gate.Down()->message == "the last");
  gate.Answered();  // by another thread, late
  CHECK(gate.Down());
  gate.BeginLook();
  CHECK_FALSE(gate.Down());
  gate.GiveUp(fault);
  CHECK(gate.Down());
}

TEST_CASE("a gate that stays closed from look to look is news once", "[riffyn]") {
  Gate gate;
  std::string news;
  for (const bool closes : {true, true, false, true}) {
    gate.BeginLook();
    if (closes) news += gate.Close(std::chrono::milliseconds(1)) ? 'x' : '.';
    if (closes) CHECK_FALSE(gate.Close(std::chrono::milliseconds(1)));
  }
  CHECK(news == "x.x");
  std::stop_source stop;
  CHECK(gate.Wait(stop.get_token()));
  gate.Close(std::chrono::hours(24));
  stop.request_stop();
  CHECK_FALSE(gate.Wait(stop.get_token()));
}

}  // namespace
}  // namespace tower::riffyn
