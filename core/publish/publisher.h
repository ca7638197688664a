// The publisher: takes triggers from the queue, publishes them to the broker, and settles each one
// once the broker has confirmed it. One thread, one connection.
#ifndef CORE_PUBLISH_PUBLISHER_H_
#define CORE_PUBLISH_PUBLISHER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/base/backoff.h"
#include "core/base/log.h"
#include "core/base/log_limit.h"
#include "core/base/metrics.h"
#include "core/base/wakeup.h"
#include "core/publish/broker.h"
#include "core/publish/outbox.h"
#include "core/publish/refused_keys.h"
#include "core/queue/queue.h"

namespace tower {

struct PublisherOptions {
  std::int64_t window = 1000;  // maximum unconfirmed messages
  // How long the broker may confirm nothing, whether it refuses or is silent, before the connection
  // is closed and everything is sent again on another: a channel of RabbitMQ that met a quorum
  // queue without a leader can refuse or ignore everything from then on.
  std::chrono::milliseconds confirm_timeout{60'000};
  RefusedKeyLimits refused;  // `in_flight` is at most half of `window`
  std::string exchange;      // for the log
  std::chrono::milliseconds backoff_min{250};
  std::chrono::milliseconds backoff_max{15'000};
};

struct PublisherState {
  bool connected = false;
  bool blocked = false;    // by an alarm of the broker
  std::string address;     // without credentials
  std::string last_error;  // why it is not connected; empty while it is

  // A routing key that the broker refuses for now (basic.nack).
  struct Refused {
    std::string routing_key;
    std::int64_t waiting = 0;  // triggers
    std::chrono::sys_time<std::chrono::milliseconds> since{};
  };
  std::vector<Refused> refused;       // the kMostListed keys with the most triggers
  std::size_t refused_keys = 0;       // all of them
  std::int64_t refused_triggers = 0;  // that wait for them
  static constexpr std::size_t kMostListed = 20;
};

class Publisher {
 public:
  // `queue` and `metrics` outlive the publisher.
  Publisher(TriggerQueue& queue, std::unique_ptr<Broker> broker, const PublisherOptions& options,
            Logger log, Metrics& metrics);
  // Stops at once, unless Stop was called.
  ~Publisher();

  // Starts the thread. It connects, and connects again with backoff and jitter, for ever.
  void Start();

  // Publishes what is queued until nothing is left or `grace` is over, whichever is first, then
  // ends the thread; the rest stays on disk. Without a connection it waits for nothing.
  // Thread-safe.
  void Stop(std::chrono::milliseconds grace);

  // Thread-safe.
  PublisherState State() const;

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Run();
  bool Done() const;

  // The connection.
  void Connect();
  void OnConnectionLost(const Error& error);
  void RetryLater(const Error& error);
  void SetState(bool connected, std::string error);
  void SetBlocked(bool blocked, const std::string& reason);

  // One round while connected: sends, waits for the broker or the queue, handles what the broker
  // answered, settles.
  void PublishRound(bool draining);
  Status SendPending();
  bool TakeMore();
  bool LoadDeferred();
  void ReportQueueError(const Error& error);
  Status SendNext();
  Status SendDeferred();
  Status SendDeferred(const std::string& routing_key, RefusedKey& key);
  Status Send(Outgoing&& message);
  std::chrono::milliseconds WaitTime(bool draining) const;
  Status CheckProgress();
  void SettleOutcomes();

  void OnBrokerEvent(const BrokerEvent& event);
  void OnConfirmed(const Outgoing& message);
  void OnChannelClosed(const BrokerEvent& event);
  void GiveUp(const Outgoing& message, Counter& counter, std::string reason);
  void ReportUndeliverable(const Outgoing& message, Counter& counter, const std::string& reason);
  void ReportRefusedKeys();

  // Constant after construction.
  TriggerQueue& queue_;
  const PublisherOptions options_;
  const Logger log_;
  Counter& published_;
  Counter& unroutable_;
  Counter& refused_;
  Counter& invalid_;
  Counter& nacks_;
  Histogram& confirm_seconds_;
  Gauge& connected_gauge_;
  Gauge& blocked_gauge_;
  Counter& reconnects_;
  const std::unique_ptr<Broker> broker_;  // Interrupt from any thread, the rest from thread_

  // Used only by thread_.
  Outbox outbox_;
  bool deferred_loaded_ = false;        // outbox_ has what the last process left
  bool deferred_first_ = false;         // in this round deferred triggers are sent before the log
  std::uint64_t reported_changes_ = 0;  // the RefusedKeys::changes that State() tells of
  bool connected_ = false, blocked_ = false, was_connected_ = false;
  bool more_ = false;     // there is more to send at once
  bool drained_ = false;  // the queue had nothing
  Backoff backoff_;       // until something is confirmed
  Time now_{}, connected_at_{}, connect_at_{}, take_at_{}, reported_at_{};
  std::optional<Error> reset_;  // the channel was closed, and no message is to blame
  std::vector<BrokerEvent> events_;
  LogLimit connect_log_, lost_log_, undeliverable_log_, take_log_, reset_log_, refused_log_;

  Wakeup wakeup_;
  std::stop_source connecting_;  // stopped: no more connecting
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopped_{false};  // at once

  std::mutex stop_mutex_;  // one Stop at a time

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::condition_variable_any changed_;
  PublisherState state_;
  bool ended_ = false;

  std::thread thread_;
};

}  // namespace tower

#endif  // CORE_PUBLISH_PUBLISHER_H_
