#include "plugins/riffyn/ledger.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/riffyn/runs.h"
#include "test/support/watcher_harness.h"

namespace tower::riffyn {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;

struct Checkpoint {
  TestQueue queue;
  Counter accepted, rejected;
  WatcherNotes notes{accepted, rejected};
  WatcherQueue door{*queue, "test", {}, notes, [] {}};

  void Put(const CheckpointChange& change) {
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

TEST_CASE("the checkpoint of another plugin is not touched", "[riffyn]") {
  const CheckpointChange change =
      GENERATE(CheckpointChange{"/inbox/a.json", "1 running"}, CheckpointChange{"a/b", "2 x"},
               CheckpointChange{"ab", "1 running"}, CheckpointChange{"a/%zz", "1 running"});
  Checkpoint c;
  c.Put(change);
  const auto ledger = Ledger::Load(c.door);
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().code == ErrorCode::kPermanent);
  CHECK_THAT(ledger.error().message, ContainsSubstring("give this watcher another name"));
}

TEST_CASE("a run has ended when it is idle, or missing from two whole lists", "[riffyn]") {
  Ledger ledger;
  for (const auto* id : {"idle", "deleted", "unknown", "running", "gone"})
    ledger.SetHandled("e", id);
  ledger.SetHandled("other", "gone");
  const std::vector<Run> runs{MakeRun("idle", "n", RunState::kIdle),
                              MakeRun("deleted", "n", RunState::kDeleted),
                              MakeRun("unknown", "n", RunState::kUnknown), MakeRun("running", "n")};
  CHECK(ledger.RecordRuns("e", runs, false) == Strings{"deleted", "idle"});
  CHECK(ledger.RecordRuns("e", runs, true) == Strings{"deleted", "idle"});
  CHECK(ledger.RecordRuns("e", runs, false) == Strings{"deleted", "idle"});
  CHECK(ledger.RecordRuns("e", runs, true) == Strings{"deleted", "gone", "idle"});
  auto more = runs;
  more.push_back(MakeRun("gone", "n"));  // it was only between two pages
  CHECK(ledger.RecordRuns("e", more, true) == Strings{"deleted", "idle"});
  CHECK(ledger.RecordRuns("e", runs, true) == Strings{"deleted", "idle"});
  CHECK(ledger.RecordRuns("none", runs, true).empty());

  CHECK(ledger.RecordExperiments({"e"}).empty());
  const auto gone = ledger.RecordExperiments({"e"});
  REQUIRE(gone.size() == 1);
  CHECK(gone[0] == std::pair<std::string, std::string>("other", "gone"));
  ledger.Forget("other", "gone");
  CHECK_FALSE(ledger.Handled("other", "gone"));
  CHECK(ledger.RecordExperiments({"e"}).empty());
}

}  // namespace
}  // namespace tower::riffyn
