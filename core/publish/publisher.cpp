#include "core/publish/publisher.h"

#include <utility>

#include "core/publish/publisher_impl.h"

namespace tower {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Publisher::Impl::Impl(TriggerQueue& queue, std::unique_ptr<Broker> broker,
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
      refused_keys_([&] {
        auto limits = options.refused;
        limits.in_flight =
            std::clamp<std::size_t>(limits.in_flight, 1, std::max<std::size_t>(Window() / 2, 1));
        return limits;
      }()),
      limit_(Window()),
      backoff_(options.backoff_min, options.backoff_max),
      refused_timeout_(options.confirm_timeout) {
  state_.last_error = "not connected yet";
}

void Publisher::Impl::Start() {
  const std::lock_guard lock(stop_mutex_);
  if (thread_.joinable() || stopped_.load()) return;
  thread_ = std::thread([this] { Run(); });
}

void Publisher::Impl::Stop(milliseconds grace) {
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

PublisherState Publisher::Impl::State() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Publisher::Impl::SetState(bool connected, std::string error) {
  connected_gauge_.Set(connected ? 1 : 0);
  blocked_gauge_.Set(blocked_ ? 1 : 0);
  std::string address = broker_->Address();
  const std::lock_guard lock(mutex_);
  state_.connected = connected;
  state_.blocked = blocked_;
  state_.address = std::move(address);
  state_.last_error = std::move(error);
}

void Publisher::Impl::Run() {
  while (!stopped_.load()) {
    if (connected_) {
      const bool draining = draining_.load();  // before the queue is asked for the last time
      Turn(draining);
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

bool Publisher::Impl::Done() const { return drained_ && waiting_.empty() && window_.size() == 0; }

void Publisher::Impl::Connect() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, connecting_.get_token(), try_at_, [] { return false; });
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
  connected_at_ = progress_at_ = heard_at_ = now_;
  connect_log_.Reset();
  if (std::exchange(was_connected_, true)) reconnects_.Add();
  SetState(true, "");
  log_.Info("broker connected", {{"address", broker_->Address()}});
}

void Publisher::Impl::RetryLater(const Error& error) {
  if (!error.retryable()) backoff_.Exhaust();
  try_at_ = now_ + backoff_.Next();
  SetState(false, error.message);
}

void Publisher::Impl::Lost(const Error& error) {
  broker_->Close();
  connected_ = blocked_ = false;
  const std::size_t unconfirmed = window_.size();
  SendAgain(window_.TakeAll());
  SettleOutcomes();
  if (stopped_.load()) return;
  now_ = steady_clock::now();
  if (now_ - connected_at_ > options_.backoff_max) backoff_.Reset();
  RetryLater(error);
  if (lost_log_.Pass(error.message, now_)) {
    log_.Warn("broker connection lost", {{"error", error}, {"unconfirmed", unconfirmed}});
  }
}

Publisher::Publisher(TriggerQueue& queue, std::unique_ptr<Broker> broker,
                     const PublisherOptions& options, Logger log, Metrics& metrics)
    : impl_(std::make_unique<Impl>(queue, std::move(broker), options, std::move(log), metrics)) {}
Publisher::~Publisher() = default;
void Publisher::Start() { impl_->Start(); }
void Publisher::Stop(milliseconds grace) { impl_->Stop(grace); }
PublisherState Publisher::State() const { return impl_->State(); }

}  // namespace tower
