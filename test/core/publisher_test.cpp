#include "core/publisher.h"

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "test/support/eventually.h"
#include "test/support/fake_broker.h"

namespace tower {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{60'000};

Trigger Numbered(int n) {
  auto trigger = Trigger::Parse(R"({"apiVersion":"T/v1","protocol":"P","spec":{"n":)" +
                                std::to_string(n) + "}}");
  REQUIRE(trigger);
  return *trigger;
}

// A queue in memory, a fake broker and a publisher between them. Backoffs are short.
struct House {
  explicit House(std::int64_t window = 1000, milliseconds confirm_timeout = kLong) {
    auto opened = TriggerQueue::Open({.path = ":memory:"}, Logger(), metrics);
    REQUIRE(opened);
    queue = std::move(*opened);
    const PublisherOptions options{.window = window,
                                   .confirm_timeout = confirm_timeout,
                                   .backoff_min = milliseconds(1),
                                   .backoff_max = milliseconds(5)};
    publisher = std::make_unique<Publisher>(*queue, broker.Seam(), options, Logger(), metrics);
  }

  // Triggers whose spec counts from `first`.
  std::vector<Uuid> Put(int count, int first = 0) {
    std::vector<Trigger> batch;
    for (int n = first; n < first + count; ++n) batch.push_back(Numbered(n));
    auto receipt = queue->Put(batch, {.source = "test", .key = {}, .fingerprint = {}});
    REQUIRE(receipt);
    return receipt->uuids;
  }

  bool Drained() {
    return Eventually([&] { return queue->Stats().depth == 0; });
  }

  // What was settled is on disk a moment later.
  bool Becomes(const Uuid& uuid, TriggerState state, const std::string& reason = {}) {
    return Eventually([&] {
      auto record = queue->Find(uuid);
      return record && record->state == state && record->reason == reason;
    });
  }

  double Metric(const std::string& line) {
    const std::string text = metrics.Render();
    const std::size_t at = text.find("\ncontrol_tower_" + line + " ");
    REQUIRE(at != std::string::npos);
    return std::stod(text.substr(at + 15 + line.size() + 1));
  }

  CapturedLogs logs;
  Metrics metrics;
  std::unique_ptr<TriggerQueue> queue;
  FakeBroker broker;
  std::unique_ptr<Publisher> publisher;
};

// The numbers in the specs of what was published, in order.
std::vector<int> Numbers(const FakeBroker& broker) {
  std::vector<int> numbers;
  for (const std::string& body : broker.bodies()) {
    numbers.push_back(std::stoi(body.substr(body.find("\"n\":") + 4)));
  }
  return numbers;
}

std::vector<int> From(int first, int count) {
  std::vector<int> numbers;
  for (int n = first; n < first + count; ++n) numbers.push_back(n);
  return numbers;
}

TEST_CASE("what is queued is published in order and settled once confirmed", "[publisher]") {
  House house;
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
  House house;
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
  House house(8);
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

TEST_CASE("a trigger is not settled before its confirm", "[publisher]") {
  House house;
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
  House house;
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

TEST_CASE("a refused trigger is sent again with the same id, and holds nothing up", "[publisher]") {
  House house;
  const auto uuids = house.Put(3);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  house.broker.Refuse(2);
  house.broker.Confirm(3, true);  // 2 is none of its business any more
  house.Put(1, 3);
  REQUIRE(house.broker.AwaitPublished(5));
  const auto published = house.broker.published();
  CHECK(Numbers(house.broker) == std::vector{0, 1, 2, 3, 1});
  CHECK(published[4].trigger.uuid == uuids[1]);
  CHECK(house.Becomes(uuids[1], TriggerState::kQueued));
  house.broker.Confirm(5, true);
  REQUIRE(house.Drained());
  CHECK(house.Becomes(uuids[1], TriggerState::kPublished));
}

TEST_CASE("an unroutable trigger is listed as undeliverable and the rest goes on", "[publisher]") {
  House house;
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
}

TEST_CASE("after a lost connection everything unconfirmed is sent again in order", "[publisher]") {
  House house;
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
  House house(1000, milliseconds(20));
  house.Put(3);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(3));
  REQUIRE(house.broker.AwaitPublished(6));
  house.broker.ConfirmAll(true);
  REQUIRE(house.Drained());
  CHECK(house.broker.AwaitConnects(2));
  CHECK(house.logs.text().find("the broker confirms nothing any more") != std::string::npos);
}

TEST_CASE("a broker with an alarm may take its time to confirm", "[publisher]") {
  House house(1000, milliseconds(2000));
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
  House house;
  house.Put(2);
  house.publisher->Start();
  REQUIRE(house.broker.AwaitPublished(2));
  house.broker.ConfirmAll(true);
  house.broker.Refuse(1);
  house.broker.Disconnect("gone");
  REQUIRE(house.Drained());
}

TEST_CASE("the publisher connects again for ever and says why it is not connected", "[publisher]") {
  House house;
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

TEST_CASE("the one trigger that closes the channel is found and given up, no other",
          "[publisher]") {
  House house;
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
  House house;
  const auto uuids = house.Put(3);
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
  House house;
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
  House house;
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
  House house;
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
  House house;
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
  House house;
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

TEST_CASE("a stop publishes what is left, then closes the connection", "[publisher]") {
  House house;
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
  House house;
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
  House house;
  house.Put(1);
  house.broker.FailConnects(Error{ErrorCode::kUnavailable, "connection refused"});
  house.publisher->Start();
  REQUIRE(house.broker.AwaitConnects(1));
  house.publisher->Stop(std::chrono::hours(1));
  CHECK(house.queue->Stats().depth == 1);
}

TEST_CASE("a publisher that was never started can be stopped", "[publisher]") {
  House house;
  house.publisher->Stop(kLong);
  house.publisher->Start();  // too late
  house.Put(1);
  CHECK(house.broker.published().empty());
}

}  // namespace
}  // namespace tower
