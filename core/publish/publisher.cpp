#include "core/publish/publisher.h"

#include <algorithm>
#include <utility>

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kIdle{1000};         // heartbeats need a call of Broker::Wait that often
constexpr milliseconds kDeferredPause{10};  // until deferred triggers are on disk
constexpr milliseconds kReportEvery{100};   // of refused keys, in State()
constexpr std::size_t kDeferredRead = 64;   // triggers of one routing key at a time
constexpr std::size_t kMaxRefusedKeys = 10'000;   // with more, nothing new is taken
constexpr std::size_t kBurst = 256;               // messages between two calls of Broker::Wait
constexpr std::size_t kBurstBytes = 1024 * 1024;  // bytes, the same

}  // namespace

Publisher::Publisher(TriggerQueue& queue, std::unique_ptr<Broker> broker,
                     const PublisherOptions& options, Logger log, Metrics& metrics)
    : queue_(queue),
      options_(options),
      log_(std::move(log)),
      published_(
          metrics.GetCounter("triggers_published_total", "Triggers confirmed by the broker.")),
      unroutable_(metrics.GetCounter("triggers_undeliverable_total",
                                     "Triggers given up, by reason.", {{"reason", "unroutable"}})),
      refused_(metrics.GetCounter("triggers_undeliverable_total", "Triggers given up, by reason.",
                                  {{"reason", "refused"}})),
      invalid_(metrics.GetCounter("triggers_undeliverable_total", "Triggers given up, by reason.",
                                  {{"reason", "invalid"}})),
      nacks_(metrics.GetCounter("broker_refused_total",
                                "Messages that the broker refused (basic.nack); each is sent "
                                "again.")),
      confirm_seconds_(metrics.GetHistogram("publish_confirm_seconds",
                                            "Time from sending a trigger to its confirm.")),
      connected_gauge_(metrics.GetGauge("broker_connected", "1 while connected to the broker.")),
      blocked_gauge_(metrics.GetGauge("broker_blocked", "1 while the broker takes nothing.")),
      reconnects_(metrics.GetCounter("broker_reconnects_total", "Connections after the first.")),
      broker_(std::move(broker)),
      outbox_({.window = options.window,
               .confirm_timeout = options.confirm_timeout,
               .refused = options.refused}),
      backoff_(options.backoff_min, options.backoff_max) {
  state_.last_error = "not connected yet";
}

Publisher::~Publisher() { Stop(milliseconds(0)); }

void Publisher::Start() {
  const std::lock_guard lock(stop_mutex_);
  if (thread_.joinable() || stopped_.load()) return;
  thread_ = std::thread([this] { Run(); });
}

void Publisher::Stop(milliseconds grace) {
  const std::lock_guard one(stop_mutex_);
  draining_.store(true);
  connecting_.request_stop();
  wakeup_.Signal();
  if (thread_.joinable()) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, grace, [this] { return ended_; });
    }
    stopped_.store(true);
    broker_->Interrupt();
    wakeup_.Signal();
    thread_.join();
  }
  stopped_.store(true);
}

PublisherState Publisher::State() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Publisher::SetState(bool connected, std::string error) {
  connected_gauge_.Set(connected ? 1 : 0);
  blocked_gauge_.Set(blocked_ ? 1 : 0);
  std::string address = broker_->Address();
  const std::lock_guard lock(mutex_);
  state_.connected = connected;
  state_.blocked = blocked_;
  state_.address = std::move(address);
  state_.last_error = std::move(error);
}

void Publisher::Run() {
  while (!stopped_.load()) {
    if (connected_) {
      const bool draining = draining_.load();  // before the queue is asked for the last time
      PublishRound(draining);
      if (draining && Done()) break;
    } else if (draining_.load()) {
      break;
    } else {
      Connect();
    }
  }
  queue_.CancelWakeup();
  if (connected_) broker_->Close();
  connected_ = blocked_ = false;
  SetState(false, "stopped");
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

bool Publisher::Done() const { return drained_ && outbox_.empty(); }

void Publisher::Connect() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, connecting_.get_token(), connect_at_, [] { return false; });
  }
  if (connecting_.stop_requested()) return;
  Status s = broker_->Connect(connecting_.get_token());
  now_ = steady_clock::now();
  if (!s) {
    if (connecting_.stop_requested()) return;
    RetryLater(s.error());
    if (connect_log_.Pass(s.error().message, now_)) {
      log_.Log(connect_log_.level(), "broker not connected", {{"error", s.error()}});
    }
    return;
  }
  connected_ = true;
  connected_at_ = now_;
  outbox_.StartTimeouts(now_);
  connect_log_.Reset();
  if (std::exchange(was_connected_, true)) reconnects_.Add();
  SetState(true, "");
  log_.Info("broker connected", {{"address", broker_->Address()}});
}

void Publisher::RetryLater(const Error& error) {
  if (!error.retryable()) backoff_.Exhaust();
  connect_at_ = now_ + backoff_.Next();
  SetState(false, error.message);
}

void Publisher::OnConnectionLost(const Error& error) {
  broker_->Close();
  connected_ = blocked_ = false;
  const std::size_t unconfirmed = outbox_.unconfirmed();
  outbox_.OnConnectionLost(now_);
  SettleOutcomes();
  if (stopped_.load()) return;
  now_ = steady_clock::now();
  if (now_ - connected_at_ > options_.backoff_max) backoff_.Reset();
  RetryLater(error);
  if (lost_log_.Pass(error.message, now_)) {
    log_.Warn("broker connection lost", {{"error", error}, {"unconfirmed", unconfirmed}});
  }
}

void Publisher::SetBlocked(bool blocked, const std::string& reason) {
  if (std::exchange(blocked_, blocked) == blocked) return;
  SetState(true, "");
  if (blocked) {
    log_.Warn("broker takes nothing", {{"error", reason}});
  } else {
    log_.Info("broker is no longer blocked");
  }
}

void Publisher::PublishRound(bool draining) {
  now_ = steady_clock::now();
  more_ = drained_ = false;
  Status s = Ok();
  deferred_first_ = !deferred_first_;
  if (deferred_first_ && !draining) s = SendDeferred();
  if (s) s = SendPending();
  if (s && !deferred_first_ && !draining) s = SendDeferred();
  if (s && !(draining && Done())) {
    events_.clear();
    s = broker_->Wait(WaitTime(draining), wakeup_.fd(), events_);
    wakeup_.Clear();
    now_ = steady_clock::now();
    for (const BrokerEvent& event : events_) OnBrokerEvent(event);
  }
  SettleOutcomes();
  ReportRefusedKeys();
  if (s && reset_) s = std::move(*reset_);
  if (s) s = CheckProgress();
  reset_.reset();
  if (!s) OnConnectionLost(s.error());
}

void Publisher::SettleOutcomes() {
  if (outbox_.outcomes().empty()) return;
  outbox_.OnSettled(queue_.Settle(outbox_.outcomes()));
}

// A channel can lose messages, or refuse all of them from some moment on; a new connection helps.
// If it does not, a queue is full, and the pauses between connections grow.
Status Publisher::CheckProgress() {
  if (blocked_) return Ok();
  switch (outbox_.CheckProgress(now_)) {
    case Outbox::Progress::kOk:
      return Ok();
    case Outbox::Progress::kSilent:
      return Error{ErrorCode::kTimeout, "the broker confirms nothing any more"};
    case Outbox::Progress::kRefused:
      return Error{ErrorCode::kTimeout, "the broker has refused every message for some time"};
  }
  return Ok();
}

Status Publisher::SendPending() {
  if (blocked_) {
    // So that a stop knows whether anything is left.
    if (!outbox_.has_waiting()) TakeMore();
    return Ok();
  }
  if (!outbox_.NeedsRefill()) return Ok();
  std::size_t bytes = 0;
  for (std::size_t sent = 0; outbox_.HasRoom(); ++sent) {
    if (sent == kBurst || bytes >= kBurstBytes) {
      more_ = true;
      return Ok();
    }
    if (!outbox_.has_waiting() && !TakeMore()) return Ok();
    bytes += outbox_.Next().trigger.body.size();
    if (Status s = SendNext(); !s) return s;
  }
  return Ok();
}

// What the last process left deferred. Until it is loaded, nothing may be taken from the log.
bool Publisher::LoadDeferred() {
  if (deferred_loaded_) return true;
  auto keys = queue_.DeferredKeys();
  if (!keys) {
    take_at_ = now_ + kIdle;
    ReportQueueError(keys.error());
    return false;
  }
  deferred_loaded_ = true;
  for (const auto& [routing_key, count] : *keys) outbox_.AddDeferred(routing_key, count, now_);
  if (keys->empty()) return true;
  log_.Info("triggers wait for routing keys that the broker refused before the restart",
            {{"routing_keys", keys->size()}, {"triggers", outbox_.refused_keys().deferred()}});
  return true;
}

bool Publisher::TakeMore() {
  if (now_ < take_at_ || !LoadDeferred()) return false;
  if (const auto keys = outbox_.refused_keys().size(); keys >= kMaxRefusedKeys) {
    if (refused_log_.Pass("too many", now_)) {
      log_.Warn("broker refuses too many routing keys; publishing is paused until it accepts some",
                {{"routing_keys", keys}});
    }
    return false;
  }
  const std::size_t room = outbox_.window() - std::min(outbox_.window(), outbox_.unconfirmed());
  auto taken = queue_.TryTake(std::clamp<std::size_t>(room, 1, kBurst));
  if (!taken) {
    take_at_ = now_ + kIdle;
    ReportQueueError(taken.error());
    return false;
  }
  for (AcceptedTrigger& trigger : *taken) outbox_.Push(std::move(trigger));
  drained_ = taken->empty();
  if (drained_) more_ = queue_.WakeWhenReady(wakeup_);
  return !drained_;
}

void Publisher::ReportQueueError(const Error& error) {
  if (take_log_.Pass(error.message, now_)) log_.Error("cannot read the queue", {{"error", error}});
}

Status Publisher::SendNext() {
  if (outbox_.DeferNext(now_)) return Ok();
  if (Status s = Send(std::move(outbox_.Next())); !s) return s;
  outbox_.PopNext();
  return Ok();
}

// On an error the message is unchanged.
Status Publisher::Send(Outgoing&& message) {
  auto tag = broker_->Publish(message.trigger);
  if (tag) {
    outbox_.OnSent(*tag, std::move(message), now_);
  } else if (tag.error().code == ErrorCode::kInvalid) {
    GiveUp(message, invalid_, "invalid: " + tag.error().message);
  } else {
    return tag.error();
  }
  return Ok();
}

Status Publisher::SendDeferred() {
  if (blocked_ || now_ < outbox_.due()) return Ok();
  outbox_.ForgetIdleKeys(now_, [this](const std::string& routing_key, const RefusedKey& key) {
    log_.Info(
        "broker accepts the routing key again",
        {{"routing_key", routing_key},
         {"refused_seconds",
          std::chrono::duration_cast<std::chrono::seconds>(key.refused_at - key.since).count()}});
  });
  return outbox_.ForEachDueKey(now_, [this](const std::string& routing_key, RefusedKey& key) {
    return SendDeferred(routing_key, key);
  });
}

Status Publisher::SendDeferred(const std::string& routing_key, RefusedKey& key) {
  const auto limit = std::min(key.Room(), kDeferredRead);
  auto taken = queue_.TakeDeferred(routing_key, key.read_seq, limit, key.required_settle);
  if (!taken) ReportQueueError(taken.error());
  if (!taken || taken->empty()) {
    // They are not on disk yet; or they were redelivered, and stand before read_seq.
    key.RetryRead(now_ + (taken ? kDeferredPause : kIdle));
    return Ok();
  }
  for (AcceptedTrigger& trigger : *taken) {
    if (!outbox_.HasRoom()) return Ok();
    key.OnSending(trigger.seq);
    if (Status s = Send({.trigger = std::move(trigger), .deferred = true}); !s) return s;
  }
  key.EndRead();
  return Ok();
}

milliseconds Publisher::WaitTime(bool draining) const {
  if (more_) return milliseconds(0);
  const bool deferred = !draining && !blocked_ && outbox_.HasRoom();
  if (!deferred || outbox_.due() > now_ + kIdle) return kIdle;
  return std::max(std::chrono::ceil<milliseconds>(outbox_.due() - now_), milliseconds(0));
}

void Publisher::OnBrokerEvent(const BrokerEvent& event) {
  switch (event.kind) {
    case BrokerEvent::Kind::kConfirmed:
      outbox_.OnConfirmed(event.tag, event.multiple, now_,
                          [this](const Outgoing& message) { OnConfirmed(message); });
      backoff_.Reset();
      return;
    case BrokerEvent::Kind::kRefused:
      nacks_.Add(outbox_.OnRefused(
          event.tag, event.multiple, now_, [this](const std::string& routing_key) {
            log_.Warn("broker refuses a routing key; its triggers wait, others are published",
                      {{"routing_key", routing_key}, {"error", "basic.nack: a queue may be full"}});
          }));
      return;
    case BrokerEvent::Kind::kReturned:
      outbox_.OnReturned(event.tag);
      return;
    case BrokerEvent::Kind::kReset:
      OnChannelClosed(event);
      return;
    case BrokerEvent::Kind::kBlocked:
      SetBlocked(true, event.reason);
      return;
    case BrokerEvent::Kind::kUnblocked:
      outbox_.StartTimeouts(now_);
      SetBlocked(false, {});
      return;
  }
}

void Publisher::OnConfirmed(const Outgoing& message) {
  confirm_seconds_.Observe(std::chrono::duration<double>(now_ - message.sent_at).count());
  if (message.returned) {
    ReportUndeliverable(message, unroutable_, "unroutable");
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
}

// A reason that no message has in itself (a missing exchange, say) ends the connection: the next
// one declares the topology again, after a pause.
void Publisher::OnChannelClosed(const BrokerEvent& event) {
  if (reset_log_.Pass(event.reason, now_)) {
    log_.Warn("broker closed the channel",
              {{"error", event.reason}, {"unconfirmed", outbox_.unconfirmed()}});
  }
  if (!event.message_at_fault) {
    reset_ = Error{ErrorCode::kUnavailable, event.reason};
    outbox_.OnConnectionLost(now_);
  } else if (const auto message = outbox_.OnChannelClosed(now_); message) {
    GiveUp(*message, refused_, "refused: " + event.reason);
  }
}

void Publisher::GiveUp(const Outgoing& message, Counter& counter, std::string reason) {
  ReportUndeliverable(message, counter, reason);
  outbox_.GiveUp(message, std::move(reason), now_);
}

void Publisher::ReportUndeliverable(const Outgoing& message, Counter& counter,
                                    const std::string& reason) {
  counter.Add();
  if (!undeliverable_log_.Pass(reason, now_)) return;
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

void Publisher::ReportRefusedKeys() {
  const RefusedKeys& refused_keys = outbox_.refused_keys();
  if (reported_changes_ == refused_keys.changes() || now_ - reported_at_ < kReportEvery) return;
  reported_changes_ = refused_keys.changes();
  reported_at_ = now_;
  const auto wall = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  std::vector<PublisherState::Refused> shown;
  shown.reserve(refused_keys.size());
  refused_keys.ForEach([&](const std::string& routing_key, const RefusedKey& key) {
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
  state_.refused_triggers = refused_keys.deferred();
}

}  // namespace tower
