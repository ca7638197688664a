// A disk that refuses: nothing is acknowledged that is not on it, and the queue goes on by itself
// once it can.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <thread>

#include "core/queue/queue.h"
#include "test/support/eventually.h"
#include "test/support/fault_vfs.h"
#include "test/support/handoff.h"
#include "test/support/seeds.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Failure = FaultDisk::Fault;
using File = FaultDisk::File;
using Op = FaultDisk::Op;

Trigger Numbered(int n, std::size_t padding = 2000) {
  return *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"n":)" + std::to_string(n) +
                         R"(,"pad":")" + std::string(padding, 'x') + R"("}})");
}

struct Fixture {
  explicit Fixture(std::uint64_t seed = 1) : disk(folder.path(), seed) {}

  CapturedLogs logs;
  TempDir folder;
  FaultDisk disk;
  Metrics metrics;
  QueueOptions options{.path = folder / "queue.db"};
  std::unique_ptr<TriggerQueue> queue;

  void Open() {
    queue.reset();
    auto opened = TriggerQueue::Open(options, {}, metrics);
    if (!opened) FAIL(opened.error().message);
    queue = std::move(*opened);
  }
  // Does not wait for room.
  Result<Receipt> Put(int n) {
    const auto trigger = Numbered(n);
    return queue->Put(std::span(&trigger, 1),
                      {.source = "t", .deadline = std::chrono::steady_clock::now()});
  }
  std::vector<AcceptedTrigger> TakeAll() {
    std::vector<AcceptedTrigger> all;
    while (true) {
      auto taken = queue->TryTake(100);
      if (!taken) FAIL(taken.error().message);
      if (taken->empty()) return all;
      all.insert(all.end(), taken->begin(), taken->end());
    }
  }
  // Numbers 0 to `count` - 1 are in the queue, once each and in order.
  void Expect(int count) {
    const auto all = TakeAll();
    REQUIRE(all.size() == static_cast<std::size_t>(count));
    for (int n = 0; n < count; ++n) {
      const auto& body = all[static_cast<std::size_t>(n)].body;
      REQUIRE_THAT(body, ContainsSubstring("\"n\":" + std::to_string(n) + ","));
    }
  }
  void LosePower() {
    disk.CutPower();
    queue.reset();
    disk.RestorePower(FaultDisk::Loss::kAll);
  }
};

// Puts while one operation fails, the skip-th of its kind; false when there were fewer.
bool PutsThrough(FaultDisk::Plan plan) {
  Fixture f;
  f.disk.CheckpointEvery(8);
  f.Open();
  REQUIRE(f.Put(0));
  REQUIRE(f.Put(1));
  f.disk.Fail(plan);
  constexpr int kCount = 12;
  for (int n = 2; n < kCount; ++n) {
    auto put = f.Put(n);
    if (put) continue;
    // Nothing was stored: the same again, without any key, is no repeat.
    CHECK((put.error().code == ErrorCode::kUnavailable || put.error().code == ErrorCode::kFull));
    CHECK_THAT(put.error().message, ContainsSubstring(f.options.path));
    CHECK_FALSE(f.queue->Stats().health);
    put = f.Put(n);
    if (!put) FAIL(put.error().message);
    CHECK(f.queue->Stats().health);
  }
  if (f.disk.planned()) return false;
  CHECK(f.queue->Stats().depth == kCount);
  f.Expect(kCount);
  f.LosePower();
  f.Open();
  CHECK(f.queue->Stats().depth == kCount);
  f.Expect(kCount);
  return true;
}

}  // namespace

TEST_CASE("an operation of the disk that fails once costs no trigger and doubles none",
          "[queue][faults]") {
  const struct {
    FaultDisk::Plan plan;
    std::uint64_t least;  // operations of the kind that there are at least
  } cases[] = {
      {{Op::kWrite, File::kWal, Failure::kIoError}, 30},
      {{Op::kWrite, File::kWal, Failure::kFull}, 30},
      {{Op::kWrite, File::kWal, Failure::kShortWrite}, 30},
      {{Op::kSync, File::kWal, Failure::kIoError}, 10},
      {{Op::kWrite, File::kMain, Failure::kIoError}, 5},
      {{Op::kWrite, File::kMain, Failure::kShortWrite}, 5},
      {{Op::kSync, File::kMain, Failure::kIoError}, 2},
  };
  for (const auto& [plan, least] : cases) {
    CAPTURE(plan.op, plan.file, plan.fault);
    auto next = plan;
    for (bool met = true; met; ++next.skip) {
      CAPTURE(next.skip);
      met = PutsThrough(next);
    }
    CHECK(next.skip > least);
  }
}

TEST_CASE("what a failed sync left in the cache alone does not take later commits with it",
          "[queue][faults]") {
  for (const auto seed : Seeds(50)) {
    CAPTURE(seed);
    Fixture f(seed);
    f.Open();
    REQUIRE(f.Put(0));
    f.disk.Fail({.op = Op::kSync, .file = File::kWal});
    REQUIRE_FALSE(f.Put(1));
    // The process dies; the next one finds the put whole, though parts of it never reached the
    // disk.
    f.disk.CutPower();
    f.queue.reset();
    f.disk.RestorePower(FaultDisk::Loss::kNone);
    const bool full = seed % 2 == 0;  // no room to write it once more, at first
    if (full) f.disk.Fail({.op = Op::kWrite, .fault = Failure::kFull, .lasting = true});
    f.Open();
    if (full) {
      CHECK(f.Put(2).error().code == ErrorCode::kFull);
      CHECK(f.TakeAll().size() >= 1);
      f.disk.Heal();
    }
    const auto acknowledged = f.Put(2);
    REQUIRE(acknowledged);
    f.LosePower();
    f.Open();
    CHECK(f.queue->Find(acknowledged->uuids[0]));
  }
}

TEST_CASE("while the disk fails, what is there is published; then the queue opens its file anew",
          "[queue][faults]") {
  Fixture f;
  f.Open();
  const auto first = f.Put(0);
  REQUIRE(first);
  f.disk.Fail({.op = Op::kSync, .file = File::kWal, .lasting = true});
  f.disk.Fail({.op = Op::kOpen, .file = File::kMain, .lasting = true});
  const auto failed = f.Put(1);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::kUnavailable);
  const auto not_opened = f.Put(1);
  REQUIRE_FALSE(not_opened);
  CHECK(not_opened.error().code == ErrorCode::kUnavailable);
  CHECK_THAT(not_opened.error().message,
             ContainsSubstring(f.options.path) && ContainsSubstring("unable to open"));
  CHECK_FALSE(f.queue->Stats().health);
  const auto taken = f.TakeAll();
  REQUIRE(taken.size() == 1);
  f.queue->Settle(std::vector<Outcome>{{.seq = taken[0].seq}});
  CHECK(f.queue->Stats().depth == 0);
  CHECK(f.queue->Find(first->uuids[0])->state == TriggerState::kQueued);  // as the disk has it

  f.disk.Heal();
  // Nobody puts anything: what was settled is tried again all the same.
  CHECK(Eventually(
      [&] { return f.queue->Find(first->uuids[0])->state == TriggerState::kPublished; }));
  CHECK(f.queue->Stats().health);
  REQUIRE(f.Put(1));
  CHECK(f.TakeAll().size() == 1);
  CHECK_THAT(f.logs.text(), ContainsSubstring("queue cannot write") &&
                                ContainsSubstring("queue is writable again"));
}

TEST_CASE("history that can't be read or trimmed harms no put", "[queue][faults]") {
  Fixture f;
  f.options.max_history = 10;
  f.Open();
  std::vector<Trigger> batch;
  for (int n = 0; n < 3000; ++n) batch.push_back(Numbered(n));
  REQUIRE(f.queue->Put(batch, {.source = "t"}));
  f.Open();  // more than SQLite keeps in memory
  REQUIRE(f.Put(3000));
  const auto taken = f.TakeAll();
  f.disk.Fail(
      {.op = Op::kRead, .file = File::kMain, .lasting = true, .from = 1 << 20, .to = 2 << 20});
  std::vector<Outcome> outcomes;
  for (const auto& each : taken) outcomes.push_back({.seq = each.seq});
  f.queue->Settle(outcomes);
  REQUIRE(Eventually([&] { return !f.queue->Stats().history; }));
  CHECK_THAT(f.queue->Stats().history.error().message, ContainsSubstring(f.options.path));
  for (int n = 3001; n < 3005; ++n) {
    if (const auto put = f.Put(n); !put) FAIL(put.error().message);
  }
  CHECK(f.queue->Stats().health);
  CHECK_THAT(f.logs.text(), ContainsSubstring("history cannot be trimmed"));
  CHECK_THAT(f.metrics.Render(), ContainsSubstring("control_tower_queue_trim_failures_total "));
  const auto checkpoint = f.queue->Checkpoint("t", "x");
  CHECK((checkpoint || checkpoint.error().code == ErrorCode::kUnavailable));

  f.disk.Heal();
  CHECK(Eventually([&] { return f.queue->Stats().history.has_value(); }));
  CHECK(Eventually([&] { return f.queue->Find(taken.front().uuid).has_value() == false; }));
  f.LosePower();
  f.Open();
  CHECK(f.TakeAll().size() == 4);
}

TEST_CASE("a bulk change that fails midway says how far it came", "[queue][faults]") {
  Fixture f;
  f.Open();
  std::vector<Trigger> batch;
  for (int n = 0; n < 5000; ++n) batch.push_back(Numbered(n, 10));
  REQUIRE(f.queue->Put(batch, {.source = "t"}));
  std::vector<Outcome> outcomes;
  for (const auto& each : f.TakeAll()) {
    outcomes.push_back({.seq = each.seq, .fate = Fate::kUndeliverable, .reason = "unroutable"});
  }
  const auto last = f.queue->List({}, 1, 0)->records.front().trigger.uuid;
  f.queue->Settle(outcomes);
  REQUIRE(Eventually([&] { return f.queue->Find(last)->state == TriggerState::kUndeliverable; }));
  Told<BulkOutcome> told;
  const auto done = told.Teller();
  SECTION("by a fault of the disk") {
    f.disk.Fail({.op = Op::kSync, .file = File::kWal, .skip = 1});
    f.queue->RedeliverAll({}, {.confirm = 5000}, done);
  }
  SECTION("by a close") {
    f.queue->RedeliverAll({}, {.confirm = 5000}, done);
    f.queue->Close();
  }
  const auto outcome = told.Get();
  REQUIRE_FALSE(outcome.status);
  CHECK(outcome.changed < 5000);
  if (outcome.status.error().code == ErrorCode::kUnavailable) {
    CHECK(outcome.matched == 5000);
    CHECK(outcome.changed == 2000);
  }
  f.LosePower();
  f.Open();
  CHECK(f.queue->Stats().depth == outcome.changed);
  CHECK(f.queue->Stats().undeliverable == 5000 - outcome.changed);
}

TEST_CASE("a file that vanished while in use is not made anew", "[queue][faults]") {
  Fixture f;
  f.Open();
  REQUIRE(f.Put(0));
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(f.options.path + suffix);
  }
  f.disk.Fail({.op = Op::kSync, .file = File::kWal});
  CHECK(f.Put(1).error().code == ErrorCode::kUnavailable);
  const auto gone = f.Put(1);
  REQUIRE_FALSE(gone);
  CHECK_THAT(gone.error().message, ContainsSubstring("unable to open"));
  CHECK_FALSE(std::filesystem::exists(f.options.path));

  SECTION("nor is another taken for it") {
    {
      Metrics metrics;
      auto other = TriggerQueue::Open({.path = f.folder / "other.db"}, {}, metrics);
      REQUIRE(other);
    }
    std::filesystem::rename(f.folder / "other.db", f.options.path);
    for (int tries = 0; tries < 2; ++tries) {
      const auto put = f.Put(1);
      REQUIRE_FALSE(put);
      CHECK(put.error().code == ErrorCode::kUnavailable);  // no watcher is ended by that
      CHECK_THAT(put.error().message, ContainsSubstring("replaced while in use"));
    }
  }
}

TEST_CASE("on a full disk puts wait, publishing goes on, and room is noticed", "[queue][faults]") {
  Fixture f;
  f.Open();
  const auto first = f.Put(0);
  REQUIRE(first);
  REQUIRE(f.Put(1));
  f.disk.Fail({.op = Op::kWrite, .fault = Failure::kFull, .lasting = true});
  const auto full = f.Put(2);
  REQUIRE_FALSE(full);
  CHECK(full.error().code == ErrorCode::kFull);
  CHECK_THAT(full.error().message, ContainsSubstring("free some disk space"));

  const auto trigger = Numbered(2);
  std::stop_source stop;
  std::atomic<int> ended{0};
  const auto put = [&](const std::stop_token& token) {
    auto receipt = f.queue->Put(std::span(&trigger, 1), {.source = "t"}, token);
    ended += receipt ? 1 : (receipt.error().code == ErrorCode::kStopped ? 100 : 10'000);
  };
  const auto tried = f.disk.Count(Op::kWrite, File::kWal);
  std::jthread stopped([&] { put(stop.get_token()); });
  std::jthread waiting([&] { put({}); });
  REQUIRE(Eventually([&] { return f.disk.Count(Op::kWrite, File::kWal) >= tried + 2; }));
  CHECK(ended == 0);
  stop.request_stop();
  stopped.join();
  CHECK(ended == 100);

  const auto taken = f.TakeAll();
  REQUIRE(taken.size() == 2);
  f.queue->Settle(std::vector<Outcome>{{.seq = 1}, {.seq = 2}});
  CHECK(f.queue->Stats().depth == 0);
  CHECK_FALSE(f.queue->Stats().health);

  f.disk.Heal();
  waiting.join();
  CHECK(ended == 101);
  CHECK(f.TakeAll().size() == 1);
  CHECK(Eventually(
      [&] { return f.queue->Find(first->uuids[0])->state == TriggerState::kPublished; }));
  CHECK(f.queue->Stats().health);
}

}  // namespace tower
