#include <algorithm>
#include <iterator>
#include <utility>

#include "core/publish/publisher_impl.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kIdle{1000};         // the broker's heartbeats want a look that often
constexpr milliseconds kDeferredPause{10};  // until what was deferred is on disk
constexpr milliseconds kShowEvery{100};     // refused keys, in State()
constexpr milliseconds kRefusedTimeoutMost = std::chrono::hours(1);
constexpr std::size_t kDeferredRead = 64;             // triggers of one routing key at a time
constexpr std::size_t kMostRefusedKeys = 10'000;      // with more, nothing new is taken
constexpr std::size_t kBurst = 256;                   // messages between two looks at the broker
constexpr std::size_t kBurstBytes = 1024 * 1024;      // bytes, the same
constexpr std::size_t kMostBytes = 64 * 1024 * 1024;  // of unconfirmed bodies in memory

bool BySeq(const Outgoing& a, const Outgoing& b) { return a.trigger.seq < b.trigger.seq; }

}  // namespace

void Publisher::Impl::Turn(bool draining) {
  now_ = steady_clock::now();
  more_ = drained_ = false;
  Status s = Ok();
  deferred_first_ = !deferred_first_;
  if (deferred_first_ && !draining) s = SendDeferred();
  if (s) s = Fill();
  if (s && !deferred_first_ && !draining) s = SendDeferred();
  if (s && !(draining && Done())) {
    events_.clear();
    s = broker_->Wait(WaitTime(draining), wakeup_.fd(), events_);
    wakeup_.Clear();
    now_ = steady_clock::now();
    for (BrokerEvent& event : events_) Hear(event);
  }
  SettleOutcomes();
  ShowRefused();
  if (s && reset_) s = std::move(*reset_);
  if (s) s = CheckProgress();
  reset_.reset();
  if (!s) Lost(s.error());
}

void Publisher::Impl::SettleOutcomes() {
  if (outcomes_.empty()) return;
  const auto settled = queue_.Settle(outcomes_);
  outcomes_.clear();
  for (const auto& routing_key : settling_) {
    if (auto* key = refused_keys_.Find(routing_key); key != nullptr) key->last_settled = settled;
  }
  settling_.clear();
}

std::size_t Publisher::Impl::Window() const {
  return static_cast<std::size_t>(std::max<std::int64_t>(options_.window, 1));
}

bool Publisher::Impl::HasRoom() const {
  if (window_.size() >= limit_) return false;
  return window_.size() == 0 || window_.bytes() < kMostBytes;
}

// A channel can forget messages, or refuse all of them from some moment on; a new connection helps.
// Where it does not, a queue is full, and connecting again and again is of no use.
Status Publisher::Impl::CheckProgress() {
  if (blocked_) return Ok();
  const bool silent = window_.size() > 0 && now_ - heard_at_ > options_.confirm_timeout;
  const bool refused = refused_keys_.deferred() > 0 && now_ - progress_at_ > refused_timeout_;
  if (!silent && !refused) return Ok();
  if (silent) return Error{ErrorCode::kTimeout, "the broker confirms nothing any more"};
  refused_timeout_ = std::min(refused_timeout_ * 2, kRefusedTimeoutMost);
  return Error{ErrorCode::kTimeout, "the broker has refused every message for some time"};
}

// Sends what there is room for. A window that is three quarters full keeps the broker busy: it is
// filled up in large pieces, which costs less than one by one.
Status Publisher::Impl::Fill() {
  if (blocked_) {
    if (waiting_.empty()) TakeMore();  // so that a stop knows whether there is anything left
    return Ok();
  }
  if (window_.size() > limit_ - limit_ / 4) return Ok();
  std::size_t bytes = 0;
  for (std::size_t sent = 0; HasRoom(); ++sent) {
    if (sent == kBurst || bytes >= kBurstBytes) {
      more_ = true;
      return Ok();
    }
    if (waiting_.empty() && !TakeMore()) return Ok();
    bytes += waiting_.front().trigger.body.size();
    if (Status s = SendNext(); !s) return s;
  }
  return Ok();
}

// What the last process left deferred. Before it is known, nothing may be taken from the log.
bool Publisher::Impl::LoadDeferred() {
  if (deferred_loaded_) return true;
  auto keys = queue_.DeferredKeys();
  if (!keys) {
    take_at_ = now_ + kIdle;
    if (take_log_.Pass(keys.error().message, now_)) {
      log_.Error("cannot read the queue", {{"error", keys.error()}});
    }
    return false;
  }
  deferred_loaded_ = true;
  for (const auto& [routing_key, count] : *keys) {
    refused_keys_.Defer(refused_keys_.Add(routing_key, now_), count, now_);
  }
  if (keys->empty()) return true;
  refused_shown_ = false;
  log_.Info("triggers wait for routing keys that the broker refused before the restart",
            {{"routing_keys", keys->size()}, {"triggers", refused_keys_.deferred()}});
  return true;
}

bool Publisher::Impl::TakeMore() {
  if (now_ < take_at_ || !LoadDeferred()) return false;
  if (refused_keys_.size() >= kMostRefusedKeys) {
    if (refused_log_.Pass("too many", now_)) {
      log_.Warn("broker refuses too many routing keys; publishing is paused until it accepts some",
                {{"routing_keys", refused_keys_.size()}});
    }
    return false;
  }
  const std::size_t room = Window() - std::min(Window(), window_.size());
  auto taken = queue_.TryTake(std::clamp<std::size_t>(room, 1, kBurst));
  if (!taken) {
    take_at_ = now_ + kIdle;
    if (take_log_.Pass(taken.error().message, now_)) {
      log_.Error("cannot read the queue", {{"error", taken.error()}});
    }
    return false;
  }
  for (AcceptedTrigger& trigger : *taken) waiting_.push_back({.trigger = std::move(trigger)});
  drained_ = taken->empty();
  if (drained_) more_ = queue_.WakeWhenReady(wakeup_);
  return !drained_;
}

Status Publisher::Impl::SendNext() {
  Outgoing& next = waiting_.front();
  if (RefusedKey* key = RefusedKeyOf(next.trigger); key != nullptr) {
    Defer(next.trigger, *key);
  } else if (Status s = Send(std::move(next)); !s) {
    return s;
  }
  waiting_.pop_front();
  return Ok();
}

// On an error the message is unchanged.
Status Publisher::Impl::Send(Outgoing&& message) {
  auto tag = broker_->Publish(message.trigger);
  if (tag) {
    message.sent_at = now_;
    if (window_.size() == 0) {
      heard_at_ = now_;
      if (refused_keys_.deferred() == 0) progress_at_ = now_;
    }
    window_.Add(*tag, std::move(message));
  } else if (tag.error().code == ErrorCode::kInvalid) {
    Undeliverable(message, invalid_, "invalid: " + tag.error().message);
  } else {
    return tag.error();
  }
  return Ok();
}

Status Publisher::Impl::SendDeferred() {
  if (refused_keys_.empty() || blocked_ || now_ < refused_keys_.due()) return Ok();
  ForgetRefused();
  Status sent = Ok();
  refused_keys_.LookAtDue(now_, [&](const std::string& routing_key, RefusedKey& key) {
    if (sent && HasRoom()) sent = SendDeferred(routing_key, key);
  });
  return sent;
}

Status Publisher::Impl::SendDeferred(const std::string& routing_key, RefusedKey& key) {
  if (key.rewind) {
    if (key.in_flight > 0) {  // its answer comes first
      key.next = RefusedKey::Time::max();
      return Ok();
    }
    key.rewind = false;
    key.read_seq = 0;
    key.settled = key.last_settled;
  }
  const std::size_t room = key.limit - std::min(key.limit, key.in_flight);
  if (room == 0 || key.deferred <= static_cast<std::int64_t>(key.in_flight)) {
    key.next = RefusedKey::Time::max();
    return Ok();
  }
  auto taken =
      queue_.TakeDeferred(routing_key, key.read_seq, std::min(room, kDeferredRead), key.settled);
  if (!taken && take_log_.Pass(taken.error().message, now_)) {
    log_.Error("cannot read the queue", {{"error", taken.error()}});
  }
  if (!taken || taken->empty()) {
    // Not on disk yet, or, of what was delivered again, before read_seq.
    key.rewind = true;
    key.next = now_ + (taken ? kDeferredPause : kIdle);
    return Ok();
  }
  for (AcceptedTrigger& trigger : *taken) {
    if (!HasRoom()) return Ok();
    key.read_seq = trigger.seq;
    ++key.in_flight;
    if (Status s = Send({.trigger = std::move(trigger), .deferred = true}); !s) return s;
  }
  const bool all = key.deferred <= static_cast<std::int64_t>(key.in_flight);
  if (all || key.in_flight >= key.limit) key.next = RefusedKey::Time::max();
  return Ok();
}

milliseconds Publisher::Impl::WaitTime(bool draining) const {
  if (more_) return milliseconds(0);
  const bool deferred = !refused_keys_.empty() && !draining && !blocked_ && HasRoom();
  if (!deferred || refused_keys_.due() > now_ + kIdle) return kIdle;
  return std::max(std::chrono::ceil<milliseconds>(refused_keys_.due() - now_), milliseconds(0));
}

void Publisher::Impl::Hear(BrokerEvent& event) {
  switch (event.kind) {
    case BrokerEvent::Kind::kConfirmed:
      progress_at_ = heard_at_ = now_;
      refused_timeout_ = options_.confirm_timeout;
      window_.Settle(event.tag, event.multiple, [this](Outgoing& message) { Settled(message); });
      backoff_.Reset();
      return;
    case BrokerEvent::Kind::kRefused:
      heard_at_ = now_;
      window_.Settle(event.tag, event.multiple, [this](Outgoing& message) { Refused(message); });
      return;
    case BrokerEvent::Kind::kReturned:
      window_.MarkReturned(event.tag);
      return;
    case BrokerEvent::Kind::kReset:
      HearReset(event);
      return;
    case BrokerEvent::Kind::kBlocked:
      SetBlocked(true, event.reason);
      return;
    case BrokerEvent::Kind::kUnblocked:
      progress_at_ = heard_at_ = now_;
      SetBlocked(false, {});
      return;
  }
}

// The broker does not say which message made it close the channel. So what was under way is sent
// again, half as many at a time, until the channel closes with a single message under way: that one
// it was. Each confirm lets one more be under way, so that a bad message holds up thousands of
// others for a few answers of the broker only. A reason that no message has in itself (a missing
// exchange, say) ends the connection instead, which brings back the topology after a pause.
void Publisher::Impl::HearReset(const BrokerEvent& event) {
  std::vector<Outgoing> unknown = window_.TakeAll();
  if (reset_log_.Pass(event.reason, now_)) {
    log_.Warn("broker closed the channel",
              {{"error", event.reason}, {"unconfirmed", unknown.size()}});
  }
  if (!event.message_at_fault) {
    reset_ = Error{ErrorCode::kUnavailable, event.reason};
  } else if (unknown.size() == 1) {
    Undeliverable(unknown.front(), refused_, "refused: " + event.reason);
    return;
  } else {
    limit_ = std::max<std::size_t>(unknown.size() / 2, 1);
  }
  SendAgain(std::move(unknown));
}

void Publisher::Impl::SetBlocked(bool blocked, const std::string& reason) {
  if (std::exchange(blocked_, blocked) == blocked) return;
  SetState(true, "");
  if (blocked) {
    log_.Warn("broker takes nothing", {{"error", reason}});
  } else {
    log_.Info("broker is no longer blocked");
  }
}

// The key of the trigger where it is refused, else nothing. Costs nothing while no key is.
RefusedKey* Publisher::Impl::RefusedKeyOf(const AcceptedTrigger& trigger) {
  if (refused_keys_.empty()) return nullptr;
  AssignRoutingKey(routing_key_, trigger.api_version, trigger.protocol);
  return refused_keys_.Find(routing_key_);
}

void Publisher::Impl::Refused(Outgoing& message) {
  nacks_.Add();
  AssignRoutingKey(routing_key_, message.trigger.api_version, message.trigger.protocol);
  RefusedKey* key = refused_keys_.Find(routing_key_);
  if (key == nullptr) {
    key = &refused_keys_.Add(routing_key_, now_);
    key->in_flight = window_.Count(routing_key_) + 1;  // with this one
    log_.Warn("broker refuses a routing key; its triggers wait, others are published",
              {{"routing_key", routing_key_}, {"error", "basic.nack: a queue may be full"}});
  }
  refused_keys_.Refuse(*key, now_);
  if (!message.deferred) Defer(message.trigger, *key);
  refused_shown_ = false;
}

// REQUIRES: `key` is what RefusedKeyOf(trigger) returned.
void Publisher::Impl::Defer(const AcceptedTrigger& trigger, RefusedKey& key) {
  refused_keys_.Defer(key, 1, now_);
  outcomes_.push_back({.seq = trigger.seq, .fate = Fate::kDeferred, .reason = routing_key_});
  settling_.push_back(routing_key_);
  refused_shown_ = false;
}

// The broker has taken the message, or never will.
void Publisher::Impl::Taken(const Outgoing& message) {
  RefusedKey* key = RefusedKeyOf(message.trigger);
  if (key == nullptr) return;
  refused_keys_.Take(*key, now_);
  if (message.deferred) refused_keys_.EndDeferred(*key);
  settling_.push_back(routing_key_);
  refused_shown_ = false;
}

void Publisher::Impl::ForgetRefused() {
  refused_keys_.Forget(now_, [this](const std::string& routing_key, const RefusedKey& key) {
    refused_shown_ = false;
    log_.Info(
        "broker accepts the routing key again",
        {{"routing_key", routing_key},
         {"refused_seconds",
          std::chrono::duration_cast<std::chrono::seconds>(key.refused_at - key.since).count()}});
  });
}

void Publisher::Impl::ShowRefused() {
  if (refused_shown_ || now_ - shown_at_ < kShowEvery) return;
  refused_shown_ = true;
  shown_at_ = now_;
  const auto wall = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  std::vector<PublisherState::Refused> shown;
  shown.reserve(refused_keys_.size());
  refused_keys_.ForEach([&](const std::string& routing_key, const RefusedKey& key) {
    const auto ago = std::chrono::duration_cast<milliseconds>(now_ - key.since);
    if (key.deferred > 0) shown.push_back({routing_key, key.deferred, wall - ago});
  });
  const std::size_t keys = shown.size();
  const std::size_t most = std::min(keys, PublisherState::kMostListed);
  std::partial_sort(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(most), shown.end(),
                    [](const auto& a, const auto& b) { return a.waiting > b.waiting; });
  shown.resize(most);
  const std::lock_guard lock(mutex_);
  state_.refused = std::move(shown);
  state_.refused_keys = keys;
  state_.refused_triggers = refused_keys_.deferred();
}

void Publisher::Impl::Settled(Outgoing& message) {
  limit_ = std::min(limit_ + 1, Window());
  confirm_seconds_.Observe(std::chrono::duration<double>(now_ - message.sent_at).count());
  if (message.returned) {
    Undeliverable(message, unroutable_, "unroutable");
    return;
  }
  published_.Add();
  if (LogShows(LogLevel::kDebug)) {
    const auto& trigger = message.trigger;
    const std::chrono::duration<double, std::milli> took = now_ - message.sent_at;
    log_.Debug("published", {{"uuid", trigger.uuid.ToString()},
                             {"routing_key", RoutingKey(trigger.api_version, trigger.protocol)},
                             {"source", trigger.source},
                             {"ms", took.count()}});
  }
  Taken(message);
  outcomes_.push_back({.seq = message.trigger.seq});
}

void Publisher::Impl::Undeliverable(const Outgoing& message, Counter& counter, std::string reason) {
  counter.Add();
  if (undeliverable_log_.Pass(reason, now_)) {
    const auto& trigger = message.trigger;
    log_.Warn("trigger undeliverable",
              {{"uuid", trigger.uuid.ToString()},
               {"routing_key", RoutingKey(trigger.api_version, trigger.protocol)},
               {"exchange", options_.exchange},
               {"source", trigger.source},
               {"error", message.returned ? "unroutable: no queue is bound for this routing key; "
                                            "amqp.queue declares one that gets everything"
                                          : reason}});
  }
  Taken(message);
  outcomes_.push_back(
      {.seq = message.trigger.seq, .fate = Fate::kUndeliverable, .reason = std::move(reason)});
}

// What was deferred stays so, and what has come to be refused meanwhile joins it: a later trigger
// of its key may be among the deferred ones already.
void Publisher::Impl::SendAgain(std::vector<Outgoing> messages) {
  refused_keys_.Reset(now_);
  std::erase_if(messages, [this](const Outgoing& message) {
    if (message.deferred) return true;
    RefusedKey* key = RefusedKeyOf(message.trigger);
    if (key != nullptr) Defer(message.trigger, *key);
    return key != nullptr;
  });
  if (messages.empty()) return;
  waiting_.insert(waiting_.begin(), std::make_move_iterator(messages.begin()),
                  std::make_move_iterator(messages.end()));
  std::sort(waiting_.begin(), waiting_.end(), BySeq);
}

}  // namespace tower
