// A real RabbitMQ that fails, forgets and refuses, under a whole control-tower: nothing accepted is
// lost, what is wrong is told, and it goes on by itself.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "core/base/uuid.h"
#include "test/support/eventually.h"
#include "test/support/rabbitmq_node.h"
#include "test/support/test_consumer.h"
#include "test/support/tower_site.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

struct AtEnd {
  std::function<void()> run;
  ~AtEnd() { run(); }
};

// A tower whose exchange and bound queue are there before it starts.
struct BoundSite : TowerSite {
  explicit BoundSite(const RabbitmqNode& node, int limit = -1)
      : TowerSite({node.Url()}), consumer(node.Url()) {
    consumer.MakeExchange(name());
    consumer.MakeQueue(name(), limit);
    consumer.Bind(name(), name(), "#");
    Start();
  }
  TestConsumer consumer;
};

// The tower declares a quorum queue that gets everything.
void OwnQueue(Settings& settings) { settings.amqp.queue = settings.amqp.exchange; }

// A vhost with a user, gone at the end. Their names are the same; see RabbitmqNode::Url.
struct Tenant {
  explicit Tenant(const RabbitmqNode& on) : node(on), name("tenant-" + NewUuidV7().ToString()) {
    node.Ctl("add_vhost " + name);
    node.Ctl("add_user " + name + " secret");
    Allow("'.*'");
  }
  ~Tenant() {
    node.Ctl("delete_vhost " + name + " || true");
    node.Ctl("delete_user " + name + " || true");
  }
  void Allow(const std::string& write) const {
    node.Ctl("set_permissions -p " + name + " " + name + " '.*' " + write + " '.*'");
  }
  void Disconnect() const { node.Ctl("close_all_connections -p " + name + " -q 'for a test'"); }
  std::string Url() const { return node.Url(name, name); }

  const RabbitmqNode& node;
  const std::string name;
};

}  // namespace

TEST_CASE("a broker that is killed under load has everything in the end", "[broker]") {
  RabbitmqNode node;
  TowerSite site({node.Url()});
  // Not a quorum queue: one of a single node that is published to in the moments after a restart
  // may stay without a leader for ever (RabbitMQ 3.10).
  auto consumer = std::make_unique<TestConsumer>(node.Url());
  consumer->MakeExchange(site.name());
  consumer->MakeQueue(site.name());
  consumer->Bind(site.name(), site.name(), "#");
  node.Ctl("eval 'mnesia:sync_log().'");  // else the binding may not survive the kill
  site.Start();
  REQUIRE(site.BecomesReady());
  const auto more = [&] {
    const auto seen = site.ledger().accepted();
    return Eventually([&] { return site.ledger().accepted() > seen + 500; });
  };
  {
    const auto load = site.Load(4);
    REQUIRE(more());
    node.Kill();
    REQUIRE(more());
  }
  // A process that is killed under load keeps its sockets until the kernel has taken it apart.
  CHECK(
      Eventually([&] { return site.Ready().find("broker: not connected") != std::string::npos; }));
  CHECK_THAT(site.Get("/livez"), StartsWith("ok"));
  node.Start();
  const bool ready = site.BecomesReady();
  INFO(site.Ready());
  REQUIRE(ready);
  {
    const auto load = site.Load(4);
    REQUIRE(more());
  }
  consumer = std::make_unique<TestConsumer>(node.Url());
  site.Finish(*consumer);
}

TEST_CASE("a memory alarm is shown, HTTP goes on, and so does publishing once it is over",
          "[broker]") {
  const auto node = RabbitmqNode::Shared();
  const AtEnd restore{[&] { node.Ctl("set_vm_memory_high_watermark absolute 1GB"); }};
  BoundSite site(node);
  REQUIRE(site.BecomesReady());
  node.Ctl("set_vm_memory_high_watermark 0");
  site.Post();  // the broker tells those who publish
  CHECK(Eventually([&] {
    return site.Ready().find("broker: blocked by an alarm of the broker") != std::string::npos;
  }));
  CHECK_THAT(site.log(), ContainsSubstring("\"error\":\"low on memory\""));
  CHECK_THAT(site.Get("/metrics"), ContainsSubstring("\ncontrol_tower_broker_blocked 1\n") &&
                                       ContainsSubstring("\ncontrol_tower_broker_connected 1\n"));
  for (int n = 0; n < 100; ++n) site.Post();
  CHECK(site.consumer.Count(site.name()) == 0);
  node.Ctl("set_vm_memory_high_watermark absolute 1GB");
  CHECK(site.BecomesReady());
  CHECK_THAT(site.Get("/metrics"), ContainsSubstring("\ncontrol_tower_broker_blocked 0\n"));
  CHECK(site.Finish(site.consumer).repeats == 0);
}

TEST_CASE("what comes while its queue is deleted is listed undeliverable", "[broker]") {
  const auto node = RabbitmqNode::Shared();
  BoundSite site(node);
  for (int n = 0; n < 20; ++n) site.Post();
  REQUIRE(site.Queued(0));
  site.Consume(site.consumer);
  site.consumer.DeleteQueue(site.name());
  for (int n = 0; n < 20; ++n) site.Post();
  REQUIRE(site.Queued(0));
  site.consumer.MakeQueue(site.name());
  site.consumer.Bind(site.name(), site.name(), "#");
  for (int n = 0; n < 20; ++n) site.Post();
  const Balance balance = site.Finish(site.consumer);
  CHECK(balance.undeliverable == 20);
  CHECK(balance.overtaken == 0);
}

TEST_CASE("an exchange that is deleted under load is declared again with its binding", "[broker]") {
  const auto node = RabbitmqNode::Shared();
  TowerSite site({node.Url()}, OwnQueue);
  TestConsumer consumer(node.Url());
  consumer.Adopt(site.name(), site.name());
  site.Start();
  REQUIRE(site.BecomesReady());
  {
    const auto load = site.Load(2);
    for (const std::size_t until : {200U, 600U, 1000U}) {
      REQUIRE(Eventually([&] { return site.ledger().accepted() > until; }));
      consumer.DeleteExchange(site.name());
    }
    CHECK(site.Tells("NOT_FOUND - no exchange '" + site.name()));
  }
  site.Finish(consumer);
}

TEST_CASE(
    "a vhost, a user or a permission that goes is told, and publishing goes on once it is "
    "back",
    "[broker]") {
  const auto node = RabbitmqNode::Shared();
  const Tenant tenant(node);
  TowerSite site({tenant.Url()}, [](Settings& settings) {
    settings.amqp.queue = settings.amqp.exchange;
    settings.amqp.exchange += "-exchange";
  });
  site.Start();
  const auto consume = [&] {
    REQUIRE(site.Queued(0));
    TestConsumer consumer(tenant.Url());
    site.Consume(consumer);
    REQUIRE(site.Strike().lost.empty());
  };
  site.Post();
  consume();

  node.Ctl("delete_vhost " + tenant.name);
  site.Post();
  CHECK(site.Tells("vhost " + tenant.name + " not found, check vhost and user in amqp.url"));
  node.Ctl("add_vhost " + tenant.name);
  CHECK(site.Tells("refused for user '" + tenant.name + "', check vhost and user in amqp.url"));
  tenant.Allow("'.*'");
  consume();

  node.Ctl("delete_user " + tenant.name);
  tenant.Disconnect();
  site.Post();
  CHECK(site.Tells("check user and password in amqp.url"));
  node.Ctl("add_user " + tenant.name + " secret");
  tenant.Allow("'.*'");
  consume();

  tenant.Allow("'^" + site.name() + "$'");  // to the queue only: no message's fault
  tenant.Disconnect();
  site.Post();
  CHECK(site.Tells("access to exchange '" + site.name() + "-exchange' in vhost"));
  site.Post();
  tenant.Allow("'.*'");
  TestConsumer consumer(tenant.Url());
  CHECK(site.Finish(consumer).undeliverable == 0);
  CHECK_THAT(site.log(), !ContainsSubstring("secret"));
}

TEST_CASE("a topic that the user may not write to is undeliverable, its neighbours arrive",
          "[broker]") {
  const auto node = RabbitmqNode::Shared();
  const Tenant tenant(node);
  TowerSite site({tenant.Url()}, OwnQueue);
  node.Ctl("set_topic_permissions -p " + tenant.name + " " + tenant.name + " " + site.name() +
           " '^T[.]v1[.]P$' '.*'");
  site.Start();
  std::set<std::string> forbidden;
  for (int n = 0; n < 60; ++n) {
    const bool allowed = n % 20 != 7;
    const auto uuid = site.Post("client", allowed ? "P" : "Forbidden");
    if (!allowed) forbidden.insert(uuid);
  }
  TestConsumer consumer(tenant.Url());
  CHECK(site.Finish(consumer).undeliverable == forbidden.size());
  for (const std::string& uuid : forbidden) {
    CHECK_THAT(site.Get("/triggers/" + uuid),
               ContainsSubstring("\"reason\":\"refused: ACCESS_REFUSED") &&
                   ContainsSubstring("access to topic 'T.v1.Forbidden'"));
  }
}

TEST_CASE("what a full queue refuses arrives once there is room", "[broker]") {
  const auto node = RabbitmqNode::Shared();
  BoundSite site(node);
  const AtEnd restore{[&] { node.Ctl("clear_policy " + site.name()); }};
  node.Ctl("set_policy " + site.name() + " " + site.name() +
           R"( '{"max-length":10,"overflow":"reject-publish"}' --apply-to queues)");
  for (int n = 0; n < 60; ++n) site.Post();
  REQUIRE(Eventually([&] { return site.consumer.Count(site.name()) >= 10; }));
  CHECK(site.Depth() > 0);
  CHECK(site.BecomesReady());
  // Room for a few at a time.
  REQUIRE(Eventually([&] {
    site.Take(site.consumer);
    return site.ledger().distinct() == 60;
  }));
  const Balance balance = site.Finish(site.consumer);
  CHECK(balance.undeliverable == 0);
}

TEST_CASE("a full queue holds up no other, and its triggers arrive in order", "[broker]") {
  const auto node = RabbitmqNode::Shared();
  TowerSite site({node.Url()}, [](Settings& settings) { settings.publisher.window = 50; });
  TestConsumer consumer(node.Url());
  const std::string other = site.name() + "-other";
  consumer.MakeExchange(site.name());
  consumer.MakeQueue(site.name(), 10);
  consumer.Bind(site.name(), site.name(), "T.v1.Full");
  consumer.MakeQueue(other);
  consumer.Bind(other, site.name(), "T.v1.Free");
  site.Start();
  for (int n = 0; n < 200; ++n) site.Post("full", "Full");
  for (int n = 0; n < 20; ++n) site.Post("free", "Free");
  for (int n = 0; n < 20; ++n) {
    const auto message = consumer.Get(other);
    REQUIRE(message);
    site.ledger().Arrive(message->message_id);
  }
  CHECK(site.BecomesReady());
  CHECK(Eventually([&] {
    return site.Ready().find("the broker refuses 1 routing key, ") != std::string::npos;
  }));
  CHECK_THAT(site.log(), ContainsSubstring("broker refuses a routing key"));
  REQUIRE(Eventually([&] {  // room for a few at a time
    site.Take(consumer);
    return site.ledger().distinct() == 220;
  }));
  const Balance balance = site.Finish(consumer);
  CHECK(balance.undeliverable == 0);
  CHECK(balance.overtaken == 0);
}

TEST_CASE("messages over the broker's limit are undeliverable, their neighbours arrive",
          "[broker]") {
  const auto node = RabbitmqNode::Shared();
  const AtEnd restore{[&] { node.SetMaxMessageSize(16 << 20); }};  // the default of 4.0
  node.SetMaxMessageSize(2000);
  BoundSite site(node);
  std::set<std::string> large;
  for (int n = 0; n < 100; ++n) {
    const bool fits = n != 13 && n != 14 && n != 99;
    const auto uuid = site.Post("client", "P", fits ? 10 : 3000);
    if (!fits) large.insert(uuid);
  }
  const Balance balance = site.Finish(site.consumer);
  CHECK(balance.undeliverable == large.size());
  CHECK(balance.overtaken == 0);
  for (const std::string& uuid : large) {
    CHECK_THAT(site.Get("/triggers/" + uuid),
               ContainsSubstring("\"reason\":\"refused: PRECONDITION_FAILED - message size"));
  }
}

TEST_CASE("an exchange of another type in its place is told, and waited for", "[broker]") {
  const auto node = RabbitmqNode::Shared();
  TowerSite site({node.Url()}, OwnQueue);
  TestConsumer consumer(node.Url());
  consumer.MakeExchange(site.name(), "fanout");
  consumer.Adopt("", site.name());
  site.Start();
  for (int n = 0; n < 20; ++n) site.Post();
  CHECK(site.Tells("PRECONDITION_FAILED"));
  CHECK(site.Tells("it exists with other settings: delete it"));
  consumer.DeleteExchange(site.name());
  CHECK(site.Finish(consumer).overtaken == 0);
}

}  // namespace tower
