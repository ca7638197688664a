#include "plugins/file/take/ledger.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

TEST_CASE("what was handled is written and read back", "[file]") {
  const Handled handled{.version = {1, UINT64_MAX, -5},
                        .device = 7,
                        .digest = std::string(64, 'a'),
                        .refused = GENERATE(true, false)};
  const auto back = Decode(Encode(handled));
  REQUIRE(back);
  CHECK(back->version == handled.version);
  CHECK(back->device == 7);
  CHECK(back->digest == handled.digest);
  CHECK(back->refused == handled.refused);
  CHECK(Decode(Encode({.version = {}, .digest = {}}))->digest.empty());
  for (const auto* bad : {"", "1", "2 handled 1 2 3 4 -", "1 handled 1 2 3 x -",
                          "1 handled 1 2 3 4 - -", "1 other 1 2 3 4 -", "1 handled 1 2 3 4"}) {
    INFO(bad);
    CHECK_FALSE(Decode(bad));
  }
}

TEST_CASE("a checkpoint of something else ends the watcher for good", "[file]") {
  Inbox inbox;
  const std::vector<CheckpointChange> changes = {{"cursor", "42"}};
  REQUIRE(inbox.queue->Put({}, {.source = "test", .checkpoints = changes}));
  auto& watcher = inbox.Watch();
  CHECK(Eventually([&] { return watcher.ended(); }));
  CHECK(watcher.Stop().error().code == ErrorCode::kPermanent);
}

}  // namespace
}  // namespace tower::file
