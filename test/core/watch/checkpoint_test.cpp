#include "core/watch/checkpoint.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <utility>
#include <vector>

#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Rows = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("a checkpoint is read row by row, sorted by key", "[watcher]") {
  TestQueue queue;
  Counter taken, rejected;
  WatcherNotes notes(taken, rejected);
  WatcherQueue door(*queue, "inbox", {}, notes, [] {});
  const std::vector<CheckpointChange> changes = {{"b", "2"}, {"a", "1"}, {"c", "3"}};
  REQUIRE(PutCheckpoint(door, changes));
  const CheckpointChange forget{"b", std::nullopt};
  REQUIRE(PutCheckpoint(door, {&forget, 1}));
  Rows rows;
  REQUIRE(ReadCheckpoint(door, [&](std::string key, std::string value) {
    rows.emplace_back(std::move(key), std::move(value));
    return true;
  }));
  CHECK(rows == Rows{{"a", "1"}, {"c", "3"}});
  CHECK(queue.Empty());
}

TEST_CASE("a row that a watcher does not understand is an error that names it", "[watcher]") {
  TestQueue queue;
  Counter taken, rejected;
  WatcherNotes notes(taken, rejected);
  WatcherQueue door(*queue, "inbox", {}, notes, [] {});
  const std::vector<CheckpointChange> changes = {{"a", "1"}, {"b", "x"}, {"c", "3"}};
  REQUIRE(PutCheckpoint(door, changes));
  int read = 0;
  const auto status = ReadCheckpoint(
      door, [&](const std::string&, const std::string& value) { return ++read, value != "x"; });
  REQUIRE_FALSE(status);
  CHECK(read == 2);
  CHECK(status.error().code == ErrorCode::kPermanent);
  CHECK_THAT(status.error().message,
             ContainsSubstring("checkpoint of b") && ContainsSubstring("another name"));
}

}  // namespace
}  // namespace tower
