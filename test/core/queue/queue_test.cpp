#include "core/queue/queue.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "test/support/eventually.h"
#include "test/support/handoff.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

Trigger MakeTrigger(int n, const std::string& uuid = {}, std::size_t padding = 0) {
  std::string json = R"({"apiVersion":"OT-2/v1alpha1","protocol":"Dilute","spec":{"n":)" +
                     std::to_string(n) + R"(,"pad":")" + std::string(padding, 'x') + R"("})";
  if (!uuid.empty()) json += R"(,"uuid":")" + uuid + R"(")";
  return *Trigger::Parse(json + "}");
}

struct Fixture {
  TempDir folder;
  Metrics metrics;
  QueueOptions options{.path = folder / "queue.db"};
  std::unique_ptr<TriggerQueue> queue;

  TriggerQueue& Open() {
    queue.reset();
    auto opened = TriggerQueue::Open(options, {}, metrics);
    if (!opened) FAIL(opened.error().message);
    queue = std::move(*opened);
    return *queue;
  }
  Result<Receipt> Put(int n, PutOptions put = {.source = "test"}, const std::string& uuid = {}) {
    const auto trigger = MakeTrigger(n, uuid);
    return queue->Put(std::span(&trigger, 1), put);
  }
  std::vector<AcceptedTrigger> Take(std::size_t limit = 1000) {
    return queue->Take(limit, {}, std::chrono::steady_clock::now() + 30s).value();
  }
  void Settle(const std::vector<AcceptedTrigger>& taken) {
    std::vector<Outcome> outcomes;
    for (const auto& each : taken) outcomes.push_back({.seq = each.seq});
    queue->Settle(outcomes);
  }
};

}  // namespace

TEST_CASE("what was put is taken in order, as it was put", "[queue]") {
  Fixture f;
  f.options.path = GENERATE(std::string(":memory:"), std::string("file"));
  if (f.options.path == "file") f.options.path = f.folder / "queue.db";
  f.Open();
  const std::vector<Trigger> batch = {MakeTrigger(1), MakeTrigger(2), MakeTrigger(3)};
  const auto receipt = f.queue->Put(
      batch,
      {.source = "inbox", .client = "lims", .traceparent = "00-aa-bb-01", .tracestate = "a=b"});
  REQUIRE(receipt);
  REQUIRE(receipt->uuids.size() == 3);
  CHECK_FALSE(receipt->repeated);
  const auto taken = f.Take();
  REQUIRE(taken.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(taken[i].seq == static_cast<std::int64_t>(i) + 1);
    CHECK(taken[i].uuid == receipt->uuids[i]);
    CHECK(taken[i].body == batch[i].BodyWith(receipt->uuids[i]));
    CHECK(taken[i].api_version == "OT-2/v1alpha1");
    CHECK(taken[i].protocol == "Dilute");
    CHECK(taken[i].source == "inbox");
    CHECK(taken[i].client == "lims");
    CHECK(taken[i].traceparent == "00-aa-bb-01");
    CHECK(taken[i].tracestate == "a=b");
  }
}

TEST_CASE("one trigger put twice gets two uuids", "[queue]") {
  Fixture f;
  f.Open();
  const auto trigger = MakeTrigger(1);
  const std::vector<Trigger> twice = {trigger, trigger};
  const auto receipt = f.queue->Put(twice, {.source = "test"});
  REQUIRE(receipt);
  CHECK(receipt->uuids[0] != receipt->uuids[1]);
}

TEST_CASE("a restart begins at the cursor", "[queue]") {
  Fixture f;
  f.Open();
  for (int n = 1; n <= 10; ++n) REQUIRE(f.Put(n));
  f.Settle(f.Take(4));
  f.Open();
  auto taken = f.Take();
  REQUIRE(taken.size() == 6);
  CHECK(taken.front().seq == 5);
  CHECK_THAT(taken.front().body, ContainsSubstring("\"n\":5"));
  f.Settle(taken);
  f.Open();
  CHECK(f.queue->Stats().depth == 0);
  CHECK(f.queue->TryTake(10).value().empty());
}

TEST_CASE("the cursor waits for the oldest unsettled trigger", "[queue]") {
  Fixture f;
  f.Open();
  for (int n = 1; n <= 5; ++n) REQUIRE(f.Put(n));
  const auto taken = f.Take();
  f.queue->Settle(std::vector<Outcome>{{.seq = 2}, {.seq = 3}, {.seq = 5}});
  CHECK(f.queue->Stats().depth == 2);
  f.queue->Settle(std::vector<Outcome>{{.seq = 1}});
  CHECK(f.queue->Stats().depth == 1);
  f.Open();
  const auto again = f.Take();
  REQUIRE(again.size() == 2);
  CHECK(again[0].seq == 4);
  CHECK(again[1].uuid == taken[4].uuid);
}

TEST_CASE("what could not be delivered is listed, kept and does not block", "[queue]") {
  Fixture f;
  f.options.max_history = 0;
  f.Open();
  const auto receipt = f.Put(1);
  REQUIRE(f.Put(2));
  REQUIRE(f.Put(3));
  f.Take();
  f.queue->Settle(std::vector<Outcome>{
      {.seq = 1, .fate = Fate::kUndeliverable, .reason = "unroutable"}, {.seq = 2}, {.seq = 3}});
  CHECK(f.queue->Stats().depth == 0);
  CHECK(f.queue->Stats().undeliverable == 1);
  f.Open();
  CHECK(f.queue->Stats().undeliverable == 1);
  CHECK(f.queue->Stats().bytes > 0);
  const auto record = f.queue->Find(receipt->uuids[0]);
  REQUIRE(record);
  CHECK(record->state == TriggerState::kUndeliverable);
  CHECK(record->reason == "unroutable");
  CHECK(record->settled_at.has_value());
}

TEST_CASE("a trigger listed undeliverable ahead of the cursor is not taken again", "[queue]") {
  Fixture f;
  f.Open();
  for (int n = 1; n <= 3; ++n) REQUIRE(f.Put(n));
  f.Take();
  f.queue->Settle(std::vector<Outcome>{{.seq = 2, .fate = Fate::kUndeliverable, .reason = "x"},
                                       {.seq = 3, .fate = Fate::kUndeliverable, .reason = "x"}});
  f.Open();
  const auto taken = f.Take();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].seq == 1);
  f.Settle(taken);
  CHECK(f.queue->Stats().depth == 0);
}

TEST_CASE("a trigger is found with its state and times", "[queue]") {
  Fixture f;
  f.Open();
  const auto receipt = f.Put(1);
  const auto uuid = receipt->uuids[0];
  auto record = f.queue->Find(uuid);
  REQUIRE(record);
  CHECK(record->state == TriggerState::kQueued);
  CHECK_FALSE(record->settled_at.has_value());
  f.Settle(f.Take());
  REQUIRE(Eventually([&] { return f.queue->Find(uuid)->state == TriggerState::kPublished; }));
  record = f.queue->Find(uuid);
  REQUIRE(record->settled_at.has_value());
  CHECK(*record->settled_at >= record->trigger.accepted_at);
  CHECK(f.queue->Find(NewUuidV7()).error().code == ErrorCode::kNotFound);
}

TEST_CASE("the same uuid with the same content is stored once, with other content refused",
          "[queue]") {
  Fixture f;
  f.Open();
  const std::string uuid = "019353f0-0000-7000-8000-000000000001";
  REQUIRE(f.Put(1, {.source = "test"}, uuid));
  const auto again = f.Put(1, {.source = "test"}, uuid);
  REQUIRE(again);
  CHECK(again->repeated);
  CHECK(again->uuids[0].ToString() == uuid);
  const auto other = f.Put(2, {.source = "test"}, uuid);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::kConflict);
  // A batch of an old and a new one stores the new one only.
  const std::vector<Trigger> mixed = {MakeTrigger(1, uuid), MakeTrigger(7)};
  const auto receipt = f.queue->Put(mixed, {.source = "test"});
  REQUIRE(receipt);
  CHECK_FALSE(receipt->repeated);
  CHECK(receipt->uuids.size() == 2);
  CHECK(f.queue->Stats().depth == 2);
  const std::vector<Trigger> doubled = {MakeTrigger(8, "019353f0-0000-7000-8000-000000000008"),
                                        MakeTrigger(9, "019353f0-0000-7000-8000-000000000008")};
  CHECK(f.queue->Put(doubled, {.source = "test"}).error().code == ErrorCode::kConflict);
  CHECK(f.queue->Stats().depth == 2);
}

TEST_CASE("an idempotency key is remembered across a restart, for its source alone", "[queue]") {
  Fixture f;
  f.Open();
  const PutOptions keyed{.source = "a", .key = "k1", .fingerprint = "f"};
  const auto first = f.Put(1, keyed);
  REQUIRE(first);
  f.Open();
  const auto again = f.Put(1, keyed);
  REQUIRE(again);
  CHECK(again->repeated);
  CHECK(again->uuids == first->uuids);
  CHECK(f.Put(2, {.source = "a", .key = "k1", .fingerprint = "g"}).error().code ==
        ErrorCode::kConflict);
  const auto other = f.Put(1, {.source = "b", .key = "k1", .fingerprint = "f"});
  REQUIRE(other);
  CHECK_FALSE(other->repeated);
  CHECK(f.queue->Stats().depth == 2);
}

TEST_CASE("concurrent puts under one key store one trigger", "[queue]") {
  Fixture f;
  f.Open();
  std::vector<std::jthread> threads;
  std::vector<Uuid> uuids(8);
  for (std::size_t i = 0; i < uuids.size(); ++i) {
    threads.emplace_back([&, i] {
      uuids[i] = f.Put(1, {.source = "a", .key = "k", .fingerprint = "f"})->uuids.at(0);
    });
  }
  threads.clear();
  for (const auto& uuid : uuids) CHECK(uuid == uuids[0]);
  CHECK(f.queue->Stats().depth == 1);
}

TEST_CASE("a checkpoint is stored with its triggers, and alone", "[queue]") {
  Fixture f;
  f.Open();
  const std::vector<CheckpointChange> set = {{"b", "2"}, {"a", std::string("1\0x", 3)}};
  REQUIRE(f.Put(1, {.source = "inbox", .checkpoints = set}));
  const std::vector<CheckpointChange> forget = {{"b", std::nullopt}, {"c", "3"}};
  REQUIRE(f.queue->Put({}, {.source = "inbox", .checkpoints = forget}));
  f.Open();
  CHECK(f.queue->Checkpoint("inbox", "a").value() == std::string("1\0x", 3));
  CHECK_FALSE(f.queue->Checkpoint("inbox", "b").value().has_value());
  CHECK_FALSE(f.queue->Checkpoint("other", "a").value().has_value());
  CHECK(f.queue->Checkpoints("inbox").value() == std::vector<std::pair<std::string, std::string>>{
                                                     {"a", std::string("1\0x", 3)}, {"c", "3"}});
}

TEST_CASE("a repeated key still moves the checkpoint", "[queue]") {
  Fixture f;
  f.Open();
  REQUIRE(f.Put(1, {.source = "s", .key = "k"}));
  const std::vector<CheckpointChange> set = {{"at", "2"}};
  REQUIRE(f.Put(1, {.source = "s", .key = "k", .checkpoints = set})->repeated);
  CHECK(f.queue->Checkpoint("s", "at").value() == "2");
}

TEST_CASE("a full queue makes put wait for room, a deadline or a stop", "[queue]") {
  Fixture f;
  f.options.max_bytes = 8000;
  f.Open();
  const auto now = std::chrono::steady_clock::now();
  int stored = 0;
  while (f.Put(stored, {.source = "t", .deadline = now})) ++stored;
  CHECK(stored > 5);
  CHECK(f.Put(0, {.source = "t", .deadline = now}).error().code == ErrorCode::kFull);
  CHECK(f.queue->Stats().health.error().code == ErrorCode::kFull);

  std::stop_source stop;
  const auto trigger = MakeTrigger(1);
  std::atomic<int> stopped{0};
  std::jthread stopping([&] {
    auto put = f.queue->Put(std::span(&trigger, 1), {.source = "t"}, stop.get_token());
    stopped = !put && put.error().code == ErrorCode::kStopped ? 1 : 2;
  });
  stop.request_stop();
  stopping.join();
  CHECK(stopped == 1);

  std::atomic<bool> put_done{false};
  std::jthread waiting([&] { put_done = f.Put(99).has_value(); });
  f.Settle(f.Take());
  waiting.join();
  CHECK(put_done);
  CHECK(f.queue->Stats().health);
  CHECK(f.queue->Put(std::vector<Trigger>(30, MakeTrigger(1, {}, 300)), {.source = "t"})
            .error()
            .code == ErrorCode::kInvalid);
}

TEST_CASE("a queue that was full of repeats is full no more when they are done", "[queue]") {
  Fixture f;
  f.options.max_bytes = 8000;
  f.Open();
  REQUIRE(f.Put(0, {.source = "t", .key = "k"}));
  f.Settle(f.Take());
  const Gate release;
  const auto first = MakeTrigger(1);
  // On the writer's thread.
  f.queue->Submit(std::span(&first, 1), {.source = "t"},
                  [wait = release.Waiter()](const auto&) { wait(); });
  const auto again = MakeTrigger(0);
  int waiting = 0;
  // The queue has room once a put is on disk, and tells the put after that.
  struct Counts {
    std::atomic<int> taken = 0, refused = 0;
  };
  const auto told = std::make_shared<Counts>();
  while (told->refused == 0) {
    f.queue->Submit(std::span(&again, 1), {.source = "t", .key = "k"},
                    [told](const auto& put) { ++(put ? told->taken : told->refused); });
    ++waiting;
    REQUIRE(waiting < 1000);
  }
  CHECK(waiting > 5);
  CHECK(f.queue->Stats().health.error().code == ErrorCode::kFull);
  release.Open();
  CHECK(Eventually([&] { return f.queue->Stats().health.has_value(); }));
  CHECK(f.queue->Stats().depth == 1);
  CHECK(Eventually([&] { return told->taken == waiting - 1; }));
  CHECK(told->refused == 1);
}

TEST_CASE("history is trimmed by number and gives way to new triggers", "[queue]") {
  Fixture f;
  f.options.max_history = 10;
  f.Open();
  const auto first = f.Put(0)->uuids[0];
  for (int n = 1; n < 50; ++n) REQUIRE(f.Put(n));
  f.Settle(f.Take());
  REQUIRE(Eventually([&] {
    const auto newest = f.Put(100)->uuids[0];
    CHECK(f.queue->Find(newest));
    return !f.queue->Find(first);
  }));

  Fixture g;
  g.options.max_bytes = 20000;
  g.Open();
  const auto oldest = g.Put(0)->uuids[0];
  // Many times what the queue may hold passes through.
  for (int n = 1; n < 500; ++n) {
    REQUIRE(g.Put(n));
    g.Settle(g.Take());
  }
  CHECK(Eventually([&] {
    REQUIRE(g.Put(1000));
    g.Settle(g.Take());
    return !g.queue->Find(oldest);
  }));
}

TEST_CASE("history older than the retention goes", "[queue]") {
  Fixture f;
  f.options.retention = 0ms;
  f.Open();
  const auto uuid = f.Put(1)->uuids[0];
  REQUIRE(f.Put(2));
  const auto waiting = f.Put(3)->uuids[0];
  f.Settle(f.Take(2));
  REQUIRE(Eventually([&] {
    const std::vector<CheckpointChange> tick = {{"tick", "1"}};
    REQUIRE(f.queue->Put({}, {.source = "t", .checkpoints = tick}));
    return !f.queue->Find(uuid);
  }));
  CHECK(f.queue->Find(waiting));  // not yet settled: kept whatever its age
}

TEST_CASE("a consumer that lags reads from the file without gap or repeat", "[queue]") {
  Fixture f;
  f.Open();
  std::jthread producer([&] {
    int n = 0;
    for (int batch = 0; batch < 100; ++batch) {
      std::vector<Trigger> triggers;
      for (int i = 0; i < 200; ++i) triggers.push_back(MakeTrigger(n++));
      if (!f.queue->Put(triggers, {.source = "t"})) return;
    }
  });
  // Slow at first, so that more piles up than is handed over in memory.
  REQUIRE(Eventually([&] { return f.queue->Stats().depth > 12000; }));
  std::int64_t expected = 1;
  while (expected <= 20000) {
    const auto taken = f.Take(777);
    REQUIRE_FALSE(taken.empty());
    for (const auto& each : taken) REQUIRE(each.seq == expected++);
    f.Settle(taken);
  }
  CHECK(f.queue->Stats().depth == 0);
}

TEST_CASE("what was submitted is told once it is on disk", "[queue]") {
  Fixture fixture;
  fixture.Open();
  Told<Result<Receipt>> first;
  std::vector<Uuid> uuids;
  {
    // Nothing of these is needed once the call has returned.
    const auto triggers = std::vector{MakeTrigger(1), MakeTrigger(2)};
    const std::string source = "a source that is long enough to be on the heap";
    const std::string key = "a key that is long enough to be on the heap as well";
    const std::vector<CheckpointChange> changes = {{"mark", "17"}};
    uuids = fixture.queue->Submit(triggers, {.source = source, .key = key, .checkpoints = changes},
                                  first.Teller());
  }
  const auto receipt = first.Get();
  REQUIRE(receipt);
  CHECK(receipt->uuids == uuids);
  CHECK_FALSE(receipt->repeated);
  const auto taken = fixture.Take();
  REQUIRE(taken.size() == 2);
  CHECK(taken[1].uuid == uuids[1]);
  CHECK(fixture.queue->Checkpoint(taken[0].source, "mark").value() == "17");

  const auto again = std::vector{MakeTrigger(1), MakeTrigger(2)};
  Told<Result<Receipt>> second;
  fixture.queue->Submit(
      again,
      {.source = taken[0].source, .key = "a key that is long enough to be on the heap as well"},
      second.Teller());
  const auto repeated = second.Get();
  REQUIRE(repeated);
  CHECK(repeated->repeated);
  CHECK(repeated->uuids == uuids);
}

TEST_CASE("a submission that can't be taken is refused at once", "[queue]") {
  Fixture fixture;
  fixture.options.max_bytes = 3000;
  fixture.Open();
  const auto submit = [&](std::size_t padding) {
    const auto trigger = MakeTrigger(1, {}, padding);
    Told<Result<Receipt>> outcome;
    fixture.queue->Submit(std::span(&trigger, 1), {.source = "test"}, outcome.Teller());
    return outcome.Get();
  };
  CHECK(submit(2000));
  CHECK(submit(2000).error().code == ErrorCode::kFull);
  CHECK(submit(4000).error().code == ErrorCode::kInvalid);
  CHECK(submit(10));
  fixture.queue->Close();
  CHECK(submit(10).error().code == ErrorCode::kStopped);
}

TEST_CASE("a waiting consumer is woken by a commit", "[queue]") {
  Fixture f;
  f.Open();
  Wakeup wakeup;
  CHECK_FALSE(f.queue->WakeWhenReady(wakeup));
  REQUIRE(f.Put(1));
  CHECK(f.queue->WakeWhenReady(wakeup));
  std::uint64_t count = 0;
  CHECK(read(wakeup.fd(), &count, sizeof count) == sizeof count);
  f.queue->CancelWakeup();

  std::stop_source stop;
  stop.request_stop();
  CHECK(f.Take().size() == 1);
  CHECK(f.queue->Take(1, stop.get_token()).value().empty());
}

TEST_CASE("many threads put at once and nothing is lost or doubled", "[queue]") {
  Fixture f;
  f.Open();
  constexpr int kThreads = 8;
  constexpr int kEach = 200;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string source = "s" + std::to_string(t);
      for (int n = 0; n < kEach; ++n) {
        if (!f.Put(n, {.source = source})) return;
      }
    });
  }
  std::map<std::string, int> next;
  std::set<Uuid> uuids;
  while (uuids.size() < kThreads * kEach) {
    const auto taken = f.Take();
    for (const auto& each : taken) {
      REQUIRE(uuids.insert(each.uuid).second);
      REQUIRE(each.body.find("\"n\":" + std::to_string(next[each.source]++) + ",") !=
              std::string::npos);
    }
    f.Settle(taken);
  }
}

TEST_CASE("a second process may not share the file", "[queue]") {
  Fixture f;
  f.Open();
  Metrics metrics;
  const auto second = TriggerQueue::Open(f.options, {}, metrics);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::kPermanent);
  CHECK_THAT(second.error().message,
             ContainsSubstring("is in use by process " + std::to_string(getpid())));
}

TEST_CASE("a file that is not ours or is damaged is refused and left as it is", "[queue]") {
  Fixture f;
  const auto refused = [&](const std::string& expected) {
    const auto opened = TriggerQueue::Open(f.options, {}, f.metrics);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::kPermanent);
    CHECK_THAT(opened.error().message,
               ContainsSubstring(f.options.path) && ContainsSubstring(expected));
  };
  SECTION("text") {
    const std::string text(5000, 'x');
    f.folder.Write("queue.db", text);
    refused("not a database");
    CHECK(std::filesystem::file_size(f.options.path) == text.size());
  }
  SECTION("a folder that does not exist") {
    f.options.path = f.folder / "nowhere/queue.db";
    refused("no such file or directory");
  }
  SECTION("overwritten in the middle") {
    f.Open();
    for (int n = 0; n < 500; ++n) REQUIRE(f.Put(n));
    f.queue.reset();
    const auto size = std::filesystem::file_size(f.options.path);
    {
      std::fstream file(f.options.path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(size / 2 / 4096 * 4096));
      file << std::string(8192, '\x5a');
    }
    refused("restore the file from a backup");
    CHECK(std::filesystem::file_size(f.options.path) == size);
  }
}

TEST_CASE("the file may be read by its owner alone", "[queue]") {
  Fixture f;
  f.Open();
  REQUIRE(f.Put(1));
  for (const auto* suffix : {"", "-wal"}) {
    struct stat info {};
    REQUIRE(stat((f.options.path + suffix).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a closed queue refuses puts", "[queue]") {
  Fixture f;
  f.Open().Close();
  CHECK(f.Put(1).error().code == ErrorCode::kStopped);
}

}  // namespace tower
