#include "core/api/ops_api.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "core/base/build_info.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

struct OpsServer : HttpFixture {
  explicit OpsServer(HttpServerOptions given = {}) : HttpFixture(std::move(given)) {
    AddOpsApi(*server,
              {.readiness = [this] { return CheckReadiness(queue, publisher, watchers); },
               .watchers = [this] { return watchers; },
               .publisher = [this] { return publisher; }},
              metrics, std::make_shared<Lookups>());
    Start();
  }
  ~OpsServer() { server->Stop(); }

  // Set before requests.
  QueueStats queue;
  PublisherState publisher{.connected = true, .blocked = false, .address = {}, .last_error = {}};
  std::vector<WatcherStatus> watchers = {{.name = "inbox",
                                          .plugin = "file",
                                          .state = WatcherState::kRunning,
                                          .last_error = {},
                                          .restarts = 0}};
};

TEST_CASE("routing keys that the broker refuses are told, and are no reason not to be ready",
          "[ops_api]") {
  OpsServer fixture;
  fixture.publisher.refused = {{"A.v1.P", 2990, std::chrono::sys_days(2026y / 11 / 29)},
                               {"A.v1.Q", 10, {}}};
  fixture.publisher.refused_keys = 3;
  fixture.publisher.refused_triggers = 3001;
  CHECK(Ask(fixture, "GET", "/readyz").status == 200);
  CHECK_THAT(Ask(fixture, "GET", "/readyz?verbose").body,
             ContainsSubstring("broker: ok; the broker refuses 3 routing keys, 3001 triggers wait: "
                               "A.v1.P (2990), A.v1.Q (10), …\n"));
  CHECK_THAT(Ask(fixture, "GET", "/watchers").body,
             ContainsSubstring(R"("refusedRoutingKeys":[{"routingKey":"A.v1.P","waiting":2990,)"
                               R"("since":"2026-11-29T00:00:00.000Z"},)"));
}

TEST_CASE("ready when queue, broker and watchers are", "[ops_api]") {
  OpsServer fixture;
  const auto ready = Ask(fixture, "GET", "/readyz");
  CHECK(ready.status == 200);
  CHECK(ready.body == "ok\n");
  CHECK(Ask(fixture, "GET", "/readyz?verbose").body ==
        "queue: ok\nbroker: ok\nwatcher inbox: ok\nhttp: ok\n");
  CHECK(Ask(fixture, "HEAD", "/healthz").status == 200);
}

TEST_CASE("not ready says why, and is alive all the same", "[ops_api]") {
  OpsServer fixture;
  std::string why;
  SECTION("queue") {
    fixture.queue.health = Error{ErrorCode::kUnavailable, "write tower.db: no space left"};
    why = "queue: write tower.db: no space left";
  }
  SECTION("broker away") {
    fixture.publisher = {.connected = false, .address = {}, .last_error = "connection refused"};
    why = "broker: not connected: connection refused";
  }
  SECTION("broker blocked") {
    fixture.publisher.blocked = true;
    why = "broker: blocked by an alarm of the broker";
  }
  SECTION("watcher") {
    fixture.watchers[0].state = WatcherState::kFailed;
    fixture.watchers[0].last_error = "open /in: permission denied";
    why = "watcher inbox: failed: open /in: permission denied";
  }
  for (const auto* path : {"/readyz", "/healthz", "/readyz?verbose"}) {
    const auto answer = Ask(fixture, "GET", path);
    CHECK(answer.status == 503);
    CHECK_THAT(answer.body, ContainsSubstring(why));
  }
  CHECK(Ask(fixture, "GET", "/readyz").Header("Content-Type") == "application/problem+json");
  CHECK(Ask(fixture, "GET", "/livez").body == "ok\n");
}

TEST_CASE("history that can't be trimmed is told, and no reason not to be ready", "[ops_api]") {
  OpsServer fixture;
  fixture.queue.history = Error{ErrorCode::kUnavailable, "disk I/O error"};
  CHECK(Ask(fixture, "GET", "/readyz").body == "ok\n");
  CHECK_THAT(Ask(fixture, "GET", "/readyz?verbose").body,
             ContainsSubstring("queue: ok; history cannot be trimmed: disk I/O error\n"));
}

TEST_CASE("while draining, ready turns 503 and alive stays", "[ops_api]") {
  OpsServer fixture;
  fixture.server->Drain(0ms);
  CHECK_THAT(Ask(fixture, "GET", "/readyz").body, ContainsSubstring("http: control-tower is stop"));
  CHECK(Ask(fixture, "GET", "/livez").status == 200);
}

TEST_CASE("version, watchers and metrics", "[ops_api]") {
  OpsServer fixture;
  fixture.watchers.push_back({.name = "plates",
                              .plugin = "riffyn",
                              .state = WatcherState::kBackingOff,
                              .last_error = "say \"when\"",
                              .restarts = 3});
  const auto version = Ask(fixture, "GET", "/version").body;
  CHECK_THAT(version, ContainsSubstring("{\"version\":\"" + std::string(GetBuildInfo().version)));
  CHECK_THAT(version, ContainsSubstring(R"({"name":"cpp-httplib","version":")"));
  CHECK(Ask(fixture, "GET", "/watchers").body ==
        R"({"watchers":[{"name":"inbox","plugin":"file","state":"running","restarts":0,)"
        R"("taken":0,"rejected":0},)"
        R"({"name":"plates","plugin":"riffyn","state":"backing off","restarts":3,)"
        R"("lastError":"say \"when\"","taken":0,"rejected":0}],"refusedRoutingKeys":[]})"
        "\n");
  fixture.metrics.GetCounter("test_total", "A test.").Add(2);
  const auto metrics = Ask(fixture, "GET", "/metrics");
  CHECK(metrics.Header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK_THAT(metrics.body, ContainsSubstring("\ncontrol_tower_test_total 2\n"));
}

TEST_CASE("watchers tell what they took, rejected, retry, and when they fire", "[ops_api]") {
  OpsServer fixture;
  const WallTime time(std::chrono::seconds(1'700'000'000));
  auto& watcher = fixture.watchers[0];
  watcher.state = WatcherState::kBackingOff;
  watcher.last_error = "away";
  watcher.retry_at = time + std::chrono::milliseconds(500);
  watcher.notes = {.taken = 12,
                   .rejected = 2,
                   .last_event = time,
                   .last_rejection = WatcherNotes::Rejection{time, "/in/\"a\": no JSON"},
                   .next_fire = time + std::chrono::hours(24),
                   .retries = {{"/in/b", "permission denied", time + std::chrono::minutes(1)},
                               {"/in/c", "busy", time}}};
  CHECK(Ask(fixture, "GET", "/watchers").body ==
        R"({"watchers":[{"name":"inbox","plugin":"file","state":"backing off","restarts":0,)"
        R"("lastError":"away","retryAt":"2023-11-14T22:13:20.500Z","taken":12,"rejected":2,)"
        R"("lastEvent":"2023-11-14T22:13:20.000Z",)"
        R"("lastRejection":{"reason":"/in/\"a\": no JSON","at":"2023-11-14T22:13:20.000Z"},)"
        R"("nextFire":"2023-11-15T22:13:20.000Z","retrying":[)"
        R"({"what":"/in/b","error":"permission denied","at":"2023-11-14T22:14:20.000Z"},)"
        R"({"what":"/in/c","error":"busy","at":"2023-11-14T22:13:20.000Z"}]}],)"
        R"("refusedRoutingKeys":[]})"
        "\n");
}

TEST_CASE("health, version and index need no token and tell no details without, all else needs one",
          "[ops_api]") {
  TempDir folder;
  OpsServer fixture({.tokens_file = WriteTokens(folder, "a:0123456789abcdef")});
  const std::string token = "Authorization: Bearer 0123456789abcdef\r\n";
  const std::string wrong = "Authorization: Bearer 0123456789abcdeX\r\n";
  for (const auto* path : {"/", "/livez", "/readyz", "/healthz", "/version"}) {
    CHECK(Ask(fixture, "GET", path).status == 200);
    CHECK(Ask(fixture, "GET", path, {}, wrong).status == 200);
  }
  for (const auto* path : {"/metrics", "/watchers"}) {
    CHECK(Ask(fixture, "GET", path).status == 401);
    CHECK(Ask(fixture, "GET", path, {}, token).status == 200);
  }
  fixture.watchers[0].state = WatcherState::kFailed;
  fixture.watchers[0].last_error = "open /in: permission denied";
  for (const auto* path : {"/readyz", "/readyz?verbose"}) {
    for (const auto& headers : {std::string(), wrong}) {
      const auto answer = Ask(fixture, "GET", path, {}, headers);
      CHECK(answer.status == 503);
      CHECK_THAT(answer.body, ContainsSubstring("not ready") && !ContainsSubstring("inbox"));
    }
    CHECK_THAT(Ask(fixture, "GET", path, {}, token).body, ContainsSubstring("permission denied"));
  }
  CHECK(Ask(fixture, "GET", "/version").body ==
        "{\"version\":\"" + std::string(GetBuildInfo().version) + "\"}\n");
  CHECK_THAT(Ask(fixture, "GET", "/version", {}, token).body, ContainsSubstring("\"components\""));
}

TEST_CASE("the index names every route", "[ops_api]") {
  OpsServer fixture;
  const auto index = Ask(fixture, "GET", "/");
  CHECK(index.Header("Content-Type") == "text/plain; charset=utf-8");
  for (const auto* path : {"/readyz", "/healthz", "/livez", "/version", "/metrics", "/watchers"}) {
    CHECK_THAT(index.body, ContainsSubstring("\nGET, HEAD " + std::string(path) + "\n"));
  }
}

}  // namespace
}  // namespace tower
