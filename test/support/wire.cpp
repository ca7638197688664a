#include "test/support/wire.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "core/publish/amqp_broker.h"
#include "test/support/eventually.h"

namespace tower {

using std::chrono::milliseconds;

Wire::Wire(std::vector<PeerScript> scripts, const WireOptions& options)
    : peer_(std::move(scripts)) {
  auto opened = TriggerQueue::Open({.path = folder_ / "queue.db"}, Logger(), metrics_);
  REQUIRE(opened);
  queue_ = std::move(*opened);
  AmqpOptions amqp;
  amqp.urls = {peer_.Url()};
  amqp.heartbeat = options.heartbeat;
  amqp.timeout = options.timeout;
  publisher_ =
      std::make_unique<Publisher>(*queue_, std::make_unique<AmqpBroker>(amqp),
                                  PublisherOptions{.window = options.window,
                                                   .refused = {.pause_min = milliseconds(2),
                                                               .pause_max = milliseconds(20),
                                                               .cooldown = milliseconds(20)},
                                                   .backoff_min = milliseconds(1),
                                                   .backoff_max = milliseconds(20)},
                                  Logger(), metrics_);
}

Wire::~Wire() {
  if (publisher_) publisher_->Stop(milliseconds(0));
}

void Wire::Put(int count, std::size_t size, const std::string& source) {
  constexpr std::size_t kUuidMember = 46;  // "uuid":"…", which the queue adds
  std::vector<Trigger> batch;
  for (int n = 0; n < count; ++n) {
    std::string text = R"({"apiVersion":"T/v1","protocol":"P","spec":{"pad":""}})";
    if (size > text.size() + kUuidMember) {
      text.insert(text.size() - 3, size - text.size() - kUuidMember, 'x');
    }
    auto trigger = Trigger::Parse(text);
    REQUIRE(trigger);
    batch.push_back(std::move(*trigger));
  }
  const auto receipt = queue_->Put(batch, {.source = source, .key = {}, .fingerprint = {}});
  REQUIRE(receipt);
  for (const Uuid& uuid : receipt->uuids) {
    uuids_.push_back(uuid);
    delivered_.Accept(source, uuid.ToString());
    sent_.Accept(source, uuid.ToString());
  }
}

bool Wire::Settled() const {
  return std::all_of(uuids_.begin(), uuids_.end(), [&](const Uuid& uuid) {
    const auto record = queue_->Find(uuid);
    return record && record->state != TriggerState::kQueued;
  });
}

std::string Wire::Reason(const Uuid& uuid) const {
  const auto record = queue_->Find(uuid);
  return record ? record->reason : record.error().message;
}

Balance Wire::Finish() {
  const bool drained = Eventually([&] { return queue_->Stats().depth == 0; });
  INFO(logs_.text());
  REQUIRE(drained);
  REQUIRE(Eventually([&] { return Settled(); }));
  for (const PeerMessage& message : peer_.messages()) {
    sent_.Arrive(message.message_id);
    if (message.stored) delivered_.Arrive(message.message_id);
  }
  const Balance balance = delivered_.Strike([&](const std::string& uuid) {
    const auto record = queue_->Find(*Uuid::Parse(uuid));
    return record && record->state == TriggerState::kUndeliverable;
  });
  RequireNothingLost(balance);
  CHECK(peer_.faults() == std::vector<std::string>{});
  CHECK(sent_.Strike([](const std::string&) { return false; }).overtaken == 0);
  return balance;
}

}  // namespace tower
