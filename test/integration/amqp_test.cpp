// AmqpBroker against a real RabbitMQ. `make test` starts one and sets TOWER_TEST_AMQP_URL and
// TOWER_TEST_RABBITMQ_DIR.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/publish/amqp_broker.h"
#include "test/support/test_consumer.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = BrokerEvent::Kind;

std::string Setting(const char* name) {
  const char* value = std::getenv(name);
  INFO(name << " is not set: run `make test`, or start a node by test/support/rabbitmq.sh");
  REQUIRE(value != nullptr);
  return value;
}

std::string Url() { return Setting("TOWER_TEST_AMQP_URL"); }

// rabbitmqctl for the node under test.
std::string Ctl(const std::string& arguments) {
  const std::string command = TOWER_SOURCE_DIR "/test/support/rabbitmq.sh '" +
                              Setting("TOWER_TEST_RABBITMQ_DIR") + "' ctl " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe)) {
    output.append(part.data(), n);
  }
  const int code = pclose(pipe);
  INFO(output);
  REQUIRE(code == 0);
  return output;
}

struct AtEnd {
  std::function<void()> run;
  ~AtEnd() { run(); }
};

std::string Unique(const std::string& name) { return name + "-" + NewUuidV7().ToString(); }

AcceptedTrigger MakeTrigger(std::string body = R"({"spec":{}})") {
  AcceptedTrigger trigger;
  trigger.uuid = NewUuidV7();
  trigger.api_version = "ChiBio/v1alpha1/Reactor1";
  trigger.protocol = "Bioreactor";
  trigger.source = "test";
  trigger.accepted_at = std::chrono::sys_time<milliseconds>(milliseconds(1'700'000'000'987));
  trigger.body = std::move(body);
  return trigger;
}

// A broker connected to an exchange of its own with one queue bound to everything.
struct Site {
  explicit Site(const std::string& name, bool bound = true) : consumer(Url()) {
    options.urls = {Url()};
    options.exchange = Unique(name);
    options.heartbeat = seconds(5);
    queue = options.exchange;
    consumer.MakeExchange(options.exchange);
    if (bound) {
      consumer.MakeQueue(queue);
      consumer.Bind(queue, options.exchange, "#");
    }
    broker = std::make_unique<AmqpBroker>(options);
    const Status connected = broker->Connect({});
    INFO((connected ? "" : connected.error().message));
    REQUIRE(connected);
  }

  // Waits until an event of this kind is heard; all heard so far are in `events`.
  Status Await(Kind kind, std::uint64_t tag = 0) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      for (const BrokerEvent& event : events) {
        const bool right_tag = tag == 0 || event.tag == tag || (event.multiple && event.tag >= tag);
        if (event.kind == kind && right_tag) return Ok();
      }
      if (Status s = broker->Wait(milliseconds(500), -1, events); !s) return s;
    }
    return Error{ErrorCode::kTimeout, "the event did not come"};
  }

  const BrokerEvent* Heard(Kind kind) const {
    for (const BrokerEvent& event : events) {
      if (event.kind == kind) return &event;
    }
    return nullptr;
  }

  TestConsumer consumer;
  AmqpOptions options;
  std::string queue;
  std::unique_ptr<AmqpBroker> broker;
  std::vector<BrokerEvent> events;
};

TEST_CASE("a message has every property of the contract, byte for byte", "[amqp]") {
  Site site("properties");
  AcceptedTrigger trigger = MakeTrigger("{\"uuid\":\"x\",\"spec\":{\"a\":1.0,\"\xC3\xA9\":[\n]}}");
  trigger.source = "inbox";
  trigger.client = "lims";
  trigger.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  trigger.tracestate = "vendor=" + std::string(500, 'x');
  REQUIRE(site.broker->Publish(trigger).value() == 1);
  REQUIRE(site.Await(Kind::kConfirmed, 1));
  CHECK(site.Heard(Kind::kReturned) == nullptr);

  const auto message = site.consumer.Get(site.queue);
  REQUIRE(message);
  CHECK(message->exchange == site.options.exchange);
  CHECK(message->routing_key == "ChiBio.v1alpha1.Reactor1.Bioreactor");
  CHECK(message->body == trigger.body);
  CHECK(message->content_type == "application/json");
  CHECK(message->delivery_mode == 2);
  CHECK(message->message_id == trigger.uuid.ToString());
  CHECK(message->timestamp == 1'700'000'000);
  CHECK(message->type == "Bioreactor");
  CHECK(message->app_id == "control-tower");
  const std::map<std::string, std::string> headers = {{"source", "inbox"},
                                                      {"client", "lims"},
                                                      {"traceparent", trigger.traceparent},
                                                      {"tracestate", trigger.tracestate}};
  CHECK(message->headers == headers);
  // content_type, headers, delivery_mode, message_id, timestamp, type, app_id: no other.
  CHECK(message->flags == 0xB0E8);
}

TEST_CASE("a message without a trace has only its source as header", "[amqp]") {
  Site site("headers");
  REQUIRE(site.broker->Publish(MakeTrigger()));
  const auto published = site.Await(Kind::kConfirmed, 1);
  REQUIRE(published);
  const auto message = site.consumer.Get(site.queue);
  REQUIRE(message);
  CHECK(message->headers == std::map<std::string, std::string>{{"source", "test"}});
}

TEST_CASE("thousands of messages in flight are all confirmed, in order", "[amqp]") {
  Site site("many");
  constexpr std::uint64_t kCount = 5000;
  for (std::uint64_t n = 1; n <= kCount; ++n) {
    REQUIRE(site.broker->Publish(MakeTrigger("{\"n\":" + std::to_string(n) + "}")).value() == n);
  }
  REQUIRE(site.Await(Kind::kConfirmed, kCount));
  for (std::uint64_t n = 1; n <= kCount; ++n) {
    const auto message = site.consumer.Get(site.queue);
    REQUIRE(message);
    REQUIRE(message->body == "{\"n\":" + std::to_string(n) + "}");
  }
}

TEST_CASE("bodies that fill frames exactly, and large ones, arrive whole and at once", "[amqp]") {
  Site site("frames");
  std::uint64_t tag = 0;
  for (const std::size_t size : {131064UL, 131065UL, 131063UL, 2UL * 131064UL, 5'000'000UL, 0UL}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; i += 97) body[i] = static_cast<char>('a' + i % 26);
    REQUIRE(site.broker->Publish(MakeTrigger(body)).value() == ++tag);
    REQUIRE(site.Await(Kind::kConfirmed, tag));
    const auto message = site.consumer.Get(site.queue);
    REQUIRE(message);
    CHECK((message->body == body));
  }
}

TEST_CASE("a message that no queue takes comes back with its tag before its confirm", "[amqp]") {
  Site site("unroutable", false);
  REQUIRE(site.broker->Publish(MakeTrigger(std::string(300'000, 'x'))).value() == 1);
  REQUIRE(site.broker->Publish(MakeTrigger("")).value() == 2);
  REQUIRE(site.Await(Kind::kReturned, 2));
  REQUIRE(site.Await(Kind::kConfirmed, 2));
  const BrokerEvent* returned = site.Heard(Kind::kReturned);
  REQUIRE(returned != nullptr);
  CHECK(returned->tag == 1);
  CHECK(returned->code == 312);
  CHECK(returned->reason == "NO_ROUTE");
  CHECK(site.events[0].kind == Kind::kReturned);
}

TEST_CASE("what a full queue refuses is reported by tag", "[amqp]") {
  Site site("full", false);
  site.consumer.MakeQueue(site.queue, 1);
  site.consumer.Bind(site.queue, site.options.exchange, "#");
  REQUIRE(site.broker->Publish(MakeTrigger()));
  REQUIRE(site.Await(Kind::kConfirmed, 1));
  REQUIRE(site.broker->Publish(MakeTrigger()).value() == 2);
  REQUIRE(site.Await(Kind::kRefused, 2));
}

TEST_CASE("an exchange that vanishes resets the channel, and tags start anew", "[amqp]") {
  Site site("vanishing");
  site.consumer.DeleteExchange(site.options.exchange);
  REQUIRE(site.broker->Publish(MakeTrigger()));
  REQUIRE(site.Await(Kind::kReset));
  const BrokerEvent* reset = site.Heard(Kind::kReset);
  CHECK(reset->code == 404);
  CHECK(reset->reason.find("NOT_FOUND - no exchange '" + site.options.exchange) == 0);
  site.consumer.MakeExchange(site.options.exchange);
  site.consumer.Bind(site.queue, site.options.exchange, "#");
  site.events.clear();
  REQUIRE(site.broker->Publish(MakeTrigger()).value() == 1);
  REQUIRE(site.Await(Kind::kConfirmed, 1));
}

TEST_CASE("declaring makes the exchange and a bound quorum queue, twice without harm", "[amqp]") {
  TestConsumer consumer(Url());
  AmqpOptions options;
  options.urls = {Url()};
  options.exchange = Unique("declared");
  options.queue = options.exchange;
  for (int i = 0; i < 2; ++i) {
    AmqpBroker broker(options);
    const Status connected = broker.Connect({});
    INFO((connected ? "" : connected.error().message));
    REQUIRE(connected);
    if (i == 0) consumer.Adopt(options.exchange, options.queue);
    REQUIRE(broker.Publish(MakeTrigger()));
    std::vector<BrokerEvent> events;
    while (events.empty()) REQUIRE(broker.Wait(seconds(30), -1, events));
    CHECK(events[0].kind == Kind::kConfirmed);
    broker.Close();
  }
  CHECK(consumer.Get(options.queue)->routing_key == "ChiBio.v1alpha1.Reactor1.Bioreactor");
  const std::string queues = Ctl("-q list_queues name type durable");
  CHECK(queues.find(options.queue + "\tquorum\ttrue") != std::string::npos);
}

TEST_CASE("topology that can't be had is a clear error that says what to change", "[amqp]") {
  TestConsumer consumer(Url());
  AmqpOptions options;
  options.urls = {Url()};
  options.exchange = Unique("topology");
  const auto failure = [&] {
    AmqpBroker broker(options);
    const Status connected = broker.Connect({});
    REQUIRE_FALSE(connected);
    CHECK(connected.error().code == ErrorCode::kPermanent);
    CHECK(connected.error().message.find("guest@") == std::string::npos);
    return connected.error().message;
  };
  options.declare = false;
  CHECK(failure().find("NOT_FOUND") != std::string::npos);
  CHECK(failure().find("amqp.declare=true") != std::string::npos);
  consumer.MakeExchange(options.exchange, "fanout");
  options.declare = true;
  CHECK(failure().find("amqp.exchange-type") != std::string::npos);
  options.exchange_type = "fanout";
  options.queue = options.exchange;
  consumer.MakeQueue(options.queue);  // a classic one
  CHECK(failure().find("amqp.queue") != std::string::npos);
  options.queue.clear();
  options.exchange_type = "no-such-type";
  options.exchange = Unique("typed");
  CHECK(failure().find("see amqp.exchange-type") != std::string::npos);
  options.exchange_type = "topic";
  options.exchange = "amq.mine";
  CHECK(failure().find("ACCESS_REFUSED") != std::string::npos);
}

TEST_CASE("wrong credentials and an unknown vhost are told apart, without the password", "[amqp]") {
  const AmqpUrl url = *ParseAmqpUrl(Url());
  const std::string at = "@" + url.host + ":" + std::to_string(url.port);
  AmqpOptions options;
  options.urls = {"amqp://guest:hunter2" + at + "/%2f"};
  Status connected = AmqpBroker(options).Connect({});
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code == ErrorCode::kPermanent);
  CHECK(connected.error().message.find("check user and password in amqp.url") != std::string::npos);
  CHECK(connected.error().message.find("hunter2") == std::string::npos);

  options.urls = {"amqp://guest:guest" + at + "/no-such-vhost"};
  connected = AmqpBroker(options).Connect({});
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code == ErrorCode::kPermanent);
  CHECK(connected.error().message.find("check vhost and user in amqp.url") != std::string::npos);
  CHECK(connected.error().message.find("ends in /") == std::string::npos);

  options.urls = {"amqp://guest:guest" + at + "/"};
  connected = AmqpBroker(options).Connect({});
  REQUIRE_FALSE(connected);
  CHECK(connected.error().message.find("a URL that ends in / names the vhost without a name") !=
        std::string::npos);
}

TEST_CASE("the URLs are tried in turn", "[amqp]") {
  AmqpOptions options;
  options.urls = {"amqp://guest:guest@127.0.0.1:1/%2f", Url()};
  options.exchange = "amq.topic";
  AmqpBroker broker(options);
  REQUIRE(broker.Connect({}));
  CHECK(broker.Address() == RedactAmqpUrl(Url()));

  options.urls = {"amqp://guest:guest@127.0.0.1:1/%2f"};
  const Status connected = AmqpBroker(options).Connect({});
  REQUIRE_FALSE(connected);
  CHECK(connected.error().message == "amqp://127.0.0.1:1/%2F: connection refused");
  CHECK(connected.error().code == ErrorCode::kUnavailable);
}

TEST_CASE("a memory alarm is heard, and what was sent meanwhile is confirmed after it", "[amqp]") {
  Site site("alarm");
  const AtEnd restore{[] { Ctl("set_vm_memory_high_watermark absolute 1GB"); }};
  Ctl("set_vm_memory_high_watermark 0");
  REQUIRE(site.broker->Publish(MakeTrigger()));  // the broker tells those who publish
  REQUIRE(site.Await(Kind::kBlocked));
  CHECK(site.Heard(Kind::kBlocked)->reason == "low on memory");
  Ctl("set_vm_memory_high_watermark absolute 1GB");
  REQUIRE(site.Await(Kind::kUnblocked));
  REQUIRE(site.Await(Kind::kConfirmed, 1));
  CHECK(site.consumer.Get(site.queue));
}

TEST_CASE("a connection that the broker closes fails with its reason and can be renewed",
          "[amqp]") {
  Site site("closed");
  Ctl("close_all_connections -q 'for a test'");
  const Status lost = site.Await(Kind::kConfirmed);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == ErrorCode::kUnavailable);
  CHECK(lost.error().message.find("CONNECTION_FORCED - for a test") == 0);
  CHECK_FALSE(site.broker->Publish(MakeTrigger()));
  REQUIRE(site.broker->Connect({}));
  REQUIRE(site.broker->Publish(MakeTrigger()).value() == 1);
  REQUIRE(site.Await(Kind::kConfirmed, 1));
}

TEST_CASE("heartbeats keep an idle connection alive", "[amqp]") {
  Site site("idle");
  site.options.heartbeat = seconds(1);
  AmqpBroker broker(site.options);
  REQUIRE(broker.Connect({}));
  const auto end = std::chrono::steady_clock::now() + seconds(6);
  std::vector<BrokerEvent> events;
  while (std::chrono::steady_clock::now() < end) {
    const Status waited = broker.Wait(milliseconds(1000), -1, events);
    INFO((waited ? "" : waited.error().message));
    REQUIRE(waited);
  }
  REQUIRE(broker.Publish(MakeTrigger()));
  while (events.empty()) REQUIRE(broker.Wait(seconds(30), -1, events));
}

TEST_CASE("a wait and a connect can be interrupted from another thread", "[amqp]") {
  Site site("interrupted");
  std::jthread interrupter([&] { site.broker->Interrupt(); });
  std::vector<BrokerEvent> events;
  Status waited = Ok();
  while (waited) waited = site.broker->Wait(std::chrono::hours(1), -1, events);
  CHECK(waited.error().code == ErrorCode::kStopped);

  std::stop_source stop;
  stop.request_stop();
  const Status connected = site.broker->Connect(stop.get_token());
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code == ErrorCode::kStopped);
}

TEST_CASE("a message that AMQP can't express is refused without harm to the connection", "[amqp]") {
  Site site("inexpressible");
  AcceptedTrigger trigger = MakeTrigger();
  trigger.api_version = std::string(200, 'a');
  trigger.protocol = std::string(200, 'p');
  auto tag = site.broker->Publish(trigger);
  REQUIRE_FALSE(tag);
  CHECK(tag.error().code == ErrorCode::kInvalid);
  trigger = MakeTrigger();
  trigger.tracestate = std::string(200'000, 't');
  tag = site.broker->Publish(trigger);
  REQUIRE_FALSE(tag);
  CHECK(tag.error().code == ErrorCode::kInvalid);
  REQUIRE(site.broker->Publish(MakeTrigger()).value() == 1);
  REQUIRE(site.Await(Kind::kConfirmed, 1));
}

}  // namespace
}  // namespace tower
