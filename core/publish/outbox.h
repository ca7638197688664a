// The state of publishing: which messages wait to be sent, which are unconfirmed, which routing
// keys the broker refuses, and what became of each trigger. It decides what is sent next and in
// which order. A state machine without thread, clock, log, metrics or I/O: the publisher passes in
// triggers, the broker's events and the time, sends what the outbox names, and hands the outcomes
// to the queue.
#ifndef CORE_PUBLISH_OUTBOX_H_
#define CORE_PUBLISH_OUTBOX_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/publish/publish_window.h"
#include "core/publish/refused_keys.h"
#include "core/queue/queue.h"
#include "core/trigger/trigger.h"

namespace tower {

struct OutboxOptions {
  std::int64_t window = 1000;                         // maximum unconfirmed messages; at least 1
  std::chrono::milliseconds confirm_timeout{60'000};  // see CheckProgress
  RefusedKeyLimits refused;                           // `in_flight` is at most half of `window`
};

// Not thread-safe. `now` never decreases from call to call.
class Outbox {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // A message that was settled. Must not call the outbox.
  using MessageSettled = std::function<void(const Outgoing&)>;
  // A routing key that is refused from now on. Must not call the outbox.
  using KeyRefused = std::function<void(const std::string& routing_key)>;

  explicit Outbox(const OutboxOptions& options);

  // --- Messages from the log of the queue ---

  // Triggers are sent in the order of these calls; those that are sent again, in the order of
  // their sequence numbers.
  void Push(AcceptedTrigger&& trigger) { waiting_.push_back({.trigger = std::move(trigger)}); }
  bool has_waiting() const noexcept { return !waiting_.empty(); }
  // The next message to send. REQUIRES: has_waiting().
  Outgoing& Next() noexcept { return waiting_.front(); }
  // Defers the next message if its routing key is refused, so that it is not to be sent. Returns
  // whether it did. REQUIRES: has_waiting().
  bool DeferNext(Time now);
  // Removes the next message. REQUIRES: it was passed to OnSent or GiveUp.
  void PopNext() { waiting_.pop_front(); }

  // --- Sending ---

  // Whether one more message may be sent.
  bool HasRoom() const noexcept {
    if (window_.size() >= limit_) return false;
    return window_.size() == 0 || window_.bytes() < kMaxUnconfirmedBytes;
  }
  // Whether it is time to send more messages from the log. A window that is three quarters full
  // keeps the broker busy, and filling it in large pieces costs less than one message at a time.
  bool NeedsRefill() const noexcept { return window_.size() <= limit_ - limit_ / 4; }
  // The broker has been sent `message` with this tag, which is one above the last, or any after the
  // window was emptied (OnConnectionLost, OnChannelClosed).
  void OnSent(std::uint64_t tag, Outgoing&& message, Time now);
  // Settles a message that can never be published as undeliverable.
  void GiveUp(const Outgoing& message, std::string reason, Time now);

  // --- Events of the broker ---

  // The confirm timeout starts: the connection is new, or the broker takes messages again after an
  // alarm.
  void StartTimeouts(Time now) noexcept { progress_at_ = answered_at_ = now; }
  // basic.ack: calls `settled` for each message, in order. One that was returned before is
  // undeliverable, the others are published.
  void OnConfirmed(std::uint64_t tag, bool multiple, Time now, const MessageSettled& settled);
  // basic.nack: defers the messages. Calls `refused` for each routing key that was not refused
  // before. Returns the number of messages.
  std::size_t OnRefused(std::uint64_t tag, bool multiple, Time now, const KeyRefused& refused);
  // basic.return: the message is unroutable; its confirm follows.
  void OnReturned(std::uint64_t tag) { window_.MarkReturned(tag); }
  // The connection is gone: everything unconfirmed is sent again.
  void OnConnectionLost(Time now) { Requeue(window_.TakeAll(), now); }
  // The broker closed the channel because of one of the unconfirmed messages, and does not say
  // which. If there was only one, returns it: it is removed, and to be given up (GiveUp).
  // Otherwise everything unconfirmed is sent again, half as many messages at a time. Each confirm
  // raises the limit by one, so that a bad message delays thousands of others by a few answers of
  // the broker only.
  std::optional<Outgoing> OnChannelClosed(Time now);

  // Progress: the broker must answer each message, and not refuse everything.
  enum class Progress {
    kOk,
    kSilent,   // no answer for confirm_timeout, although messages are unconfirmed
    kRefused,  // no confirm for that long while triggers are deferred; doubles each time, up to an
               // hour, until the next confirm
  };
  Progress CheckProgress(Time now);

  // --- Routing keys that are refused; their triggers are deferred ---

  // Triggers that a previous process left deferred.
  void AddDeferred(const std::string& routing_key, std::int64_t count, Time now);
  // ForEachDueKey has nothing to do before this time, or before something else changes.
  // Time::max(): no key is due.
  Time due() const noexcept { return refused_keys_.due(); }
  // Forgets the keys that the broker takes again. Calls `forgotten(routing_key, key)` for each.
  template <typename Forgotten>
  void ForgetIdleKeys(Time now, Forgotten forgotten) {
    refused_keys_.ForgetIdle(now, forgotten);
  }
  // Calls `send(routing_key, key)` for each key whose deferred triggers are to be read from the
  // queue (as RefusedKey says) and sent with `deferred` set, while there is room and until `send`
  // returns an error, which is returned.
  template <typename Send>
  Status ForEachDueKey(Time now, Send send);
  const RefusedKeys& refused_keys() const noexcept { return refused_keys_; }

  // --- Outcomes ---

  // Outcomes that TriggerQueue::Settle has not been told yet.
  const std::vector<Outcome>& outcomes() const noexcept { return outcomes_; }
  // It has, by the call that returned `settled`. Clears them.
  void OnSettled(std::uint64_t settled);

  std::size_t unconfirmed() const noexcept { return window_.size(); }
  std::size_t window() const noexcept { return max_limit_; }
  // Nothing from the log waits or is unconfirmed.
  bool empty() const noexcept { return waiting_.empty() && window_.size() == 0; }

 private:
  static constexpr std::size_t kMaxUnconfirmedBytes = 64 * 1024 * 1024;  // of bodies, in memory

  RefusedKey* FindRefusedKey(const AcceptedTrigger& trigger);
  void Defer(const AcceptedTrigger& trigger, RefusedKey& key, Time now);
  void UpdateRefusedKey(const Outgoing& message, Time now);
  void Requeue(std::vector<Outgoing> messages, Time now);

  const std::chrono::milliseconds confirm_timeout_;
  const std::size_t max_limit_;
  std::size_t limit_;             // maximum unconfirmed: lower after a message closed the channel
  std::deque<Outgoing> waiting_;  // to be sent: taken from the log, or sent in vain before
  PublishWindow window_;          // sent and unconfirmed
  RefusedKeys refused_keys_;
  std::string routing_key_;                    // of the last call of FindRefusedKey
  std::vector<Outcome> outcomes_;              // not yet told to the queue
  std::vector<std::string> settling_;          // refused keys with an outcome in outcomes_
  Time progress_at_{};                         // the last confirm, or the start of the wait for one
  Time answered_at_{};                         // the last confirm or refusal, the same
  std::chrono::milliseconds refused_timeout_;  // for Progress::kRefused
};

template <typename Send>
Status Outbox::ForEachDueKey(Time now, Send send) {
  Status sent = Ok();
  refused_keys_.ForEachDue(now, [&](const std::string& routing_key, RefusedKey& key) {
    if (sent && HasRoom() && key.StartRead()) sent = send(routing_key, key);
  });
  return sent;
}

}  // namespace tower

#endif  // CORE_PUBLISH_OUTBOX_H_
