// A publisher between a queue in memory and a fake broker, for its tests.
#ifndef TEST_SUPPORT_PUBLISHER_HOUSE_H_
#define TEST_SUPPORT_PUBLISHER_HOUSE_H_

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "test/support/eventually.h"
#include "test/support/fake_broker.h"

namespace tower {

inline constexpr std::chrono::milliseconds kLong{60'000};

inline Trigger Numbered(int n, const std::string& protocol = "P") {
  auto trigger = Trigger::Parse(R"({"apiVersion":"T/v1","protocol":")" + protocol +
                                R"(","spec":{"n":)" + std::to_string(n) + "}}");
  REQUIRE(trigger);
  return *trigger;
}

// A queue, a fake broker and a publisher between them. Backoffs are short.
struct PublisherHouse {
  explicit PublisherHouse(std::int64_t window = 1000,
                          std::chrono::milliseconds confirm_timeout = kLong,
                          const std::string& path = ":memory:",
                          std::chrono::milliseconds cooldown = std::chrono::milliseconds(20)) {
    auto opened = TriggerQueue::Open({.path = path}, Logger(), metrics);
    REQUIRE(opened);
    queue = std::move(*opened);
    const PublisherOptions options{.window = window,
                                   .confirm_timeout = confirm_timeout,
                                   .refused = {.pause_min = std::chrono::milliseconds(2),
                                               .pause_max = std::chrono::milliseconds(20),
                                               .cooldown = cooldown},
                                   .backoff_min = std::chrono::milliseconds(1),
                                   .backoff_max = std::chrono::milliseconds(5)};
    publisher = std::make_unique<Publisher>(*queue, broker.Seam(), options, Logger(), metrics);
  }

  // Triggers whose spec counts from `first`. Their routing keys are T.v1. and the protocol.
  std::vector<Uuid> Put(int count, int first = 0, const std::string& protocol = "P") {
    std::vector<Trigger> batch;
    for (int n = first; n < first + count; ++n) batch.push_back(Numbered(n, protocol));
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
inline std::vector<int> Numbers(const FakeBroker& broker) {
  std::vector<int> numbers;
  for (const std::string& body : broker.bodies()) {
    numbers.push_back(std::stoi(body.substr(body.find("\"n\":") + 4)));
  }
  return numbers;
}

inline std::vector<int> From(int first, int count) {
  std::vector<int> numbers;
  for (int n = first; n < first + count; ++n) numbers.push_back(n);
  return numbers;
}

}  // namespace tower

#endif  // TEST_SUPPORT_PUBLISHER_HOUSE_H_
