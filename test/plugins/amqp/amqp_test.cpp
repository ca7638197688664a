// The plugin without a broker: a peer sends messages, and the queue is a real one.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/sources.h"
#include "test/support/fake_amqp_peer.h"
#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;
using Tags = std::set<std::uint64_t>;
namespace m = amqp_method;

const std::string kConsumeOk = AmqpMethodBytes(1, m::kConsumeOk, AmqpText("consumer"));

std::string Json(const std::string& protocol, const std::string& more = {}) {
  return R"({"apiVersion":"T/v1","protocol":")" + protocol + R"(","spec":{})" + more + "}";
}

std::string WithId(const std::string& id) { return AmqpNumber(0x80, 2) + AmqpText(id); }

// Sends the messages, numbered from 1, once the client consumes, and then the bytes.
PeerScript Sends(const std::vector<AmqpDelivered>& messages, const std::string& then = {}) {
  std::string bytes;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto message = messages[i];
    message.tag = i + 1;
    bytes += AmqpDeliverBytes(message);
  }
  PeerScript script;
  script.on_method = [=](PeerSession& session, std::uint32_t method) {
    if (method != m::kConsume) return false;
    session.Send(kConsumeOk + bytes + then);
    return true;
  };
  return script;
}

struct Fixture {
  explicit Fixture(std::vector<PeerScript> scripts, WatcherHarness::Options more = {},
                   std::uint64_t max_bytes = QueueOptions().max_bytes)
      : queue(max_bytes), peer(std::move(scripts)) {
    more.push_back({"url", {peer.Url()}});
    more.push_back({"queue", {"jobs"}});
    watcher = std::make_unique<WatcherHarness>(queue, "amqp", more);
    watcher->Start();
  }
  // What was settled so far on that connection.
  Tags Settled(std::uint32_t method, std::size_t connection = 0) const {
    Tags tags;
    for (const auto& one : peer.methods()) {
      if (one.connection != connection || (one.method != m::kAck && one.method != m::kReject)) {
        continue;
      }
      AmqpReader reader(one.arguments);
      const auto tag = reader.Number(8);
      const bool flag = reader.Number(1) != 0;
      CHECK((one.method == m::kAck || !flag));  // never requeued
      const auto first = one.method == m::kAck && flag ? 1 : tag;
      for (auto each = first; each <= tag; ++each) {
        const bool fresh = all_.insert({connection, each}).second;
        if (fresh) by_.insert({{connection, each}, one.method});
      }
    }
    for (const auto& [key, by] : by_) {
      if (key.first == connection && by == method) tags.insert(key.second);
    }
    return tags;
  }
  bool Acked(const Tags& tags, std::size_t connection = 0) const {
    return Eventually([&] { return Settled(m::kAck, connection) == tags; });
  }

  TestQueue queue;
  FakeAmqpPeer peer;
  std::unique_ptr<WatcherHarness> watcher;
  mutable std::set<std::pair<std::size_t, std::uint64_t>> all_;
  mutable std::map<std::pair<std::size_t, std::uint64_t>, std::uint32_t> by_;
};

TEST_CASE("each message becomes its trigger, byte for byte and in order, and is acked", "[amqp]") {
  Fixture f({Sends({{.body = Json("A", R"(,"metadata":{"spec":{"x":1.0}})")},
                    {.body = "[" + Json("B") + "," + Json("C") + "]"},
                    {.body = Json("D")}})});
  const auto taken = f.queue.Take(4);
  REQUIRE(taken.size() == 4);
  CHECK(taken[0].protocol + taken[1].protocol + taken[2].protocol + taken[3].protocol == "ABCD");
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("metadata":{"spec":{"x":1.0}})"));
  CHECK(taken[0].source == "test");
  CHECK(f.Acked({1, 2, 3}));
  CHECK(f.watcher->accepted.value() == 4);
  CHECK(f.watcher->Stop());
  CHECK(f.peer.faults().empty());
}

TEST_CASE("a message that is no trigger is left to the dead letter exchange, or dropped",
          "[amqp]") {
  const CapturedLogs logs;
  const bool drop = GENERATE(false, true);
  const std::string uuid = R"(,"uuid":"01890a5d-ac96-774b-bcce-b302099a8057")";
  Fixture f({Sends({{.body = Json("A", uuid)},
                    {.routing_key = "lab.x", .properties = WithId("bad-1"), .body = "nonsense"},
                    {.body = Json("B", uuid)},
                    {.body = Json("C", R"(,"extra":1)")},
                    {.body = std::string(5000, 'x')},
                    {.body = ""},
                    {.body = Json("D")}})},
            {{"max-size", {"4KiB"}}, {"on-failure", {drop ? "drop" : "reject"}}});
  CHECK(f.queue.TakeProtocols(2) == Strings{"A", "D"});
  const Tags bad = {2, 3, 4, 5, 6};
  CHECK(f.Acked(drop ? Tags{1, 2, 3, 4, 5, 6, 7} : Tags{1, 7}));
  CHECK(f.Settled(m::kReject) == (drop ? Tags{} : bad));
  CHECK(f.watcher->rejected.value() == 5);
  CHECK_THAT(logs.text(), ContainsSubstring(R"("message":"message bad-1")") &&
                              ContainsSubstring(R"("routing_key":"lab.x")") &&
                              ContainsSubstring("/extra") &&
                              ContainsSubstring("used with other content") &&
                              ContainsSubstring("larger than max-size: 5000 bytes") &&
                              ContainsSubstring(drop ? "dropped" : "rejected"));
  CHECK_FALSE(f.watcher->ended());
}

TEST_CASE("a message that comes again under its id is taken once", "[amqp]") {
  const std::string uuid = R"(,"uuid":"01890a5d-ac96-774b-bcce-b302099a8057")";
  const std::vector<AmqpDelivered> messages = {{.properties = WithId("a"), .body = Json("A")},
                                               {.body = Json("B", uuid)},
                                               {.properties = WithId("c"), .body = Json("C")}};
  auto again = messages;
  for (auto& message : again) message.redelivered = true;
  again.push_back({.properties = WithId("a"), .body = Json("X")});  // another one
  again.push_back({.body = Json("D")});
  Fixture f({Sends(messages), Sends(again)});
  CHECK(f.queue.TakeProtocols(3) == Strings{"A", "B", "C"});
  CHECK(f.Acked({1, 2, 3}));
  CHECK(f.watcher->Stop());
  f.queue.Reopen();
  f.watcher->Start();
  CHECK(f.queue.TakeProtocols(1) == Strings{"D"});
  CHECK(f.Acked({1, 2, 3, 5}, 1));
  CHECK(f.Settled(m::kReject, 1) == Tags{4});
  CHECK(f.watcher->accepted.value() == 4);
}

TEST_CASE("a map makes triggers of what a message says and how it came", "[amqp]") {
  Fixture f({Sends({{.routing_key = "lab.left", .properties = WithId("7"), .body = "1.50"},
                    {.routing_key = "lab.left", .body = "no number"},
                    {.routing_key = "lab.right", .body = "2"}})},
            {{"map",
              {"type(event.body) == 'number' and {apiVersion = 'T/v1', protocol = 'P', spec = "
               "{key = event.routingKey, id = event.messageId or 'none'}} or nil"}}});
  const auto taken = f.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("spec":{"id":"7","key":"lab.left"})"));
  CHECK_THAT(taken[1].body, ContainsSubstring(R"("spec":{"id":"none","key":"lab.right"})"));
  CHECK(f.Acked({1, 2, 3}));
  CHECK(f.watcher->rejected.value() == 0);
}

TEST_CASE("a slow map starves neither the acks nor a stop", "[amqp]") {
  constexpr std::size_t kCount = 200;
  const std::string slow =
      "(function() for i = 1, 1000000 do end return "
      "{apiVersion = 'T/v1', protocol = 'P', spec = {}} end)()";
  Fixture f({Sends(std::vector<AmqpDelivered>(kCount, {.body = "1"}))}, {{"map", {slow}}});
  REQUIRE(Eventually([&] { return !f.Settled(m::kAck).empty(); }));
  CHECK(f.watcher->Stop());
  CHECK(f.watcher->accepted.value() < kCount);
  CHECK(f.Settled(m::kAck).size() == static_cast<std::size_t>(f.queue->Stats().depth));
}

TEST_CASE("several URLs may stand in one text", "[amqp]") {
  OptionSet options("plugin.x");
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  std::unique_ptr<Watcher> watcher;
  for (const auto* kind : *kinds) {
    if (kind->name() == "amqp") watcher = kind->New(options);
  }
  ConfigErrors errors;
  const SourceValues flags = {
      {"plugin.x.url", {{"amqp://u:secret@one,amqps://two"}, "--plugin.x.url"}}};
  for (auto& option : options.all()) {
    if (option.name() == "plugin.x.url") Apply(option, {&flags}, errors);
  }
  CHECK(errors.empty());
  CHECK(options.Faults({}, false).empty());
}

TEST_CASE("while the queue is full, messages wait unacked, and go on in order", "[amqp]") {
  constexpr std::size_t kCount = 60;
  std::vector<AmqpDelivered> messages;
  Strings expected;
  for (std::size_t n = 0; n < kCount; ++n) {
    // Small ones between large ones would fit where those do not.
    const std::string pad(n % 3 == 0 ? 60'000 : 10, 'x');
    expected.push_back("P" + std::to_string(n));
    messages.push_back({.body = Json(expected.back(), R"(,"metadata":{"source":")" + pad + "\"}")});
  }
  Fixture f({Sends(messages)}, {}, 1 << 20U);
  REQUIRE(Eventually([&] { return f.queue->Stats().bytes > 900'000; }));
  std::size_t depth = 0;
  REQUIRE(Eventually([&] {  // nothing more fits
    const auto before = std::exchange(depth, static_cast<std::size_t>(f.queue->Stats().depth));
    return before == depth && f.Settled(m::kAck).size() == depth;
  }));
  CHECK(depth < kCount);
  Strings taken;
  while (taken.size() < kCount) {
    const auto some = f.queue.TakeProtocols(10);  // which makes room
    REQUIRE(some.size() == 10);
    taken.insert(taken.end(), some.begin(), some.end());
  }
  CHECK(taken == expected);
  CHECK(Eventually([&] { return f.Settled(m::kAck).size() == kCount; }));
  CHECK(f.watcher->rejected.value() == 0);
  CHECK(f.watcher->Stop());
}

TEST_CASE("a stop ends a watcher that waits for room, and one that waits for messages", "[amqp]") {
  const bool full = GENERATE(true, false);
  std::vector<AmqpDelivered> messages;
  const std::string pad = R"(,"metadata":{"source":")" + std::string(60'000, 'x') + "\"}";
  for (int n = 0; full && n < 40; ++n) messages.push_back({.body = Json("P", pad)});
  Fixture f({Sends(messages)}, {}, 1 << 20U);
  if (full) {
    REQUIRE(Eventually([&] { return f.queue->Stats().bytes > 900'000; }));
  } else {
    REQUIRE(f.watcher->WaitForSuccesses(1));
  }
  const auto began = std::chrono::steady_clock::now();
  CHECK(f.watcher->Stop());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  // What is on disk was acked before the goodbye, and nothing else.
  CHECK(f.Settled(m::kAck).size() == static_cast<std::size_t>(f.queue->Stats().depth));
}

TEST_CASE("a queue that is deleted is an error, and the next run goes on", "[amqp]") {
  Fixture f({Sends({}, AmqpMethodBytes(1, m::kCancel, AmqpText("consumer") + AmqpNumber(1, 1))),
             Sends({{.body = Json("B")}})});
  REQUIRE(Eventually([&] { return f.watcher->ended(); }));
  REQUIRE_FALSE(f.watcher->result());
  CHECK(f.watcher->result().error().code == ErrorCode::kUnavailable);
  (void)f.watcher->Stop();  // joins it
  f.watcher->Start();
  CHECK(f.queue.TakeProtocols(1) == Strings{"B"});
}

TEST_CASE("options that cannot be are refused with what they should be", "[amqp]") {
  TestQueue queue;
  const auto fault = [&](const WatcherHarness::Options& options) -> std::string {
    try {
      WatcherHarness watcher(queue, "amqp", options);
      const auto check = watcher.Check();
      return check ? "" : check.error().message;
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  };
  const std::string url = "amqp://u:secret@host";
  CHECK(fault({{"url", {url}}, {"queue", {"q"}}}).empty());
  CHECK_THAT(fault({{"url", {url + "/a/b"}}, {"queue", {"q"}}}),
             ContainsSubstring("url: ") && !ContainsSubstring("secret"));
  CHECK_THAT(fault({{"url", {url}}, {"queue", {"q"}}, {"exchange", {"x"}}}),
             ContainsSubstring("exchange and bind"));
  CHECK_THAT(fault({{"url", {url}}, {"queue", {"q"}}, {"prefetch", {"0"}}}),
             ContainsSubstring("from 1 to 65535"));
  CHECK_THAT(fault({{"url", {url}}, {"queue", {"q"}}, {"on-failure", {"requeue"}}}),
             ContainsSubstring("one of reject, drop"));
  CHECK_THAT(fault({{"url", {"amqps://host"}}, {"queue", {"q"}}, {"ca-file", {"/no/ca.pem"}}}),
             ContainsSubstring("/no/ca.pem"));
  CHECK_THAT(fault({{"url", {"amqps://host"}}, {"queue", {"q"}}, {"cert", {"/no/c.pem"}}}),
             ContainsSubstring("cert and key belong together"));
}

TEST_CASE("a password that would go unencrypted over a network is warned of", "[amqp_plugin]") {
  const auto warnings = [](const std::string& url) {
    const auto kinds = WatcherKind::All();
    const auto kind = std::find_if(kinds->begin(), kinds->end(),
                                   [](const auto* each) { return each->name() == "amqp"; });
    OptionSet options("plugin.lab");
    const auto watcher = (*kind)->New(options);
    for (auto& option : options.all()) {
      if (option.name() == "plugin.lab.url") REQUIRE(option.Set({url}));
    }
    return options.Warnings();
  };
  const auto unwise = warnings("amqp://u:hunter2@rabbit.lab");
  REQUIRE(unwise.size() == 1);
  CHECK_THAT(unwise[0].message, ContainsSubstring("url: the password goes unencrypted to "
                                                  "rabbit.lab") &&
                                    !ContainsSubstring("hunter2"));
  CHECK(warnings("amqps://u:hunter2@rabbit.lab").empty());
  CHECK(warnings("amqp://u:hunter2@127.0.0.1").empty());
}

}  // namespace
}  // namespace tower
