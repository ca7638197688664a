#include "core/watch/watcher.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "test/support/handoff.h"
#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using namespace std::chrono_literals;

Trigger OneTrigger() {
  return *Trigger::Parse(R"({"apiVersion":"OT-2/v1alpha1","protocol":"Dilute","spec":{}})");
}

std::unique_ptr<Watcher> NoWatcher(OptionSet&) { return nullptr; }

struct Door {
  TestQueue queue;
  Counter accepted, rejected;
  WatcherNotes notes{accepted, rejected};
  std::atomic<int> successes = 0;
  std::stop_source stop;
  WatcherQueue Open(const std::string& source = "inbox") {
    return WatcherQueue(*queue, source, stop.get_token(), notes, [this] { ++successes; });
  }
};

TEST_CASE("every folder under plugins is linked in, and nothing else", "[watcher]") {
  std::set<std::string, std::less<>> folders;
  std::istringstream names(TOWER_PLUGIN_DIRS);
  for (std::string name; std::getline(names, name, ',');) folders.insert(name);
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  std::set<std::string, std::less<>> linked;
  for (const auto* kind : *kinds) {
    linked.emplace(kind->name());
    CHECK_FALSE(kind->summary().empty());
  }
  CHECK(linked == folders);
  CHECK_FALSE(folders.empty());
}

TEST_CASE("plugins are listed by name", "[watcher]") {
  const WatcherKind b("b-2", "", NoWatcher), a("a", "", NoWatcher);
  const auto sorted = WatcherKind::Sorted({&b, &a});
  REQUIRE(sorted);
  CHECK(*sorted == std::vector<const WatcherKind*>{&a, &b});
}

TEST_CASE("two plugins of one name, and bad names, are all named at once", "[watcher]") {
  const WatcherKind a("same", "", NoWatcher), b("same", "", NoWatcher), c("same", "", NoWatcher),
      empty("", "", NoWatcher), upper("Upper", "", NoWatcher);
  const auto sorted = WatcherKind::Sorted({&a, &empty, &b, &upper, &c});
  REQUIRE_FALSE(sorted);
  CHECK(sorted.error().code == ErrorCode::kInvalid);
  CHECK(sorted.error().message ==
        R"(plugin "" needs a name of lower case letters, digits and dashes; )"
        R"(plugin "Upper" needs a name of lower case letters, digits and dashes; )"
        R"(plugin "same" is registered more than once)");
}

TEST_CASE("a put stores triggers and checkpoint under the watcher's name", "[watcher]") {
  Door door;
  auto queue = door.Open();
  const std::vector<CheckpointChange> changes = {{"cursor", "42"}};
  REQUIRE(queue.Put(OneTrigger(), {.key = {}, .remember = changes}));
  const auto taken = door.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].source == "inbox");
  CHECK(queue.Recall("cursor").value() == "42");
  CHECK_FALSE(door.Open("other").Recall("cursor").value());
  CHECK(door.accepted.value() == 1);
  CHECK(door.successes == 1);
}

TEST_CASE("an event is put once, and its checkpoint moves on", "[watcher]") {
  Door door;
  auto queue = door.Open();
  const std::vector<CheckpointChange> first = {{"cursor", "1"}}, second = {{"cursor", "2"}};
  REQUIRE(queue.Put(OneTrigger(), {.key = "event-1", .remember = first}));
  REQUIRE(queue.Put(OneTrigger(), {.key = "event-1", .remember = second}));
  CHECK(door.queue.Take(1).size() == 1);
  CHECK(door.queue.Empty());
  CHECK(queue.Recall("cursor").value() == "2");
  CHECK(door.accepted.value() == 1);
}

TEST_CASE("a put without triggers stores or forgets what is remembered", "[watcher]") {
  Door door;
  auto queue = door.Open();
  const std::vector<CheckpointChange> set = {{"b", "2"}, {"a", "1"}},
                                      forget = {{"b", std::nullopt}};
  REQUIRE(queue.Put(std::span<const Trigger>(), {.key = {}, .remember = set}));
  using All = std::vector<std::pair<std::string, std::string>>;
  CHECK(queue.RecallAll().value() == All{{"a", "1"}, {"b", "2"}});
  REQUIRE(queue.Put(std::span<const Trigger>(), {.key = {}, .remember = forget}));
  CHECK(queue.RecallAll().value() == All{{"a", "1"}});
  CHECK(door.accepted.value() == 0);
}

TEST_CASE("a put after a requested stop stores nothing", "[watcher]") {
  Door door;
  door.stop.request_stop();
  auto put = door.Open().Put(OneTrigger());
  REQUIRE_FALSE(put);
  CHECK(put.error().code == ErrorCode::kStopped);
  CHECK(door.queue.Empty());
  CHECK(door.accepted.value() == 0);
  CHECK(door.successes == 0);
}

TEST_CASE("a checkpoint alone is stored after a requested stop too", "[watcher]") {
  Door door;
  door.stop.request_stop();
  auto queue = door.Open();
  const std::vector<CheckpointChange> changes = {{"cursor", "42"}};
  REQUIRE(queue.Put(std::span<const Trigger>(), {.key = {}, .remember = changes}));
  CHECK(queue.Recall("cursor").value() == "42");
}

TEST_CASE("sleep ends with the time, or at once with the stop", "[watcher]") {
  std::stop_source stop;
  CHECK(WatcherContext::Sleep(1ms, stop.get_token()));
  const auto began = std::chrono::steady_clock::now();
  bool slept = true;
  std::thread sleeper(
      [&] { slept = WatcherContext::Sleep(std::chrono::milliseconds::max(), stop.get_token()); });
  stop.request_stop();
  sleeper.join();
  CHECK_FALSE(slept);
  CHECK(std::chrono::steady_clock::now() - began < 30s);
}

using Answer = Told<Result<std::vector<Uuid>>>;  // what became of a submitted put

TEST_CASE("a submitted put tells its uuids once it is on disk, and is counted once", "[watcher]") {
  Door door;
  auto queue = door.Open();
  const auto trigger = OneTrigger();
  Answer first, again, other;
  queue.Submit(std::span(&trigger, 1), {.key = "delivery 1", .fingerprint = "a"}, first.Teller());
  const auto uuids = first.Get();
  REQUIRE(uuids);
  REQUIRE(uuids->size() == 1);
  CHECK(door.queue->Find(uuids->front()));
  queue.Submit(std::span(&trigger, 1), {.key = "delivery 1", .fingerprint = "a"}, again.Teller());
  const auto known = again.Get();
  REQUIRE(known);
  CHECK(*known == *uuids);
  queue.Submit(std::span(&trigger, 1), {.key = "delivery 1", .fingerprint = "b"}, other.Teller());
  const auto conflict = other.Get();
  REQUIRE_FALSE(conflict);
  CHECK(conflict.error().code == ErrorCode::kConflict);
  CHECK(door.accepted.value() == 1);
  CHECK(door.successes == 2);
  CHECK(door.queue.Take(1).size() == 1);
  CHECK(door.queue.Empty());
}

TEST_CASE("puts are submitted by several threads, and the door closes behind the last",
          "[watcher]") {
  Door door;
  std::atomic<int> done = 0;
  {
    auto queue = door.Open();
    std::vector<std::thread> senders;
    for (int i = 0; i < 4; ++i) {
      senders.emplace_back([&] {
        const auto trigger = OneTrigger();
        for (int j = 0; j < 50; ++j) {
          queue.Submit(std::span(&trigger, 1), {}, [&done](const Result<std::vector<Uuid>>& put) {
            if (put) ++done;
          });
        }
      });
    }
    for (auto& sender : senders) sender.join();
  }
  CHECK(done == 200);
  CHECK(door.accepted.value() == 200);
  CHECK(door.queue.Take(200).size() == 200);
}

TEST_CASE("a full queue refuses what is submitted at once", "[watcher]") {
  const TempDir folder;
  Metrics metrics;
  auto queue =
      TriggerQueue::Open({.path = folder / "queue.db", .max_bytes = 1U << 20U}, {}, metrics);
  REQUIRE(queue);
  Counter accepted, rejected;
  WatcherNotes notes{accepted, rejected};
  WatcherQueue door(**queue, "inbox", {}, notes, [] {});
  const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{"text":")" +
                                       std::string(400'000, 'x') + "\"}}");
  Result<std::vector<Uuid>> last;
  int taken = 0;
  for (; taken < 10; ++taken) {
    Answer answer;
    door.Submit(std::span(&trigger, 1), {}, answer.Teller());
    last = answer.Get();
    if (!last) break;
  }
  CHECK(taken == 2);
  REQUIRE_FALSE(last);
  CHECK(last.error().code == ErrorCode::kFull);
  CHECK(accepted.value() == 2);
}

}  // namespace
}  // namespace tower
