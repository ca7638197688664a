// The names of a queue's file: what may become one, and that it is never open twice.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/queue.h"
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

}  // namespace
}  // namespace tower
