// The names of a queue's file: what may become one, and that it is never open twice.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/queue/queue.h"
#include "core/queue/sqlite.h"
#include "test/support/eventually.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("whether a path could be a queue is told without touching it", "[queue]") {
  const TempDir folder;
  Metrics metrics;
  const QueueOptions ours{.path = folder / "queue.db"};
  const auto file = ours.path;
  const auto fault = [](const std::string& path) {
    const auto fits = CheckQueueFile(path);
    return fits ? "" : fits.error().message;
  };
  CHECK(fault(":memory:").empty());
  CHECK(fault(file).empty());
  CHECK_FALSE(std::filesystem::exists(file));
  REQUIRE(TriggerQueue::Open(ours, {}, metrics));  // and close it
  CHECK(fault(file).empty());
  CHECK_THAT(fault("/no/such/folder/q.db"), ContainsSubstring("/no/such/folder: no such file"));
  CHECK_THAT(fault(std::filesystem::path(file).parent_path().string()),
             ContainsSubstring("queue.path"));
  std::ofstream(file + ".other") << std::string(100, 'x');
  CHECK_THAT(fault(file + ".other"), ContainsSubstring("no queue of control-tower"));
  std::ofstream(file + ".empty").flush();
  CHECK_THAT(fault(file + ".empty"), ContainsSubstring("no queue of control-tower"));
}

TEST_CASE("a file has one lock, whatever it is called", "[queue]") {
  const TempDir folder;
  Metrics metrics;
  const QueueOptions ours{.path = folder / "queue.db"};
  const auto first = TriggerQueue::Open(ours, {}, metrics);
  REQUIRE(first);
  const auto file = ours.path;
  const auto fault = [&](const std::string& path) {
    auto options = ours;
    options.path = path;
    const auto second = TriggerQueue::Open(options, {}, metrics);
    return second ? "" : second.error().message;
  };
  std::filesystem::create_symlink(file, file + ".link");
  CHECK_THAT(fault(file + ".link"), ContainsSubstring("is in use by process"));
  std::filesystem::create_hard_link(file, file + ".hard");
  CHECK_THAT(fault(file + ".hard"), ContainsSubstring("a second name"));
}

// Left behind by a full disk, at a time when trimming went on after its first error.
TEST_CASE("a file in which trimming is ahead of the cursor opens, with that repaired", "[queue]") {
  const TempDir folder;
  const CapturedLogs logs;
  Metrics metrics;
  const QueueOptions options{.path = folder / "queue.db", .max_history = 2};
  const auto put = [](TriggerQueue& queue, int count) {
    const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"v":1}})");
    const std::vector<Trigger> batch(static_cast<std::size_t>(count), trigger);
    return queue.Put(batch, {.source = "t"}).value().uuids;
  };
  std::vector<Uuid> uuids;
  {
    auto queue = TriggerQueue::Open(options, {}, metrics).value();
    uuids = put(*queue, 10);
    std::vector<Outcome> outcomes;
    const auto taken = queue->TryTake(6).value();
    for (const auto& each : taken) outcomes.push_back({.seq = each.seq});
    outcomes.front().fate = Fate::kUndeliverable;
    queue->Settle(outcomes);
    REQUIRE(Eventually([&] { return !queue->Find(uuids[3]); }));  // trimmed: 2, 3 and 4 of 6
  }
  std::string bad = "UPDATE state SET trimmed = 9, trimmed_position = 5000";
  bool opens = true;
  SECTION("as it is") {}
  SECTION("unless triggers behind the cursor are missing") {
    bad += "; DELETE FROM triggers WHERE seq BETWEEN 2 AND 8";
    opens = false;
  }
  {
    auto database = Database::Open(options.path, Database::Access::kReadWrite);
    REQUIRE(database);
    REQUIRE(database->Execute(bad.c_str()));
  }
  auto opened = TriggerQueue::Open(options, {}, metrics);
  REQUIRE(opened.has_value() == opens);
  if (!opens) return;
  CHECK_THAT(logs.text(), ContainsSubstring("queue file repaired"));
  auto queue = std::move(*opened);
  CHECK(queue->Stats().depth == 4);
  CHECK(queue->Find(uuids[0])->state == TriggerState::kUndeliverable);
  CHECK(queue->Find(uuids[5])->state == TriggerState::kPublished);
  put(*queue, 1);
  const auto taken = queue->TryTake(10).value();
  REQUIRE(taken.size() == 5);
  std::vector<Outcome> outcomes;
  for (const auto& each : taken) outcomes.push_back({.seq = each.seq});
  queue->Settle(outcomes);
  CHECK(Eventually([&] { return !queue->Find(uuids[5]); }));
  // What was repaired is on disk.
  queue.reset();
  const std::string before = logs.text();
  REQUIRE(TriggerQueue::Open(options, {}, metrics));
  CHECK(logs.text() == before);
}

TEST_CASE("a limit that no disk has is none", "[queue]") {
  const TempDir folder;
  Metrics metrics;
  for (const auto bytes : {std::uint64_t{1} << 62U, ~std::uint64_t{0}, std::uint64_t{0}}) {
    CAPTURE(bytes);
    auto queue = TriggerQueue::Open({.path = folder / "queue.db", .max_bytes = bytes}, {}, metrics);
    REQUIRE(queue);
    const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"v":1}})");
    CHECK((*queue)->Put(std::span(&trigger, 1),
                        {.source = "t", .deadline = std::chrono::steady_clock::now()}));
    CHECK((*queue)->Stats().health);
  }
}

}  // namespace
}  // namespace tower
