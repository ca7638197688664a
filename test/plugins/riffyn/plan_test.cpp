#include "plugins/riffyn/plan.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>

#include "test/plugins/riffyn/runs.h"

namespace tower::riffyn {
namespace {

using Strings = std::vector<std::string>;

// The ids of each start, joined.
Strings Starts(const std::vector<Run>& runs, const std::set<std::string>& handled = {}) {
  Strings starts;
  const auto plan = MakePlan(runs, [&](const Run& run) { return handled.contains(run.id); });
  for (const auto& start : plan.starts) {
    auto& ids = starts.emplace_back();
    for (const auto* run : start.runs) ids += run->id;
  }
  for (const auto* run : plan.invalid_wells) starts.push_back("no well: " + run->id);
  for (const auto& conflict : plan.conflicts) starts.push_back(conflict.why);
  return starts;
}

TEST_CASE("a run starts when it runs and was not handled", "[riffyn]") {
  CHECK(Starts({MakeRun("a", "x"), MakeRun("b", "x"), MakeRun("c", "x", RunState::kIdle),
                MakeRun("d", "x", RunState::kUnknown), MakeRun("e", "x", RunState::kDeleted)},
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
  CHECK(Starts(runs) == Strings{"the runs b and c are both running for well 2"});
  CHECK(Starts(runs, {"a", "b", "c"}).empty());
  runs[1].state = RunState::kIdle;
  CHECK(Starts(runs) == Strings{"ac"});
}

TEST_CASE("a run named as a well that no plate has is neither a well nor alone", "[riffyn]") {
  CHECK(Starts({MakeRun("a", "p [1x1] 2"), MakeRun("b", "p [200x1] 1"),
                MakeRun("c", "p [1x1] 3", RunState::kIdle), MakeRun("d", "p [1x1] 0")},
               {"d"}) == Strings{"no well: a", "no well: b"});
}

TEST_CASE("a run named as a well is one", "[riffyn]") {
  const auto well = ParseWellRun("growth [x] [8x12] 007");
  REQUIRE(well);
  CHECK(well->plate == "growth [x]");
  CHECK(well->size == PlateSize{8, 12});
  CHECK(well->number == 7);
  CHECK(well->Exists());
  for (const auto* no : {"growth", "growth 1", "growth [8x12]", "growth [8x12] ", "growth [8x12] a",
                         "growth [8x12]1", "growth[8x12] 1", "[8x12] 1", " [8x12] 1",
                         "growth [8X12] 1", "growth [x12] 1", "growth [8x] 1", "growth [8 x 12] 1",
                         "growth [8x12] -1", "growth [8x12] 1 "}) {
    INFO(no);
    CHECK_FALSE(ParseWellRun(no));
  }
}

TEST_CASE("a well that no plate has does not exist", "[riffyn]") {
  for (const auto* there : {"a [1x1] 1", "a [8x12] 96", "a [128x128] 16384", "a [08x012] 0096"}) {
    INFO(there);
    REQUIRE(ParseWellRun(there));
    CHECK(ParseWellRun(there)->Exists());
  }
  for (const auto* nowhere :
       {"a [8x12] 97", "a [8x12] 0", "a [0x12] 1", "a [8x0] 1", "a [129x1] 1", "a [1x129] 1",
        "a [4294967297x1] 1", "a [1x1] 4294967297", "a [65536x65536] 1"}) {
    INFO(nowhere);
    REQUIRE(ParseWellRun(nowhere));
    CHECK_FALSE(ParseWellRun(nowhere)->Exists());
  }
}

}  // namespace
}  // namespace tower::riffyn
