// The whole road: the stripped binary as users run it, a real RabbitMQ, real files, real requests.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/uuid.h"
#include "test/support/tcp_proxy.h"
#include "test/support/test_consumer.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

const std::string kTrigger =
    "{ \"apiVersion\" : \"ChiBio/v1alpha1/Reactor1\",\"protocol\":\"Bioreactor\",\n"
    "  \"spec\":{\"volume\":1.0,\"big\":12345678901234567890,\"text\":\"\\u00b5\xc2\xb5\"} }";
const std::string kRoutingKey = "ChiBio.v1alpha1.Reactor1.Bioreactor";

std::string UuidIn(const std::string& json) {
  static const std::regex pattern("\"uuid\": ?\"([0-9a-f-]{36})\"");
  std::smatch match;
  REQUIRE(std::regex_search(json, match, pattern));
  return match[1];
}

// kTrigger with the uuid as its first member, and not a byte else.
std::string Expected(const std::string& uuid) {
  return "{\"uuid\":\"" + uuid + "\"," + kTrigger.substr(1);
}

std::string Small(int n) {
  return R"({"apiVersion":"OT-2/v1","protocol":"Move","spec":{"n":)" + std::to_string(n) + "}}";
}

// An exchange and a queue of its own for one test, and the flags that go with them.
struct Road {
  const std::string name = "road-" + NewUuidV7().ToString();
  const std::string url = RequiredVariable("TOWER_TEST_AMQP_URL");
  TempDir folder;
  TestConsumer consumer{url};

  explicit Road(bool bound = true) {
    consumer.Adopt(name, name);
    if (!bound) return;
    consumer.MakeExchange(name);
    consumer.MakeQueue(name);
    consumer.Bind(name, name, "#");
  }
  // A broker that can be reached through the proxy's port only.
  std::string UrlThrough(const TcpProxy& proxy) const {
    return std::regex_replace(url, std::regex(":[0-9]+/"),
                              ":" + std::to_string(proxy.port()) + "/");
  }
  int BrokerPort() const {
    std::smatch match;
    REQUIRE(std::regex_search(url, match, std::regex(":([0-9]+)/")));
    return std::stoi(match[1]);
  }
  std::vector<std::string> Flags(std::vector<std::string> more = {}) const {
    std::vector<std::string> flags = {"--server.port",   "0", "--queue.path", folder / "queue.db",
                                      "--amqp.exchange", name};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  TowerProcess::Variables Variables() const { return {{"CONTROL_TOWER_AMQP_URL", url}}; }
};

std::string StatusOf(TowerProcess& tower, const std::string& uuid) {
  const auto answer = tower.Get("/triggers/" + uuid);
  static const std::regex pattern("\"status\": ?\"([a-z]+)\"");
  std::smatch match;
  return std::regex_search(answer.body, match, pattern) ? match[1].str() : answer.body;
}

}  // namespace

TEST_CASE("the binary has every plugin linked in and explains itself", "[road]") {
  const TempDir folder;
  TowerProcess plugins(folder, {"plugins"});
  REQUIRE(plugins.ExitCode() == 0);
  std::istringstream names(TOWER_PLUGIN_DIRS);
  for (std::string name; std::getline(names, name, ',');) {
    CHECK_THAT(plugins.out(), ContainsSubstring(name));
  }
  const TempDir other;
  TowerProcess help(other, {"--help"});
  CHECK(help.ExitCode() == 0);
  CHECK_THAT(help.out(),
             ContainsSubstring("--server.port") && ContainsSubstring("CONTROL_TOWER_AMQP_URL"));
}

TEST_CASE("a POST arrives as the contract says, byte for byte", "[road]") {
  Road road;
  TowerProcess tower(road.folder, road.Flags(), road.Variables());
  const auto answer =
      tower.Post(kTrigger,
                 "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
                 "tracestate: vendor=value\r\n");
  REQUIRE(answer.status == 202);
  const auto uuid = UuidIn(answer.body);
  CHECK(answer.Header("Location") == "/triggers/" + uuid);
  CHECK_THAT(answer.body, ContainsSubstring("queued"));
  const auto message = road.consumer.Get(road.name);
  REQUIRE(message);
  CHECK(message->exchange == road.name);
  CHECK(message->routing_key == kRoutingKey);
  CHECK(message->body == Expected(uuid));
  CHECK(message->content_type == "application/json");
  CHECK(message->delivery_mode == 2);
  CHECK(message->message_id == uuid);
  CHECK(message->type == "Bioreactor");
  CHECK(message->app_id == "control-tower");
  CHECK(message->timestamp > 1'700'000'000);
  CHECK(message->headers ==
        std::map<std::string, std::string>{
            {"source", "http"},
            {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
            {"tracestate", "vendor=value"}});
  CHECK(Eventually([&] { return StatusOf(tower, uuid) == "published"; }));
  CHECK(tower.BecomesReady());
  CHECK_THAT(tower.Get("/metrics").body,
             ContainsSubstring("control_tower_triggers_published_total 1"));
  CHECK(tower.Stop() == 0);
  CHECK_THAT(tower.err(), !ContainsSubstring("guest:guest"));
}

TEST_CASE("batches arrive in order", "[road]") {
  Road road;
  TowerProcess tower(road.folder, road.Flags(), road.Variables());
  std::string array;
  std::string lines;
  for (int n = 0; n < 100; ++n) {
    array += (n == 0 ? "[" : ",") + Small(n);
    lines += Small(100 + n) + "\n";
  }
  REQUIRE(tower.Post(array + "]").status == 202);
  const auto answer =
      RawHttpClient(tower.Port())
          .Request("POST", "/triggers", lines, "Content-Type: application/x-ndjson\r\n");
  REQUIRE(answer);
  REQUIRE(answer->status == 202);
  for (int n = 0; n < 200; ++n) {
    const auto message = road.consumer.Get(road.name);
    REQUIRE(message);
    REQUIRE_THAT(message->body, ContainsSubstring("{\"n\":" + std::to_string(n) + "}"));
  }
  const auto refused = tower.Post("[" + Small(1) + ",{\"apiVersion\":\"x\",\"spec\":{}}]");
  CHECK(refused.status == 400);
  CHECK_THAT(refused.Header("Content-Type"), StartsWith("application/problem+json"));
  CHECK_THAT(refused.body, ContainsSubstring("\"/1/protocol\""));
}

TEST_CASE("two watchers of the plugin file bring files to the broker", "[road]") {
  Road road;
  std::filesystem::create_directories(road.folder / "one");
  std::filesystem::create_directories(road.folder / "two");
  TowerProcess tower(
      road.folder,
      road.Flags({"--plugin", "one=file", "--plugin.one.path", road.folder / "one", "--plugin",
                  "two=file"}),
      {{"CONTROL_TOWER_AMQP_URL", road.url}, {"PLUGIN_TWO_PATH", road.folder / "two"}});
  REQUIRE(tower.BecomesReady());
  const auto drop = [&](const std::string& name, const std::string& text) {
    std::ofstream(road.folder / "draft", std::ios::binary) << text;
    std::filesystem::rename(road.folder / "draft", road.folder / name);
  };
  drop("one/a.json", kTrigger);
  auto message = road.consumer.Get(road.name);
  REQUIRE(message);
  CHECK(message->body == Expected(message->message_id));
  CHECK(message->headers == std::map<std::string, std::string>{{"source", "one"}});
  drop("two/b.ndjson", Small(1) + "\n" + Small(2) + "\n");
  message = road.consumer.Get(road.name);
  REQUIRE(message);
  CHECK(message->headers.at("source") == "two");
  REQUIRE(road.consumer.Get(road.name));
  CHECK_THAT(tower.Get("/watchers").body, ContainsSubstring("one") && ContainsSubstring("two"));
  CHECK(tower.Stop() == 0);
}

TEST_CASE("it starts before the broker, accepts, and publishes when the broker comes", "[road]") {
  Road road;
  TcpProxy proxy(road.BrokerPort());
  TowerProcess tower(road.folder, road.Flags(),
                     {{"CONTROL_TOWER_AMQP_URL", road.UrlThrough(proxy)}});
  const auto answer = tower.Post(kTrigger);
  REQUIRE(answer.status == 202);
  CHECK(tower.Get("/readyz").status == 503);
  CHECK(tower.Get("/livez").status == 200);
  proxy.Open();
  const auto message = road.consumer.Get(road.name, std::chrono::seconds(60));
  REQUIRE(message);
  CHECK(message->message_id == UuidIn(answer.body));
  CHECK(tower.BecomesReady());
  proxy.Close();  // and once more
  REQUIRE(Eventually([&] { return tower.Get("/readyz").status == 503; }));
  REQUIRE(tower.Post(Small(7)).status == 202);
  proxy.Open();
  CHECK(road.consumer.Get(road.name, std::chrono::seconds(60)));
}

TEST_CASE("what is left at a stop is published after the next start", "[road]") {
  Road road;
  TcpProxy proxy(road.BrokerPort());
  std::set<std::string> accepted;
  {
    TowerProcess tower(road.folder, road.Flags(),
                       {{"CONTROL_TOWER_AMQP_URL", road.UrlThrough(proxy)}});
    for (int n = 0; n < 50; ++n) accepted.insert(UuidIn(tower.Post(Small(n)).body));
    REQUIRE(tower.Stop() == 0);
  }
  {
    TowerProcess tower(road.folder, road.Flags(),
                       {{"CONTROL_TOWER_AMQP_URL", road.UrlThrough(proxy)}});
    for (int n = 50; n < 100; ++n) accepted.insert(UuidIn(tower.Post(Small(n)).body));
    tower.Signal(SIGKILL);
    REQUIRE(tower.ExitCode() == 128 + SIGKILL);
  }
  REQUIRE(accepted.size() == 100);
  TowerProcess tower(road.folder, road.Flags(), road.Variables());
  for (int n = 0; n < 100; ++n) {
    const auto message = road.consumer.Get(road.name);
    REQUIRE(message);
    CHECK_THAT(message->body, ContainsSubstring("{\"n\":" + std::to_string(n) + "}"));
    accepted.erase(message->message_id);
  }
  CHECK(accepted.empty());
}

TEST_CASE("what no queue is bound for is listed undeliverable, and does not block", "[road]") {
  Road road(false);
  road.consumer.MakeExchange(road.name);
  road.consumer.MakeQueue(road.name);
  road.consumer.Bind(road.name, road.name, "OT-2.#");
  std::string lost;
  {
    TowerProcess tower(road.folder, road.Flags(), road.Variables());
    lost = UuidIn(tower.Post(kTrigger).body);
    REQUIRE(tower.Post(Small(1)).status == 202);
    REQUIRE(road.consumer.Get(road.name));
    CHECK(Eventually([&] { return StatusOf(tower, lost) == "undeliverable"; }));
    CHECK_THAT(
        tower.Get("/metrics").body,
        ContainsSubstring("control_tower_triggers_undeliverable_total{reason=\"unroutable\"} 1"));
    REQUIRE(tower.Stop() == 0);
  }
  TowerProcess tower(road.folder, road.Flags(), road.Variables());
  CHECK(StatusOf(tower, lost) == "undeliverable");
}

TEST_CASE("a quorum queue of its own takes everything from the first trigger on", "[road]") {
  Road road(false);
  TowerProcess tower(road.folder, road.Flags({"--amqp.queue", road.name}), road.Variables());
  REQUIRE(tower.BecomesReady());
  const auto answer = tower.Post(kTrigger);
  const auto message = road.consumer.Get(road.name);
  REQUIRE(message);
  CHECK(message->body == Expected(UuidIn(answer.body)));
}

TEST_CASE("without a broker, triggers go to standard output as lines", "[road]") {
  const TempDir folder;
  TowerProcess tower(folder,
                     {"--broker", "stdout", "--server.port", "0", "--queue.path", ":memory:"});
  const auto uuid = UuidIn(tower.Post(kTrigger).body);
  auto expected = Expected(uuid) + "\n";
  std::replace(expected.begin(), expected.end() - 1, '\n', ' ');
  CHECK(Eventually([&] { return tower.out() == expected; }));
  CHECK(tower.Stop() == 0);
}

TEST_CASE("a standard stream that is closed at the start is no file of ours", "[road]") {
  const TempDir folder;
  const std::string closed = GENERATE("<&-", ">&-", "2>&-");
  TowerProcess tower(
      folder, {"--broker", "stdout", "--server.port", "0", "--queue.path", folder / "queue.db"}, {},
      {"/bin/sh", "-c", "exec \"$0\" \"$@\" " + closed});
  const auto lock = folder / "queue.db.lock";
  const auto pid = std::to_string(tower.pid()) + "\n";
  REQUIRE(Eventually([&] { return ReadFile(lock) == pid; }));
  for (const std::string fd : {"0", "1", "2"}) {
    const auto link = "/proc/" + std::to_string(tower.pid()) + "/fd/" + fd;
    CHECK_THAT(std::filesystem::read_symlink(link).string(), !ContainsSubstring("queue.db"));
  }
  if (closed == ">&-") {  // triggers stay in the queue
    CHECK(tower.Post(kTrigger).status == 202);
    CHECK_THAT(tower.Get("/readyz").body, ContainsSubstring("standard output"));
    CHECK_THAT(tower.Get("/metrics").body, ContainsSubstring("queue_depth 1"));
  }
  CHECK(tower.Stop().has_value());
  CHECK(ReadFile(lock) == pid);
}

TEST_CASE("a request that memory does not suffice for is refused, the others are answered",
          "[road]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  SUCCEED("not here: the sanitizer would end the process");
  return;
#endif
  const TempDir folder;
  TowerProcess tower(folder,
                     {"--broker", "stdout", "--server.port", "0", "--queue.path",
                      ":memory:", "--server.max-body", "1GiB", "--server.max-memory", "8GiB"},
                     {}, {"/usr/bin/prlimit", "--data=200000000"});
  RawHttpClient client(tower.Port());
  client.Send("POST /triggers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
  client.Send("Content-Length: 1000000000\r\n\r\n");
  const std::string piece(1 << 20, ' ');
  for (int n = 0; n < 900 && client.Send(piece); ++n) {
  }
  const auto refused = client.Receive();
  REQUIRE(refused);
  CHECK(refused->status == 503);
  CHECK_THAT(refused->body, ContainsSubstring("out of memory"));
  CHECK(tower.Post(kTrigger).status == 202);
  CHECK(tower.Stop() == 0);
}

TEST_CASE("a second instance on the same queue file says who has it", "[road]") {
  const TempDir folder;
  const TempDir other;
  const std::vector<std::string> flags = {"--broker", "stdout",       "--server.port",
                                          "0",        "--queue.path", folder / "queue.db"};
  TowerProcess first(folder, flags);
  first.Port();
  TowerProcess second(other, flags);
  CHECK(second.ExitCode() == 1);
  CHECK_THAT(second.err(), ContainsSubstring("in use by process " + std::to_string(first.pid())));
}

}  // namespace tower
