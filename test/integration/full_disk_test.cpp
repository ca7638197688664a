// The binary where its queue may not grow: what it can't keep is refused, and it goes on once it
// can.
#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "test/support/tower_process.h"

namespace tower {
namespace {

void LimitFiles(const TowerProcess& tower, rlim_t bytes) {
  rlimit limit{};
  REQUIRE(prlimit(tower.pid(), RLIMIT_FSIZE, nullptr, &limit) == 0);
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  REQUIRE(prlimit(tower.pid(), RLIMIT_FSIZE, &limit, nullptr) == 0);
}

std::size_t Lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("a queue file that may not grow refuses with 503 and Retry-After, and recovers",
          "[road]") {
  const TempDir folder;
  TowerProcess tower(
      folder, {"--broker", "stdout", "--server.port", "0", "--queue.path", folder / "queue.db"});
  REQUIRE(tower.BecomesReady());
  LimitFiles(tower, 512 << 10);
  const std::string trigger = R"({"apiVersion":"A/v1","protocol":"P","spec":{"pad":")" +
                              std::string(20'000, 'x') + R"("}})";
  std::size_t accepted = 0;
  auto answer = tower.Post(trigger);
  for (; answer.status == 202 && accepted < 100; answer = tower.Post(trigger)) ++accepted;
  CHECK(accepted > 3);
  CHECK(answer.status == 503);
  CHECK(answer.Header("Retry-After") == "1");
  CHECK(tower.Get("/livez").status == 200);
  CHECK(Eventually([&] { return Lines(tower.out()) == accepted; }));

  LimitFiles(tower, RLIM_INFINITY);
  REQUIRE(Eventually([&] { return tower.Post(trigger).status == 202; }));
  CHECK(tower.BecomesReady());
  CHECK(Eventually([&] { return Lines(tower.out()) == accepted + 1; }));
  CHECK(tower.Stop() == 0);
}

}  // namespace tower
