// The plugin amqp in the binary, between real queues of a real RabbitMQ.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/base/uuid.h"
#include "test/support/rabbitmq_node.h"
#include "test/support/tcp_proxy.h"
#include "test/support/test_consumer.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Json(const std::string& n, const std::string& more = {}) {
  return R"({"apiVersion":"T/v1","protocol":"P","spec":{"n":")" + n + "\"}" + more + "}";
}

// "7" of a trigger that Json("7") made.
std::string NumberIn(const std::string& body) {
  std::smatch match;
  return std::regex_search(body, match, std::regex(R"re("n":"([^"]*)")re")) ? match[1].str() : body;
}

std::string WithPort(const std::string& url, int port) {
  return std::regex_replace(url, std::regex(":[0-9]+/"), ":" + std::to_string(port) + "/");
}

int PortOf(const std::string& url) {
  std::smatch match;
  REQUIRE(std::regex_search(url, match, std::regex(":([0-9]+)/")));
  return std::stoi(match[1]);
}

// A control-tower whose watcher `lab` consumes the queue name-in of one broker, and which publishes
// to an exchange of another one, bound to the queue name.
struct Bridge {
  const std::string name = "bridge-" + NewUuidV7().ToString();
  const std::string in = name + "-in";
  const std::string url = RequiredVariable("TOWER_TEST_AMQP_URL");
  TempDir folder;
  TestConsumer out{url};
  TestConsumer source;
  std::unique_ptr<TowerProcess> tower;

  explicit Bridge(const std::string& from = RequiredVariable("TOWER_TEST_AMQP_URL"))
      : source(from), from_(from) {
    out.MakeExchange(name);
    out.MakeQueue(name);
    out.Bind(name, name, "#");
  }
  void Start(const std::vector<std::string>& more = {}) { StartFrom(from_, more); }
  void StartFrom(const std::string& from, const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = {
        "--server.port",   "0",        "--queue.path",       folder / "queue.db",
        "--plugin",        "lab=amqp", "--plugin.lab.queue", in,
        "--amqp.exchange", name};
    flags.insert(flags.end(), more.begin(), more.end());
    tower = std::make_unique<TowerProcess>(
        folder, flags,
        TowerProcess::Variables{{"CONTROL_TOWER_AMQP_URL", url}, {"PLUGIN_LAB_URL", from}});
  }
  bool Consumes() const { return Says("consuming queue"); }
  bool Says(const std::string& text) const {
    return Eventually([&] { return tower->err().find(text) != std::string::npos; });
  }
  // The state of the watcher becomes that; the whole answer then.
  std::string Becomes(const std::string& state) const {
    std::string watchers;
    Eventually([&] {
      watchers = tower->Get("/watchers").body;
      return watchers.find("\"" + state + "\"") != std::string::npos;
    });
    return watchers;
  }
  // What arrives at the far end, in order; stops once it has `count`.
  std::vector<std::string> Take(std::size_t count) {
    std::vector<std::string> numbers;
    while (numbers.size() < count) {
      const auto message = out.Get(name, seconds(60));
      if (!message) break;
      CHECK(message->headers.at("source") == "lab");
      numbers.push_back(NumberIn(message->body));
    }
    return numbers;
  }
  bool Nothing() { return !out.Get(name, milliseconds(200)); }

 private:
  const std::string from_;
};

std::vector<OutgoingMessage> Numbered(int count, bool with_id = true) {
  std::vector<OutgoingMessage> messages;
  for (int n = 0; n < count; ++n) {
    messages.push_back({Json(std::to_string(n)), with_id ? "id-" + std::to_string(n) : ""});
  }
  return messages;
}

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int n = 0; n < count; ++n) numbers.push_back(std::to_string(n));
  return numbers;
}

}  // namespace

TEST_CASE("ten thousand messages become ten thousand triggers in their order", "[amqp_plugin]") {
  constexpr int kCount = 10'000;
  Bridge bridge;
  bridge.source.MakeQueue(bridge.in);
  bridge.source.Publish("", bridge.in, Numbered(kCount));
  bridge.Start();
  CHECK(bridge.Take(kCount) == Numbers(kCount));
  CHECK(bridge.Nothing());
  CHECK(bridge.tower->Stop() == 0);
  CHECK(bridge.source.Count(bridge.in) == 0);  // what was not acked would be back
}

TEST_CASE("a message that is no trigger is dead-lettered with a reason", "[amqp_plugin]") {
  Bridge bridge;
  const auto dead = bridge.name + "-dead";
  bridge.source.MakeQueue(dead);
  bridge.source.MakeQueue(bridge.in,
                          {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", dead}});
  bridge.source.Publish("", bridge.in,
                        {{"nonsense", "bad"},
                         {Json("big") + std::string(5000, ' '), "large"},
                         {Json("1"), "one"},
                         {Json("2"), "one"},
                         {Json("3"), ""}});
  bridge.Start({"--plugin.lab.max-size", "4KiB"});
  CHECK(bridge.Take(2) == std::vector<std::string>{"1", "3"});
  for (const auto* body : {"nonsense", "big", "2"}) {
    const auto letter = bridge.source.Get(dead);
    REQUIRE(letter);
    CHECK(NumberIn(letter->body) == body);
    CHECK(letter->headers.at("x-first-death-reason") == "rejected");
    CHECK(letter->headers.at("x-first-death-queue") == bridge.in);
  }
  CHECK_THAT(bridge.tower->Get("/metrics").body,
             ContainsSubstring("triggers_rejected_total{reason=\"invalid\",source=\"lab\"} 3"));
  CHECK(bridge.tower->Stop() == 0);
}

TEST_CASE("killed between disk and ack, it takes no message twice", "[amqp_plugin]") {
  constexpr int kCount = 300;
  Bridge bridge;
  bridge.source.MakeQueue(bridge.in);
  TcpProxy proxy(PortOf(bridge.url));
  proxy.Open();
  bridge.StartFrom(WithPort(bridge.url, proxy.port()));
  REQUIRE(bridge.Consumes());
  proxy.Mute(true);  // the broker hears nothing more, and so no ack
  auto messages = Numbered(kCount);
  for (int n = 0; n < kCount; n += 2) {  // known by its own uuid instead
    auto& message = messages[static_cast<std::size_t>(n)];
    message = {Json(std::to_string(n), R"(,"uuid":")" + NewUuidV7().ToString() + "\""), ""};
  }
  bridge.source.Publish("", bridge.in, messages);
  std::set<std::string> ids;
  for (int n = 0; n < kCount; ++n) {
    const auto message = bridge.out.Get(bridge.name, seconds(60));
    REQUIRE(message);
    CHECK(NumberIn(message->body) == std::to_string(n));
    ids.insert(message->message_id);
  }
  bridge.tower->Signal(SIGKILL);
  REQUIRE(bridge.tower->ExitCode() == 128 + SIGKILL);
  proxy.Close();
  REQUIRE(Eventually([&] { return bridge.source.Count(bridge.in) == kCount; }));

  bridge.source.Publish("", bridge.in, Json("last"));
  bridge.Start();
  // Only the publisher may repeat itself: what was confirmed in the last moment before the end.
  std::string number;
  while (number != "last") {
    const auto message = bridge.out.Get(bridge.name, seconds(60));
    REQUIRE(message);
    number = NumberIn(message->body);
    CHECK(ids.contains(message->message_id) == (number != "last"));
  }
  CHECK(bridge.Nothing());
  CHECK_THAT(bridge.tower->Get("/metrics").body,
             ContainsSubstring("triggers_accepted_total{source=\"lab\"} 1\n"));
  CHECK(bridge.tower->Stop() == 0);
  CHECK(bridge.source.Count(bridge.in) == 0);
}

TEST_CASE("a broker that is killed while it is consumed is consumed to the end", "[amqp_plugin]") {
  constexpr int kCount = 3000;
  RabbitmqNode node;
  Bridge bridge(node.Url());
  bridge.source.MakeQueue(bridge.in);
  node.Ctl("eval 'mnesia:sync_log().'");  // else the queue itself may not survive the kill
  bridge.Start({"--plugin.lab.prefetch", "20"});
  REQUIRE(bridge.Consumes());
  bridge.source.Publish("", bridge.in, Numbered(kCount));
  std::map<std::string, int> seen;
  const auto take = [&](int count) {
    for (const auto& number : bridge.Take(static_cast<std::size_t>(count))) ++seen[number];
  };
  take(100);
  node.Kill();
  REQUIRE(bridge.Becomes("backing off").find("backing off") != std::string::npos);
  CHECK(bridge.tower->Get("/readyz").status == 503);
  node.Start();
  // A watcher backs off for a minute at most.
  REQUIRE(Eventually(
      [&] { return bridge.tower->Get("/watchers").body.find(R"("running")") != std::string::npos; },
      seconds(180)));
  take(kCount - 100);
  INFO(bridge.tower->err());
  CHECK(seen.size() == kCount);  // and so none twice
  CHECK(bridge.Nothing());
  CHECK(bridge.tower->BecomesReady());
}

TEST_CASE("a queue that is deleted is told, and consumed again once it is there", "[amqp_plugin]") {
  Bridge bridge;
  bridge.source.MakeQueue(bridge.in);
  bridge.Start();
  REQUIRE(bridge.Consumes());
  bridge.source.DeleteQueue(bridge.in);
  CHECK_THAT(bridge.Becomes("backing off"),
             ContainsSubstring("deleted") || ContainsSubstring("no queue '" + bridge.in));
  CHECK(bridge.Says("or set plugin.lab.declare=true"));
  CHECK(bridge.tower->Get("/readyz").status == 503);
  bridge.source.MakeQueue(bridge.in);
  bridge.source.Publish("", bridge.in, Json("1"));
  CHECK(bridge.Take(1) == std::vector<std::string>{"1"});
  CHECK(bridge.tower->BecomesReady());
}

TEST_CASE("a wrong password, and a queue of another kind, end the watcher for good",
          "[amqp_plugin]") {
  Bridge bridge;
  bridge.source.MakeQueue(bridge.in);
  SECTION("password") {
    bridge.StartFrom(std::regex_replace(bridge.url, std::regex("guest:guest"), "guest:hunter2"));
    CHECK_THAT(bridge.Becomes("failed"),
               ContainsSubstring("check user and password in plugin.lab.url"));
  }
  SECTION("vhost") {
    bridge.StartFrom(std::regex_replace(bridge.url, std::regex("%2f"), "nowhere"));
    CHECK_THAT(bridge.Becomes("failed"),
               ContainsSubstring("check vhost and user in plugin.lab.url"));
  }
  SECTION("kind") {
    bridge.Start({"--plugin.lab.declare"});
    CHECK_THAT(bridge.Becomes("failed"), ContainsSubstring("set plugin.lab.declare=false"));
  }
  CHECK(bridge.tower->Get("/readyz").status == 503);
  CHECK(bridge.tower->Get("/livez").status == 200);
  CHECK(bridge.tower->Stop() == 0);
  CHECK_THAT(bridge.tower->err(), !ContainsSubstring("hunter2") && !ContainsSubstring(":guest@"));
}

TEST_CASE("triggers of one control-tower reach another vhost with their uuid", "[amqp_plugin]") {
  const auto node = RabbitmqNode::Shared();
  const auto vhost = "north-" + NewUuidV7().ToString();
  node.Ctl("add_vhost " + vhost);
  node.Ctl("set_permissions -p " + vhost + " guest '.*' '.*' '.*'");
  const auto url = std::regex_replace(node.Url(), std::regex("%2f"), vhost);
  {
    TempDir folder;
    TowerProcess north(folder, {"--server.port", "0", "--queue.path", folder / "queue.db"},
                       {{"CONTROL_TOWER_AMQP_URL", url}});
    REQUIRE(north.BecomesReady());
    Bridge south(url);
    south.Start({"--plugin.lab.declare", "--plugin.lab.exchange", "triggers", "--plugin.lab.bind",
                 "T.#", "--plugin.lab.bind", "U.#"});
    REQUIRE(south.Consumes());
    const auto posted = north.Post(Json("1", R"(,"metadata":{"spec":{"x":1.0}})"));
    REQUIRE(posted.status == 202);
    const auto message = south.out.Get(south.name);
    REQUIRE(message);
    CHECK_THAT(posted.body, ContainsSubstring(message->message_id));
    CHECK_THAT(message->body, ContainsSubstring(message->message_id) &&
                                  ContainsSubstring(R"("metadata":{"spec":{"x":1.0}})"));
    CHECK(message->routing_key == "T.v1.P");
    CHECK(message->exchange == south.name);
    // Once more: the same trigger, and it is known.
    const auto again = RawHttpClient(north.Port())
                           .Request("POST", "/triggers/" + message->message_id + "/redeliver");
    REQUIRE(again);
    CHECK(again->status == 202);
    REQUIRE(north.Post(Json("2")).status == 202);
    CHECK(south.Take(1) == std::vector<std::string>{"2"});
    CHECK(south.Nothing());
  }
  node.Ctl("delete_vhost " + vhost);
}

TEST_CASE("an instrument that speaks MQTT is heard through the broker, as the README says",
          "[amqp_plugin]") {
  RabbitmqNode node("TOWER_RABBITMQ_MQTT=1", "");
  Bridge bridge(node.Url());
  const auto readme = ReadFile(std::string(TOWER_SOURCE_DIR) + "/plugins/amqp/README.md");
  const std::string fence = "```lua\n";
  const auto begin = readme.find(fence) + fence.size();
  const auto script =
      bridge.folder.Write("scale.lua", readme.substr(begin, readme.find("```", begin) - begin));
  bridge.Start({"--plugin.lab.declare", "--plugin.lab.exchange", "amq.topic", "--plugin.lab.bind",
                "lab.scale.*", "--plugin.lab.map-file", script});
  REQUIRE(bridge.Consumes());
  const auto publish = [&](const std::string& topic, const std::string& text) {
    const auto command = "mosquitto_pub -h 127.0.0.1 -p " + std::to_string(node.MqttPort()) +
                         " -q 1 -t " + topic + " -m '" + text + "'";
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
  };
  publish("lab/scale/left", R"({"grams": 0.1})");
  publish("lab/scale/left", "calibrating");
  publish("lab/fridge/left", R"({"grams": 7})");
  publish("lab/scale/left", R"({"grams": 1.25})");
  publish("lab/scale/right", R"({"grams": 2})");
  auto message = bridge.out.Get(bridge.name, seconds(60));
  REQUIRE(message);
  CHECK_THAT(message->body, ContainsSubstring(R"("spec":{"grams":1.25,"scale":"left"})"));
  CHECK(message->routing_key == "Scale.v1.Weighed");
  message = bridge.out.Get(bridge.name);
  REQUIRE(message);
  CHECK_THAT(message->body, ContainsSubstring(R"("spec":{"grams":2,"scale":"right"})"));
  CHECK(bridge.Nothing());
  CHECK(bridge.tower->Stop() == 0);
  CHECK(bridge.source.Count(bridge.in) == 0);
}

}  // namespace tower
