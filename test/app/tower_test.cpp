#include "app/tower.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/eventually.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

// Fails as soon as it runs.
class Broken final : public Watcher {
 public:
  static void Declare(OptionSet&, Broken&) {}
  Status Run(WatcherContext&, std::stop_token) override {
    return Error{ErrorCode::kPermanent, "wrong credentials"};
  }
};

constinit WatcherKind broken_kind{"broken", "Fails.", &internal::NewWatcherOf<Broken>};

// A setup that needs nothing: a queue in memory, any port, a broker that is not there.
struct Quiet : Setup {
  Quiet() {
    settings.queue.path = ":memory:";
    settings.http.port = 0;
    settings.amqp.urls = {"amqp://127.0.0.1:1"};
    settings.shutdown_grace = std::chrono::seconds(1);
  }
};

std::optional<HttpAnswer> Get(const Tower& tower, std::string_view target) {
  return RawHttpClient(tower.port()).Request("GET", target);
}

TEST_CASE("the tower takes triggers while there is no broker", "[tower]") {
  const CapturedLogs logs;
  Quiet setup;
  setup.settings.amqp.urls = {"amqp://u:hunter2@nowhere.invalid:1"};
  Tower tower(setup, [] {});
  REQUIRE(tower.Start());
  CHECK_THAT(logs.text(), ContainsSubstring("\"msg\":\"unsafe option\"") &&
                              ContainsSubstring("unencrypted to nowhere.invalid") &&
                              !ContainsSubstring("hunter2"));
  const auto posted =
      RawHttpClient(tower.port())
          .PostJson("/triggers", R"({"apiVersion":"A/v1","protocol":"P","spec":{}})");
  REQUIRE(posted);
  CHECK(posted->status == 202);
  const auto ready = Get(tower, "/readyz?verbose");
  REQUIRE(ready);
  CHECK(ready->status == 503);
  CHECK_THAT(ready->body, ContainsSubstring("queue: ok"));
  CHECK_THAT(ready->body, !ContainsSubstring("broker: ok"));
  const auto metrics = Get(tower, "/metrics");
  REQUIRE(metrics);
  CHECK_THAT(metrics->body, ContainsSubstring("control_tower_build_info{"));
  CHECK_THAT(metrics->body, ContainsSubstring("control_tower_queue_depth 1\n"));

  const auto port = tower.port();
  tower.Stop();
  tower.Stop();
  CHECK_THROWS(RawHttpClient(port));
  const auto text = logs.text();
  CHECK_THAT(text, ContainsSubstring("\"msg\":\"listening\"") &&
                       ContainsSubstring("\"port\":" + std::to_string(port)));
  CHECK_THAT(text, ContainsSubstring("\"msg\":\"stopped\",\"queued\":1"));
}

TEST_CASE("the log says listening at once, and ready when /readyz is 200", "[tower]") {
  const CapturedLogs logs;
  Quiet setup;
  setup.settings.broker = "stdout";
  Tower tower(setup, [] {});
  REQUIRE(tower.Start());
  CHECK_THAT(logs.text(),
             ContainsSubstring("\"msg\":\"listening\"") && !ContainsSubstring("\"msg\":\"ready\""));
  CHECK(
      Eventually([&] { return Get(tower, "/readyz")->status == 200 && tower.RecordReadiness(); }));
  CHECK(tower.RecordReadiness());
  const auto text = logs.text();
  const auto at = text.find("\"msg\":\"ready\"");
  CHECK(at != std::string::npos);
  CHECK(text.find("\"msg\":\"ready\"", at + 1) == std::string::npos);
}

TEST_CASE("without its broker a tower is not called ready", "[tower]") {
  const CapturedLogs logs;
  Quiet setup;
  Tower tower(setup, [] {});
  REQUIRE(tower.Start());
  CHECK_FALSE(tower.RecordReadiness());
  CHECK_THAT(logs.text(), !ContainsSubstring("\"msg\":\"ready\""));
}

TEST_CASE("what is up is taken down when a later part can't start", "[tower]") {
  const CapturedLogs logs;
  const TempDir folder;
  Quiet first;
  first.settings.queue.path = folder / "queue.db";
  {
    Tower tower(first, [] {});
    REQUIRE(tower.Start());
    Quiet same_file;
    same_file.settings.queue.path = first.settings.queue.path;
    Tower other(same_file, [] {});
    CHECK_FALSE(other.Start());
    Quiet same_port;
    same_port.settings.http.port = tower.port();
    Tower third(same_port, [] {});
    const auto started = third.Start();
    REQUIRE_FALSE(started);
    CHECK_THAT(started.error().message, ContainsSubstring("server.port"));
  }
  Tower again(first, [] {});
  CHECK(again.Start());
}

TEST_CASE("a watcher that fails for good is told of when asked for", "[tower]") {
  const CapturedLogs logs;
  for (const bool asked : {true, false}) {
    Quiet setup;
    setup.settings.supervisor.exit_on_failure = asked;
    auto& watcher = setup.watchers.emplace_back();
    watcher.name = "b";
    watcher.kind = &broken_kind;
    watcher.options = std::make_unique<OptionSet>("plugin.b");
    watcher.watcher = broken_kind.New(*watcher.options);
    std::atomic<int> told = 0;
    Tower tower(setup, [&told] { ++told; });
    REQUIRE(tower.Start());
    CHECK(Eventually([&tower] {
      const auto ready = Get(tower, "/readyz?verbose");
      return ready && ready->body.find("wrong credentials") != std::string::npos;
    }));
    tower.Stop();
    CHECK(told == (asked ? 1 : 0));
  }
}

// What the rules of the core say of these settings.
std::vector<Error> FaultsOf(const std::function<void(Settings&)>& change, bool world = false) {
  Setup setup;
  change(setup.settings);
  return setup.core.Faults({}, world);
}

TEST_CASE("settings are validated without connecting, and all that is wrong is named", "[tower]") {
  CHECK(FaultsOf([](Settings&) {}).empty());
  const auto break_all = [](Settings& settings) {
    settings.queue.path = "/no/such/folder/queue.db";
    settings.http.tokens_file = "/no/such/tokens";
    settings.amqp.urls = {"amqps://broker"};
    settings.amqp.ca_file = "/no/such/ca.pem";
  };
  const auto errors = FaultsOf(break_all, true);
  REQUIRE(errors.size() == 3);
  CHECK_THAT(errors[0].message, ContainsSubstring("server.tokens-file"));
  CHECK_THAT(errors[1].message, ContainsSubstring("/no/such/ca.pem"));
  CHECK_THAT(errors[2].message, ContainsSubstring("queue.path"));
  CHECK(FaultsOf([&](Settings& settings) {
          break_all(settings);
          settings.broker = "stdout";
        }).size() == 2);
}

TEST_CASE("an address that others can reach needs tokens, or consent", "[tower]") {
  const auto refused = [](const std::string& host) {
    const auto faults = [&host](bool anonymous) {
      return FaultsOf([&](Settings& settings) {
        settings.http.host = host;
        settings.http.allow_anonymous = anonymous;
      });
    };
    CHECK(faults(true).empty());
    return !faults(false).empty();
  };
  for (const auto* host : {"0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"}) CHECK(refused(host));
  for (const auto* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"})
    CHECK_FALSE(refused(host));
}

TEST_CASE("a reload takes on the tokens, whatever else is wrong with the configuration",
          "[tower]") {
  const CapturedLogs logs;
  const TempDir folder;
  Quiet setup;
  setup.settings.http.tokens_file = WriteTokens(folder, "a:first-token-of-a\n");
  Tower tower(setup, [] {});
  REQUIRE(tower.Start());
  const auto status = [&tower](const std::string& token) {
    return RawHttpClient(tower.port())
        .Request("GET", "/watchers", {}, "Authorization: Bearer " + token + "\r\n")
        ->status;
  };
  const auto faulty = [] { return Configured{std::make_unique<Setup>(), {{"x", "is wrong", ""}}}; };
  CHECK(status("first-token-of-a") == 200);
  WriteTokens(folder, "a:second-token-of-a\n");
  tower.Reload(faulty);
  CHECK(status("first-token-of-a") == 401);
  CHECK(status("second-token-of-a") == 200);
  WriteTokens(folder, "a:short\n");
  tower.Reload(faulty);
  CHECK(status("second-token-of-a") == 200);
  CHECK_THAT(logs.text(), ContainsSubstring("tokens refused; the old ones stay in effect"));
}

TEST_CASE("trying a broker that is not there says where it was looked for", "[tower]") {
  Quiet setup;
  setup.settings.amqp.urls = {"amqp://user:hunter2@127.0.0.1:1"};
  const auto tried = TryBroker(setup.settings);
  REQUIRE_FALSE(tried);
  CHECK_THAT(tried.error().message, ContainsSubstring("127.0.0.1:1"));
  CHECK_THAT(tried.error().message, !ContainsSubstring("hunter2"));
  setup.settings.broker = "stdout";
  CHECK(TryBroker(setup.settings));
}

}  // namespace
}  // namespace tower
