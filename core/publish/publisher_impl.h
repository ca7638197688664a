// The publisher's inside, in two pieces: publisher.cpp connects, stops and reports;
// publisher_turn.cpp sends and hears.
#ifndef CORE_PUBLISH_PUBLISHER_IMPL_H_
#define CORE_PUBLISH_PUBLISHER_IMPL_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/base/backoff.h"
#include "core/base/log_limit.h"
#include "core/base/wakeup.h"
#include "core/publish/publish_window.h"
#include "core/publish/publisher.h"

namespace tower {

class Publisher::Impl {
 public:
  Impl(TriggerQueue& queue, std::unique_ptr<Broker> broker, const PublisherOptions& options,
       Logger log, Metrics& metrics);
  ~Impl() { Stop(std::chrono::milliseconds(0)); }

  void Start();
  void Stop(std::chrono::milliseconds grace);
  PublisherState State() const;

 private:
  void Run();
  bool LoadDeferred();
  void Connect();
  void Lost(const Error& error);
  void RetryLater(const Error& error);
  bool Done() const;

  // One round while connected: send, wait, hear, settle.
  void Turn(bool draining);
  Status Fill();
  bool HasRoom() const;
  Status CheckProgress();
  bool TakeMore();
  Status SendNext();
  Status SendDeferred();
  Status SendDeferred(const std::string& routing_key, RefusedKey& key);
  Status Send(Outgoing&& message);
  std::chrono::milliseconds WaitTime(bool draining) const;
  void Hear(BrokerEvent& event);
  void HearReset(const BrokerEvent& event);
  void Refused(Outgoing& message);
  RefusedKey* RefusedKeyOf(const AcceptedTrigger& trigger);
  void Defer(const AcceptedTrigger& trigger, RefusedKey& key);
  void Taken(const Outgoing& message);
  void SettleOutcomes();
  void ForgetRefused();
  void ShowRefused();
  void SetBlocked(bool blocked, const std::string& reason);

  void Settled(Outgoing& message);
  void Undeliverable(const Outgoing& message, Counter& counter, std::string reason);
  void SendAgain(std::vector<Outgoing> messages);
  std::size_t Window() const;
  void SetState(bool connected, std::string error);

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
  std::deque<Outgoing>
      waiting_;           // to be sent, by seq: taken from the queue, or sent in vain before
  PublishWindow window_;  // sent
  RefusedKeys refused_keys_;
  std::string routing_key_;            // of the trigger that RefusedKeyOf was asked for
  std::vector<std::string> settling_;  // refused keys with an outcome in outcomes_
  bool deferred_loaded_ = false;       // refused_keys_ has what the last process left
  bool deferred_first_ = false;        // this time; else the log
  bool refused_shown_ = true;          // State() tells of refused_keys_ as it is
  std::size_t limit_;  // most unconfirmed for now: fewer once a message closed the channel
  bool connected_ = false, blocked_ = false, was_connected_ = false;
  bool more_ = false;     // there is more to do at once
  bool drained_ = false;  // the queue had nothing
  Backoff backoff_;       // until something was confirmed
  std::chrono::steady_clock::time_point now_{}, connected_at_{}, try_at_{}, take_at_{};
  std::chrono::steady_clock::time_point
      progress_at_{},  // the last confirm, or since when one is due
      heard_at_{},     // the last answer to a message
      shown_at_{};
  std::chrono::milliseconds refused_timeout_;  // of nothing but refusals; doubles each time
  std::optional<Error> reset_;                 // the channel was closed, and no message is to blame
  std::vector<BrokerEvent> events_;
  std::vector<Outcome> outcomes_;
  LogLimit connect_log_, lost_log_, undeliverable_log_, take_log_, reset_log_, refused_log_;

  Wakeup wakeup_;
  std::stop_source connecting_;  // stopped: connect no more
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopped_{false};  // at once

  std::mutex stop_mutex_;     // one Stop at a time
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  PublisherState state_;
  bool ended_ = false;

  std::thread thread_;
};

}  // namespace tower

#endif  // CORE_PUBLISH_PUBLISHER_IMPL_H_
