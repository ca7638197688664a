// The publisher while the broker refuses, returns, falls silent or hangs up.

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "test/support/publisher_house.h"

namespace tower {
namespace {

using std::chrono::milliseconds;

TEST_CASE("a refused trigger is sent again with the same id, and holds no other key up",
          "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(3);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  house.broker.Refuse(2);
  house.broker.Confirm(3, true);  // 2 is none of its business any more
  REQUIRE(house.broker.AwaitPublished(4));
  house.Put(1, 3, "Q");
  REQUIRE(house.broker.AwaitPublished(5));
  const auto published = house.broker.published();
  CHECK(Numbers(house.broker) == std::vector{0, 1, 2, 1, 3});
  CHECK(published[3].trigger.uuid == uuids[1]);
  CHECK(house.Becomes(uuids[1], TriggerState::kQueued));
  house.broker.Confirm(5, true);
  REQUIRE(house.Drained());
  CHECK(house.Becomes(uuids[1], TriggerState::kPublished));
}

TEST_CASE("an unroutable trigger is listed as undeliverable and the rest goes on", "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(3);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  house.broker.Return(2);
  house.broker.Confirm(3, true);
  REQUIRE(house.Drained());
  CHECK(house.Becomes(uuids[0], TriggerState::kPublished));
  CHECK(house.Becomes(uuids[1], TriggerState::kUndeliverable, "unroutable"));
  CHECK(house.queue->Stats().undeliverable == 1);
  CHECK(house.Metric("triggers_undeliverable_total{reason=\"unroutable\"}") == 1);
  CHECK(house.Metric("triggers_published_total") == 2);
  const std::string log = house.logs.text();
  const std::string line = log.substr(log.find("trigger undeliverable"));
  for (const auto* part : {"T.v1.P", "\"source\":\"test\"", "\"exchange\":", "amqp.queue"}) {
    CHECK(line.find(part) != std::string::npos);
  }
}

TEST_CASE("after a lost connection everything unconfirmed is sent again in order", "[publisher]") {
  PublisherHouse house;
  house.Put(6);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(6));
  house.broker.Confirm(2, true);
  house.broker.Confirm(4);
  house.broker.Disconnect("gone");
  REQUIRE(house.broker.AwaitPublished(9));
  CHECK(Numbers(house.broker) == std::vector{0, 1, 2, 3, 4, 5, 2, 4, 5});
  house.broker.Confirm(3, true);
  REQUIRE(house.Drained());
  CHECK(house.Metric("broker_reconnects_total") == 1);
  CHECK(house.Metric("triggers_published_total") == 6);
}

TEST_CASE("a broker that confirms nothing any more is left, and everything is sent again",
          "[publisher]") {
  PublisherHouse house(1000, milliseconds(20));
  house.Put(3);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  REQUIRE(house.broker.AwaitPublished(6));
  house.broker.ConfirmAll(true);
  REQUIRE(house.Drained());
  CHECK(house.broker.AwaitConnects(2));
  CHECK(house.logs.text().find("the broker confirms nothing any more") != std::string::npos);
}

TEST_CASE("a broker that refuses everything on one connection may take it on the next",
          "[publisher]") {
  PublisherHouse house(1000, milliseconds(300));
  const auto uuids = house.Put(1);
  house.publisher->Start();
  for (std::size_t sent = 1; house.Metric("broker_reconnects_total") == 0; ++sent) {
    REQUIRE(house.broker.AwaitPublished(sent));
    house.broker.Refuse(sent);
  }
  house.broker.ConfirmAll(true);
  house.broker.Disconnect("a confirm may have been due already");
  REQUIRE(house.Drained());
  CHECK(house.logs.text().find("the broker has refused every message for some time") !=
        std::string::npos);
}

TEST_CASE("a broker with an alarm may take its time to confirm", "[publisher]") {
  PublisherHouse house(1000, milliseconds(2000));
  house.publisher->Start();
  house.Put(1);
  REQUIRE(house.broker.AwaitPublished(1));
  house.broker.Block("memory");
  REQUIRE(house.broker.AwaitWaits(4));  // a second each
  CHECK(house.publisher->State().blocked);
  CHECK(house.Metric("broker_reconnects_total") == 0);
  house.broker.Unblock();
  house.broker.Confirm(1);
  REQUIRE(house.Drained());
}

TEST_CASE("a refused trigger survives a lost connection", "[publisher]") {
  PublisherHouse house;
  house.Put(2);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(2));
  house.broker.ConfirmAll(true);
  house.broker.Refuse(1);
  house.broker.Disconnect("gone");
  REQUIRE(house.Drained());
}

TEST_CASE("the one trigger that closes the channel is found and given up, no other",
          "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(10);
  std::size_t sent = 0;
  const auto sends = [&](std::size_t count) {  // so many, and no more
    sent += count;
    REQUIRE(house.broker.AwaitPublished(sent));
    REQUIRE(house.broker.AwaitWaits(2));
    REQUIRE(house.broker.published().size() == sent);
  };
  const auto reset = [&] { house.broker.Reset(406, "message too large"); };
  house.publisher->Start();
  sends(10);
  reset();
  sends(5);  // half of them
  house.Put(1, 10);
  reset();
  sends(2);
  house.broker.Confirm(2, true);  // 0 and 1
  sends(4);
  reset();
  sends(2);
  reset();
  sends(1);
  house.broker.Confirm(1);  // 2
  sends(2);
  reset();
  sends(1);
  house.broker.ConfirmAll(true);
  reset();  // 3 alone
  REQUIRE(house.Drained());
  for (std::size_t n = 0; n < 10; ++n) {
    if (n != 3) CHECK(house.Becomes(uuids[n], TriggerState::kPublished));
  }
  CHECK(house.Becomes(uuids[3], TriggerState::kUndeliverable, "refused: message too large"));
  CHECK(house.Metric("triggers_undeliverable_total{reason=\"refused\"}") == 1);
  CHECK(Numbers(house.broker) == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9,  // all
                                             0, 1, 2, 3, 4, 0, 1,           // half, and half again
                                             2, 3, 4, 5, 2, 3, 2, 3, 4, 3,  // twice after confirms
                                             4, 5, 6, 7, 8, 9, 10});        // without it
}

TEST_CASE("what is refused for now does not hold up the search for a poisonous trigger",
          "[publisher]") {
  PublisherHouse house(1000, kLong, ":memory:", kLong);
  house.Put(1, 0, "Refused");
  auto uuids = house.Put(2, 1);
  uuids.insert(uuids.begin(), Uuid());
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  house.broker.Reset(406, "message too large");
  REQUIRE(house.broker.AwaitPublished(4));
  house.broker.Refuse(1);  // and it will be for a long time
  REQUIRE(house.broker.AwaitPublished(5));
  CHECK(house.broker.published()[4].trigger.uuid == uuids[1]);
  house.broker.ConfirmAll(true);
  house.broker.Confirm(2);
  REQUIRE(house.Drained());
}

TEST_CASE("several poisonous triggers among many are found one after the other", "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(300);
  house.broker.ConfirmAll(true);
  house.broker.CloseChannelOn([&](const AcceptedTrigger& trigger) {
    return trigger.uuid == uuids[5] || trigger.uuid == uuids[7] || trigger.uuid == uuids[299];
  });
  house.publisher->Start();
  REQUIRE(house.Drained());
  CHECK(house.queue->Stats().undeliverable == 3);
  CHECK(house.Becomes(uuids[7], TriggerState::kUndeliverable, "refused: poison"));
  CHECK(house.Becomes(uuids[6], TriggerState::kPublished));
  CHECK(house.Metric("triggers_published_total") == 297);
}

TEST_CASE("a channel closed for another reason blames no trigger", "[publisher]") {
  PublisherHouse house;
  house.Put(1);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(1));
  house.broker.Reset(404, "no exchange 'x'");
  REQUIRE(house.broker.AwaitConnects(2));  // which declares the exchange again
  REQUIRE(house.broker.AwaitPublished(2));
  house.broker.ConfirmAll(true);
  house.broker.Reset(404, "no exchange 'x'");
  REQUIRE(house.Drained());
  CHECK(house.queue->Stats().undeliverable == 0);
  CHECK(house.logs.text().find("no exchange 'x'") != std::string::npos);
}

TEST_CASE("nothing is published while the broker has an alarm", "[publisher]") {
  PublisherHouse house;
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  house.Put(1);
  REQUIRE(house.Drained());
  house.broker.Block("memory");
  REQUIRE(Eventually([&] { return house.publisher->State().blocked; }));
  CHECK(house.Metric("broker_blocked") == 1);
  house.Put(5, 1);
  REQUIRE(house.broker.AwaitWaits(3));
  CHECK(house.broker.published().size() == 1);
  house.broker.Unblock();
  REQUIRE(house.Drained());
  CHECK_FALSE(house.publisher->State().blocked);
  CHECK(house.Metric("broker_blocked") == 0);
}

TEST_CASE("a trigger that can't be sent at all is given up without harm to the rest",
          "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(3);
  house.broker.ConfirmAll(true);
  house.broker.OnPublish([&](const FakeBroker::Message& message) -> std::optional<Error> {
    if (message.trigger.uuid != uuids[1]) return std::nullopt;
    return Error{ErrorCode::kInvalid, "the routing key is too long"};
  });
  house.publisher->Start();
  REQUIRE(house.Drained());
  CHECK(house.Becomes(uuids[1], TriggerState::kUndeliverable,
                      "invalid: the routing key is too long"));
  CHECK(house.Becomes(uuids[2], TriggerState::kPublished));
  CHECK(house.Metric("triggers_undeliverable_total{reason=\"invalid\"}") == 1);
}

TEST_CASE("a connection that dies while publishing loses nothing", "[publisher]") {
  PublisherHouse house;
  house.Put(5);
  house.broker.ConfirmAll(true);
  house.broker.OnPublish([died = false](const FakeBroker::Message& message) mutable {
    if (message.tag != 3 || std::exchange(died, true)) return std::optional<Error>();
    return std::optional(Error{ErrorCode::kUnavailable, "broken pipe"});
  });
  house.publisher->Start();
  REQUIRE(house.Drained());
  CHECK(house.broker.AwaitConnects(2));
}

}  // namespace
}  // namespace tower
