// The publisher: takes from the queue, publishes to the broker, settles what was confirmed. One
// thread, one connection.
#ifndef CORE_PUBLISH_PUBLISHER_H_
#define CORE_PUBLISH_PUBLISHER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/publish/broker.h"
#include "core/publish/refused_keys.h"
#include "core/queue/queue.h"

namespace tower {

struct PublisherOptions {
  std::int64_t window = 1000;  // most unconfirmed messages
  // How long nothing may be confirmed, whether refused or not heard of, before the connection is
  // given up and everything sent again on another: a channel of RabbitMQ that met a quorum queue
  // without a leader can refuse all from then on, or forget it.
  std::chrono::milliseconds confirm_timeout{60'000};
  RefusedKeyLimits refused;  // `in_flight` is at most half of `window` as well
  std::string exchange;      // for the log
  std::chrono::milliseconds backoff_min{250};
  std::chrono::milliseconds backoff_max{15'000};
};

struct PublisherState {
  bool connected = false;
  bool blocked = false;    // by an alarm of the broker
  std::string address;     // without credentials
  std::string last_error;  // why it is not connected; empty when it is

  // A routing key that the broker refuses for now (basic.nack).
  struct Refused {
    std::string routing_key;
    std::int64_t waiting = 0;  // triggers
    std::chrono::sys_time<std::chrono::milliseconds> since{};
  };
  std::vector<Refused> refused;       // the first kMostListed, those with most triggers first
  std::size_t refused_keys = 0;       // all of them
  std::int64_t refused_triggers = 0;  // that wait for them
  static constexpr std::size_t kMostListed = 20;
};

class Publisher {
 public:
  // `queue` and `metrics` outlive the publisher.
  Publisher(TriggerQueue& queue, std::unique_ptr<Broker> broker, const PublisherOptions& options,
            Logger log, Metrics& metrics);
  // Stops at once, if Stop was not called.
  ~Publisher();

  // Starts the thread. It connects, and connects again with backoff and jitter, for ever.
  void Start();

  // Publishes what is queued until nothing is left or `grace` is over, whichever is first, then
  // ends the thread; the rest stays on disk. Without a connection there is nothing to wait for.
  // Thread-safe.
  void Stop(std::chrono::milliseconds grace);

  // Thread-safe.
  PublisherState State() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tower

#endif  // CORE_PUBLISH_PUBLISHER_H_
