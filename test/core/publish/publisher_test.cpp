#include "core/publish/publisher.h"

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

TEST_CASE("what is queued is published in order and settled once confirmed", "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(50);
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  REQUIRE(house.Drained());
  CHECK(Numbers(house.broker) == From(0, 50));
  CHECK(house.Becomes(uuids[49], TriggerState::kPublished));
  CHECK(house.Metric("triggers_published_total") == 50);
  CHECK(house.Metric("broker_connected") == 1);
  CHECK(house.Metric("publish_confirm_seconds_count") == 50);
}

TEST_CASE("a trigger that is put while the publisher is idle is published at once", "[publisher]") {
  PublisherHouse house;
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  for (int n = 0; n < 20; ++n) {
    REQUIRE(house.broker.AwaitWaits(1));
    house.Put(1, n);
    REQUIRE(house.broker.AwaitPublished(static_cast<std::size_t>(n) + 1));
  }
  REQUIRE(house.Drained());
}

TEST_CASE("no more than the window is ever unconfirmed", "[publisher]") {
  PublisherHouse house(8);
  house.Put(40);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(8));
  for (std::uint64_t tag = 1; tag <= 40; ++tag) {
    REQUIRE(house.broker.AwaitPublished(tag));
    house.broker.Confirm(tag);
  }
  REQUIRE(house.Drained());
  CHECK(house.broker.most_unconfirmed() == 8);
  CHECK(Numbers(house.broker) == From(0, 40));
}

TEST_CASE("each confirm is logged at level debug", "[publisher]") {
  PublisherHouse house;
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  house.Put(1);
  REQUIRE(house.Drained());
  CHECK(house.logs.text().find("\"published\"") == std::string::npos);
  SetLogLevel(LogLevel::kDebug);
  const auto uuid = house.Put(1).front();
  const bool drained = house.Drained();
  SetLogLevel(LogLevel::kInfo);
  REQUIRE(drained);
  const std::string log = house.logs.text();
  const auto at = log.find("\"published\"");
  REQUIRE(at != std::string::npos);
  CHECK(log.find(uuid.ToString(), at) != std::string::npos);
  CHECK(log.find("T.v1.P", at) != std::string::npos);
}

TEST_CASE("a trigger is not settled before its confirm", "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(3);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  house.broker.Confirm(1);
  REQUIRE(Eventually([&] { return house.queue->Stats().depth == 2; }));
  REQUIRE(house.broker.AwaitWaits(2));
  CHECK(house.queue->Stats().depth == 2);
  CHECK(house.Becomes(uuids[1], TriggerState::kQueued));
}

TEST_CASE("confirms may come out of order and for several at once", "[publisher]") {
  PublisherHouse house;
  house.Put(10);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(10));
  house.broker.Confirm(7);
  house.broker.Confirm(3);
  house.broker.Confirm(5, true);
  house.broker.Confirm(5, true);  // nothing new
  house.broker.Confirm(99);       // never sent
  house.broker.Confirm(10, true);
  REQUIRE(house.Drained());
  CHECK(house.Metric("triggers_published_total") == 10);
}

TEST_CASE("the publisher connects again for ever and says why it is not connected", "[publisher]") {
  PublisherHouse house;
  house.broker.FailConnects(Error{ErrorCode::kUnavailable, "connection refused"});
  house.publisher->Start();
  REQUIRE(house.broker.AwaitConnects(5));
  REQUIRE(Eventually([&] { return house.publisher->State().last_error == "connection refused"; }));
  CHECK_FALSE(house.publisher->State().connected);
  house.broker.FailConnects(Error{ErrorCode::kPermanent, "wrong password"});
  REQUIRE(Eventually([&] { return house.publisher->State().last_error == "wrong password"; }));
  house.broker.FailConnects(std::nullopt);
  house.broker.ConfirmAll(true);
  house.Put(1);
  REQUIRE(house.Drained());
  CHECK(house.publisher->State().connected);
  CHECK(house.publisher->State().last_error.empty());
  CHECK(house.publisher->State().address == "fake");
  const std::string log = house.logs.text();
  CHECK(log.find("connection refused") == log.rfind("connection refused"));  // once, not each time
}

TEST_CASE("a stop publishes what is left, then closes the connection", "[publisher]") {
  PublisherHouse house;
  house.broker.ConfirmAll(true);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitWaits(1));
  house.Put(5000);
  house.publisher->Stop(kLong);
  CHECK(house.broker.published().size() == 5000);
  CHECK(house.broker.closed());
  CHECK_FALSE(house.publisher->State().connected);
  house.publisher->Stop(kLong);  // again: nothing to do
}

TEST_CASE("a stop waits for confirms, and no longer than its grace", "[publisher]") {
  PublisherHouse house;
  const auto uuids = house.Put(4);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(4));
  house.broker.Confirm(2, true);
  house.publisher->Stop(milliseconds(50));
  house.broker.Confirm(4, true);  // too late
  REQUIRE(Eventually([&] { return house.queue->Stats().depth == 2; }));
  CHECK(house.Becomes(uuids[1], TriggerState::kPublished));
  CHECK(house.Becomes(uuids[3], TriggerState::kQueued));
}

TEST_CASE("a stop without a connection waits for nothing", "[publisher]") {
  PublisherHouse house;
  house.Put(1);
  house.broker.FailConnects(Error{ErrorCode::kUnavailable, "connection refused"});
  house.publisher->Start();
  REQUIRE(house.broker.AwaitConnects(1));
  house.publisher->Stop(std::chrono::hours(1));
  CHECK(house.queue->Stats().depth == 1);
}

TEST_CASE("a publisher that was never started can be stopped", "[publisher]") {
  PublisherHouse house;
  house.publisher->Stop(kLong);
  house.publisher->Start();  // too late
  house.Put(1);
  CHECK(house.broker.published().empty());
}

}  // namespace
}  // namespace tower
