#include "core/queue/handover.h"

#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "core/trigger/trigger.h"

namespace tower {
namespace {

using Work = Handover::Work;

std::vector<Trigger> Batch() {
  return {
      Trigger::Parse(R"({"apiVersion":"OT-2/v1alpha1","protocol":"Dilute","spec":{}})").value()};
}

// What the writer does, without a file.
struct Fixture {
  const std::vector<Trigger> batch = Batch();
  QueueEnds ends;
  Handover handover{ends, 1 << 20, Logger()};
  WriteRound round;
  Handover::Changes changes;

  Work Wait() { return handover.Wait(round, changes, 1 << 20, std::nullopt); }
  void Finish(const Status& outcome) {
    for (auto* put : round.puts) {
      put->known.assign(put->rows.size(), false);
      put->result = Receipt();
      for (auto& row : put->rows) {
        row.trigger.seq = ++ends.last_seq;
        row.position = ends.last_position += SizeOf(row.trigger);
      }
    }
    handover.Finish(round, outcome, outcome, ends, nullptr);
    for (auto* put : std::exchange(round.puts, {})) put->Finish();
  }
  std::vector<AcceptedTrigger> Take() {
    std::vector<AcceptedTrigger> taken;
    CHECK(handover.Take(10, taken).where == Handover::ToRead::Where::kNone);
    return taken;
  }
};

}  // namespace

TEST_CASE("what the writer has committed is handed to the consumer in memory", "[queue]") {
  Fixture f;
  WaitingPut first(f.batch, {.source = "test"}), second(f.batch, {.source = "test"});
  REQUIRE(f.handover.Put(first, {}));
  REQUIRE(f.handover.Put(second, {}));
  CHECK(f.Take().empty());
  REQUIRE(f.Wait() == Work::kCommit);
  CHECK(f.round.puts.size() == 2);
  f.Finish(Ok());
  const auto taken = f.Take();
  REQUIRE(taken.size() == 2);
  CHECK(taken.front().uuid == first.rows.front().trigger.uuid);
  CHECK(taken.back().seq == 2);
}

TEST_CASE("outcomes of a transaction that failed are stored by the next one", "[queue]") {
  Fixture f;
  WaitingPut put(f.batch, {.source = "test"});
  REQUIRE(f.handover.Put(put, {}));
  REQUIRE(f.Wait() == Work::kCommit);
  f.Finish(Ok());
  CHECK(f.Take().size() == 1);
  const Outcome outcomes[] = {{1, Fate::kUndeliverable, "unroutable"}};
  const auto call = f.handover.Settle(outcomes);
  REQUIRE(f.Wait() == Work::kCommit);
  CHECK(f.round.settle);
  f.Finish(Error{ErrorCode::kUnavailable, "no"});
  CHECK(!f.handover.Stats().stats.health);
  CHECK(!f.handover.DeferredUpto(call));

  REQUIRE(f.handover.Close());
  REQUIRE(f.Wait() == Work::kCommit);
  CHECK(f.round.settle);
  CHECK(f.round.cursor == 1);
  REQUIRE(f.round.settled.size() == 1);
  CHECK(f.round.settled.front().reason == "unroutable");
  f.Finish(Ok());
  CHECK(f.handover.Stats().stats.health);
  CHECK(f.handover.DeferredUpto(call));
  CHECK(f.Wait() == Work::kNone);
}

}  // namespace tower
