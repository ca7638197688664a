#include "plugins/riffyn/retry_log.h"

#include <catch2/catch_test_macros.hpp>

#include "test/support/watcher_harness.h"

namespace tower::riffyn {
namespace {

TEST_CASE("a failure is logged once, and tried again after more and more polls", "[riffyn]") {
  const CapturedLogs logs;
  const Logger log;
  RetryLog retry_log;
  std::string tried;
  for (int poll = 0; poll < 40; ++poll) {
    retry_log.BeginPoll();
    tried += retry_log.IsDue("place") ? 'x' : '.';
    if (retry_log.IsDue("place")) retry_log.ReportFailure("place", "out of order", log);
    CHECK(retry_log.IsDue("elsewhere"));
  }
  CHECK(tried == "xx.x...x.......x.......x.......x.......x");
  const WallTime next(std::chrono::hours(1));
  auto retries = retry_log.Retries(next, std::chrono::minutes(1));
  REQUIRE(retries.size() == 1);
  CHECK(retries[0].what == "place");
  CHECK(retries[0].error == "out of order");
  CHECK(retries[0].at == next + std::chrono::minutes(7));  // 8 polls
  const auto count = [&](const std::string& text) {
    int times = 0;
    const auto all = logs.text();
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++times;
    return times;
  };
  CHECK(count("out of order") == 1);
  retry_log.ReportFailure("place", "something else", log);
  CHECK(count("something else") == 1);
  retry_log.Clear("place", log);
  retry_log.Clear("place", log);
  CHECK(count("recovered") == 1);
  CHECK(retry_log.Retries(next, std::chrono::minutes(1)).empty());
  retry_log.BeginPoll();
  CHECK(retry_log.IsDue("place"));
  retry_log.ReportWarning("place", "odd", log);
  retry_log.BeginPoll();
  CHECK(retry_log.IsDue("place"));
  for (int poll = 0; poll < 100; ++poll) retry_log.BeginPoll();
  retry_log.ReportWarning("place", "odd", log);  // that was long ago
  CHECK(count("odd") == 2);
}

}  // namespace
}  // namespace tower::riffyn
