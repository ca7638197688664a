// Routing keys that the broker refuses: what waits, what goes on, and in which order.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "core/publish/refused_keys.h"
#include "test/support/publisher_house.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using Time = RefusedKey::Time;

// The numbers that were published of one protocol, in order, repeats included.
std::vector<int> NumbersOf(const FakeBroker& broker, const std::string& protocol) {
  std::vector<int> numbers;
  for (const auto& message : broker.published()) {
    if (message.trigger.protocol != protocol) continue;
    const auto& body = message.trigger.body;
    numbers.push_back(std::stoi(body.substr(body.find("\"n\":") + 4)));
  }
  return numbers;
}

// The last place of each number, so that what was sent in vain before does not count.
std::vector<int> OrderOfLast(std::vector<int> numbers) {
  std::reverse(numbers.begin(), numbers.end());
  std::set<int> seen;
  std::vector<int> order;
  for (const int n : numbers) {
    if (seen.insert(n).second) order.push_back(n);
  }
  std::reverse(order.begin(), order.end());
  return order;
}

TEST_CASE("what follows a refused trigger of its routing key waits behind it", "[publisher]") {
  PublisherHouse house;
  house.broker.RefuseProtocols({"P"});
  house.publisher->Start();
  house.Put(5);
  REQUIRE(house.broker.AwaitPublished(5));
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 5; }));
  house.Put(5, 5);
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 10; }));
  CHECK(house.queue->Stats().depth == 10);
  CHECK(house.queue->OldestAge().count() >= 0);
  house.broker.RefuseProtocols({});
  REQUIRE(house.Drained());
  CHECK(OrderOfLast(NumbersOf(house.broker, "P")) == From(0, 10));
  CHECK(house.queue->Stats().deferred == 0);
}

TEST_CASE("a routing key that is refused holds up no other, however much waits for it",
          "[publisher]") {
  PublisherHouse house(100);
  house.broker.RefuseProtocols({"Full"});
  house.publisher->Start();
  house.Put(3000, 0, "Full");
  house.Put(100, 0, "Free");
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 3000; }));
  REQUIRE(Eventually([&] { return house.queue->Stats().depth == 3000; }));
  CHECK(NumbersOf(house.broker, "Free") == From(0, 100));
  CHECK(house.broker.most_unconfirmed() <= 100);

  REQUIRE(Eventually([&] { return house.publisher->State().refused_triggers == 3000; }));
  const auto state = house.publisher->State();
  CHECK(state.connected);
  REQUIRE(state.refused.size() == 1);
  CHECK(state.refused[0].routing_key == "T.v1.Full");
  CHECK(state.refused[0].waiting == 3000);
  CHECK(house.Metric("broker_refused_total") >= 1);
  CHECK(house.Metric("queue_deferred") == 3000);
  const auto log = house.logs.text();
  const auto at = log.find("broker refuses a routing key");
  REQUIRE(at != std::string::npos);
  CHECK(log.find("T.v1.Full", at) != std::string::npos);
  CHECK(log.find("broker refuses a routing key", at + 1) == std::string::npos);  // once a key

  house.broker.RefuseProtocols({});
  REQUIRE(house.Drained());
  CHECK(OrderOfLast(NumbersOf(house.broker, "Full")) == From(0, 3000));
  REQUIRE(Eventually([&] { return house.publisher->State().refused_keys == 0; }));
  CHECK(Eventually([&] {
    return house.logs.text().find("broker accepts the routing key again") != std::string::npos;
  }));
  house.Put(1, 3000, "Full");
  REQUIRE(house.Drained());
}

TEST_CASE("a refused key is tried with one message at a time until it is calm", "[publisher]") {
  PublisherHouse house(100, kLong, ":memory:", kLong);
  house.broker.RefuseProtocols({"P"});
  house.publisher->Start();
  house.Put(50);
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 50; }));
  house.broker.ConfirmAll(false);
  for (int n = 0; n < 50; ++n) {
    REQUIRE(Eventually([&] { return house.broker.unconfirmed() == 1; }));
    REQUIRE(house.broker.AwaitWaits(1));
    REQUIRE(house.broker.unconfirmed() == 1);
    house.broker.Confirm(house.broker.published().back().tag);
    REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 49 - n; }));
  }
  REQUIRE(house.Drained());
  CHECK(OrderOfLast(Numbers(house.broker)) == From(0, 50));
}

TEST_CASE("deferred triggers keep their order through a restart", "[publisher]") {
  const TempDir folder;
  const std::string path = folder / "queue.db";
  std::vector<Uuid> uuids;
  {
    PublisherHouse house(100, kLong, path);
    house.broker.RefuseProtocols({"P"});
    house.publisher->Start();
    uuids = house.Put(300);
    house.Put(1, 0, "Free");
    REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 300; }));
    house.publisher->Stop(milliseconds(0));
    CHECK(house.Becomes(uuids[7], TriggerState::kQueued));
  }
  PublisherHouse house(100, kLong, path);
  CHECK(house.queue->Stats().deferred == 300);
  CHECK(house.queue->Stats().depth == 300);
  house.broker.ConfirmAll(true);
  house.Put(10, 300);  // of the same key: behind those
  house.publisher->Start();
  REQUIRE(house.Drained());
  CHECK(OrderOfLast(NumbersOf(house.broker, "P")) == From(0, 310));
  CHECK(NumbersOf(house.broker, "P").size() == 310);
  CHECK(NumbersOf(house.broker, "Free").empty());
  CHECK(house.Becomes(uuids[7], TriggerState::kPublished));
}

TEST_CASE("deferred triggers stay in order through lost connections and closed channels",
          "[publisher]") {
  PublisherHouse house(20);
  house.broker.RefuseProtocols({"P"});
  house.publisher->Start();
  house.Put(200);
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 200; }));
  house.broker.Disconnect("gone");
  house.broker.CloseChannelOn([](const AcceptedTrigger& trigger) {
    return trigger.body.find("\"n\":77}") != std::string::npos;
  });
  house.broker.RefuseProtocols({});
  REQUIRE(house.Drained());
  CHECK(house.queue->Stats().undeliverable == 1);
  auto expected = From(0, 200);
  expected.erase(expected.begin() + 77);
  auto order = OrderOfLast(NumbersOf(house.broker, "P"));
  std::erase(order, 77);
  CHECK(order == expected);
}

TEST_CASE("a stop does not wait for routing keys that are refused", "[publisher]") {
  PublisherHouse house;
  house.broker.RefuseProtocols({"P"});
  house.publisher->Start();
  house.Put(3);
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 3; }));
  const auto began = std::chrono::steady_clock::now();
  house.publisher->Stop(kLong);
  CHECK(std::chrono::steady_clock::now() - began < kLong / 2);
  CHECK(house.queue->Stats().depth == 3);
}

TEST_CASE("a trigger that is delivered again and refused waits with its routing key",
          "[publisher]") {
  PublisherHouse house;
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  const auto uuids = house.Put(2);
  REQUIRE(house.Drained());
  REQUIRE(house.Becomes(uuids[0], TriggerState::kPublished));
  house.broker.RefuseProtocols({"P"});
  house.queue->Redeliver(uuids[0], [](const Result<std::int64_t>&) {});
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 1; }));
  CHECK(house.queue->Stats().depth == 1);
  CHECK(house.Becomes(uuids[0], TriggerState::kQueued));
  house.broker.RefuseProtocols({});
  REQUIRE(house.Drained());
  CHECK(house.Becomes(uuids[0], TriggerState::kPublished));
}

TEST_CASE("a trigger that is delivered again joins a routing key that is being caught up",
          "[publisher]") {
  PublisherHouse house(100, kLong, ":memory:", kLong);
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  const auto old = house.Put(1).front();
  REQUIRE(house.Becomes(old, TriggerState::kPublished));
  house.broker.RefuseProtocols({"P"});
  house.Put(10, 1);
  REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 10; }));
  house.broker.ConfirmAll(false);
  for (int n = 0; n < 10; ++n) {
    if (n == 5) {  // it stands before all of those that were read
      house.queue->Redeliver(old, [](const Result<std::int64_t>&) {});
      REQUIRE(Eventually([&] { return house.queue->Stats().deferred == 6; }));
    }
    REQUIRE(Eventually([&] { return house.broker.unconfirmed() == 1; }));
    house.broker.Confirm(house.broker.published().back().tag);
    REQUIRE(Eventually([&] { return house.queue->Stats().deferred == (n < 5 ? 9 : 10) - n; }));
  }
  house.broker.ConfirmAll(true);
  REQUIRE(Eventually([&] { return house.broker.unconfirmed() <= 1; }));
  if (house.broker.unconfirmed() == 1) house.broker.Confirm(house.broker.published().back().tag);
  REQUIRE(house.Drained());
}

TEST_CASE("pauses between tries double, once for what was on its way together",
          "[publisher][refused-keys]") {
  RefusedKeys keys({.pause_min = milliseconds(100), .pause_max = milliseconds(300)});
  const Time start{std::chrono::hours(1)};
  auto& key = keys.Add("a", start);
  key.in_flight = 3;
  keys.Defer(key, 3, start);
  keys.OnRefused(key, start);
  keys.OnRefused(key, start + milliseconds(1));
  keys.OnRefused(key, start + milliseconds(2));
  CHECK(key.in_flight == 0);
  CHECK(keys.due() == start);
  int looks = 0;
  const auto look = [&](Time now) {
    keys.ForEachDue(now, [&](const std::string&, RefusedKey& found) {
      ++looks;
      found.rewind = false;
      found.in_flight = 1;
      found.due = Time::max();
    });
  };
  look(start + milliseconds(99));
  CHECK(looks == 0);
  CHECK(keys.due() == start + milliseconds(100));
  look(start + milliseconds(100));
  CHECK(looks == 1);
  keys.OnRefused(key, start + milliseconds(110));
  CHECK(key.due == start + milliseconds(310));
  look(start + milliseconds(310));
  keys.OnRefused(key, start + milliseconds(310));
  CHECK(key.due == start + milliseconds(610));  // pause_max
}

TEST_CASE("a refused key is forgotten when nothing of it waits and it has been calm",
          "[publisher][refused-keys]") {
  RefusedKeys keys({.cooldown = milliseconds(1000), .in_flight = 3});
  const Time start{std::chrono::hours(1)};
  auto& key = keys.Add("a", start);
  key.in_flight = 1;
  keys.Defer(key, 1, start);
  keys.OnRefused(key, start);
  key.in_flight = 1;
  keys.OnSettled(key, start + milliseconds(10));
  CHECK(key.limit == 1);
  keys.EndDeferred(key);
  const auto look = [&](Time now) {
    std::size_t forgotten = 0;
    keys.ForgetIdle(now, [&](const std::string&, const RefusedKey&) { ++forgotten; });
    keys.ForEachDue(now, [](const std::string&, RefusedKey&) {});
    return forgotten;
  };
  CHECK(look(start + milliseconds(999)) == 0);
  CHECK(keys.due() == start + milliseconds(1000));
  for (int n = 0; n < 5; ++n) keys.OnSettled(key, start + milliseconds(1000));
  CHECK(key.limit == 3);
  CHECK(look(start + milliseconds(1000)) == 1);
  CHECK(keys.empty());
}

}  // namespace
}  // namespace tower
