#include "core/watch/supervisor.h"

#include <pthread.h>

#include <algorithm>
#include <cassert>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "core/base/backoff.h"
#include "core/watch/hooks.h"

namespace tower {
namespace {

using Clock = std::chrono::steady_clock;

double UnixSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The name of a Linux thread has at most 15 bytes.
void NameThisThread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

struct Supervised {
  Supervised(std::string name, std::string plugin, std::unique_ptr<Watcher> watcher_to_run,
             const SupervisorOptions& options, Logger logger, Metrics& metrics, Hooks& hooks)
      : watcher(std::move(watcher_to_run)),
        log(std::move(logger)),
        notes(AcceptedCounter(metrics, name), RejectedCounter(metrics, name, "invalid")),
        restarts(metrics.GetCounter("watcher_restarts_total",
                                    "Times a watcher was started again after a fault.",
                                    {{"watcher", name}, {"plugin", plugin}})),
        up(metrics.GetGauge("watcher_up", "1 while the watcher runs.",
                            {{"watcher", name}, {"plugin", plugin}})),
        last_success(metrics.GetGauge("watcher_last_success_timestamp_seconds",
                                      "When the watcher last read its source without a fault.",
                                      {{"watcher", name}, {"plugin", plugin}})),
        backoff(options.backoff_min, options.backoff_max) {
    if (watcher->ServesHook()) hook.emplace(hooks, name);
    status.name = std::move(name);
    status.plugin = std::move(plugin);
  }

  // Constant after construction.
  const std::unique_ptr<Watcher> watcher;
  const Logger log;
  std::optional<Hooks::Expectation> hook;
  WatcherNotes notes;
  Counter& restarts;
  Gauge& up;
  Gauge& last_success;
  // Guarded by Impl::mutex_.
  Backoff backoff;
  WatcherStatus status;
  std::jthread thread;
};

}  // namespace

class Supervisor::Impl {
 public:
  Impl(TriggerQueue& queue, Hooks& hooks, const SupervisorOptions& options, Logger log,
       Metrics& metrics, std::function<void(const WatcherStatus&)> on_failure)
      : queue_(queue),
        hooks_(hooks),
        options_(options),
        log_(std::move(log)),
        metrics_(metrics),
        on_failure_(std::move(on_failure)) {}
  ~Impl() { Stop(); }

  void Add(WatcherChange added) { watchers_.push_back(Make(std::move(added))); }

  void Start() {
    for (auto& watcher : watchers_) StartThread(*watcher);
  }

  void Change(std::vector<WatcherChange> wanted);

  void Stop() {
    for (auto& watcher : watchers_) watcher->thread.request_stop();
    for (auto& watcher : watchers_) {
      if (watcher->thread.joinable()) watcher->thread.join();
    }
  }

  std::vector<WatcherStatus> States() const {
    const std::lock_guard lock(mutex_);
    std::vector<WatcherStatus> states;
    states.reserve(watchers_.size());
    for (const auto& watcher : watchers_) {
      states.push_back(watcher->status);
      states.back().notes = watcher->notes.Read();
    }
    return states;
  }

 private:
  using List = std::vector<std::unique_ptr<Supervised>>;

  std::unique_ptr<Supervised> Make(WatcherChange wanted) {
    auto log = log_.With({{"watcher", wanted.name}});
    return std::make_unique<Supervised>(std::move(wanted.name), std::move(wanted.plugin),
                                        std::move(wanted.watcher), options_, std::move(log),
                                        metrics_, hooks_);
  }
  void StartThread(Supervised& watched) {
    watched.thread = std::jthread([this, &watched](std::stop_token stop) { Keep(watched, stop); });
  }
  void Forget(const Supervised& gone);
  void Keep(Supervised& self, const std::stop_token& stop);
  Error Run(Supervised& self, const std::stop_token& stop);
  std::chrono::milliseconds NextDelay(Supervised& self, Clock::duration ran);
  bool FailedForGood(Supervised& self, const Error& error);
  std::string SaidLast(const Supervised& self) const {
    const std::lock_guard lock(mutex_);
    return self.status.last_error;
  }
  void SetState(Supervised& self, WatcherState state, const Error* error = nullptr,
                std::optional<WallTime> retry_at = std::nullopt);

  // Constant after construction.
  TriggerQueue& queue_;
  Hooks& hooks_;
  const SupervisorOptions options_;
  const Logger log_;
  Metrics& metrics_;
  const std::function<void(const WatcherStatus&)> on_failure_;
  // Only the owner's thread modifies the list, so this thread may read it without the lock.
  mutable std::mutex mutex_;
  List watchers_;
};

void Supervisor::Impl::Change(std::vector<WatcherChange> wanted) {
  const auto find = [this](const std::string& name) {  // entries that have been moved are null
    return std::find_if(watchers_.begin(), watchers_.end(), [&name](const auto& watched) {
      return watched != nullptr && watched->status.name == name;
    });
  };
  for (const auto& watched : watchers_) {
    const auto stays = [&watched](const WatcherChange& entry) {
      return entry.watcher == nullptr && entry.name == watched->status.name;
    };
    if (std::any_of(wanted.begin(), wanted.end(), stays)) continue;
    watched->thread.request_stop();
    Forget(*watched);
  }
  List next;
  std::vector<Supervised*> fresh;
  for (auto& entry : wanted) {
    const bool stays = entry.watcher == nullptr;
    assert(!stays || find(entry.name) != watchers_.end());
    next.push_back(stays ? nullptr : Make(std::move(entry)));
    if (!stays) fresh.push_back(next.back().get());
  }
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < next.size(); ++i) {
      if (next[i] == nullptr) next[i] = std::move(*find(wanted[i].name));
    }
    watchers_.swap(next);
  }
  next.clear();  // joins
  for (auto* watched : fresh) StartThread(*watched);
}

// If the name is used again, Make looks up the metrics again.
void Supervisor::Impl::Forget(const Supervised& gone) {
  const MetricLabels labels = {{"watcher", gone.status.name}, {"plugin", gone.status.plugin}};
  for (const auto* name :
       {"watcher_up", "watcher_restarts_total", "watcher_last_success_timestamp_seconds"}) {
    metrics_.Forget(name, labels);
  }
}

// The thread of a watcher: calls Run repeatedly until a stop is requested or the watcher fails
// permanently.
void Supervisor::Impl::Keep(Supervised& self, const std::stop_token& stop) {
  NameThisThread(self.status.name);
  self.log.Info("watcher started", {{"plugin", self.status.plugin}});
  while (!stop.stop_requested()) {
    SetState(self, self.watcher->Connects() ? WatcherState::kStarting : WatcherState::kRunning);
    const auto began = Clock::now();
    const Error error = Run(self, stop);
    self.notes.EndRun();
    if (stop.stop_requested()) {
      if (error.code != ErrorCode::kStopped)
        self.log.Warn("watcher failed; it will be restarted", {{"error", error}});
      break;
    }
    if (FailedForGood(self, error)) return;
    const auto delay = NextDelay(self, Clock::now() - began);
    // A lasting fault is a warning only once, until the next success.
    self.log.Log(SaidLast(self) == error.message ? LogLevel::kInfo : LogLevel::kWarn,
                 "watcher backs off", {{"error", error}, {"delay_ms", delay.count()}});
    SetState(self, WatcherState::kBackingOff, &error, WallNow() + delay);
    if (!WatcherContext::Sleep(delay, stop)) break;
    self.restarts.Add();
    const std::lock_guard lock(mutex_);
    ++self.status.restarts;
  }
  SetState(self, WatcherState::kStopped);
  self.log.Info("watcher stopped");
}

std::chrono::milliseconds Supervisor::Impl::NextDelay(Supervised& self, Clock::duration ran) {
  const std::lock_guard lock(mutex_);
  if (ran > options_.backoff_max) self.backoff.Reset();
  return self.backoff.Next();
}

// Runs the watcher once. kStopped if it ended because of a stop request.
Error Supervisor::Impl::Run(Supervised& self, const std::stop_token& stop) {
  WatcherContext context{
      .name = self.status.name,
      .queue = WatcherQueue(queue_, self.status.name, stop, self.notes,
                            [this, &self] {
                              self.last_success.Set(UnixSeconds());
                              const std::lock_guard lock(mutex_);
                              self.backoff.Reset();
                              self.status.last_error.clear();
                              if (self.status.state != WatcherState::kStarting) return;
                              self.status.state = WatcherState::kRunning;
                              self.up.Set(1);
                            }),
      .log = self.log,
      .notes = self.notes,
      .hooks = hooks_,
  };
  try {
    const Status status = self.watcher->Run(context, stop);
    if (!status) return status.error();
  } catch (const std::exception& exception) {
    return {ErrorCode::kUnavailable, std::string("exception: ") + exception.what()};
  } catch (...) {
    return {ErrorCode::kUnavailable, "exception of an unknown type"};
  }
  if (stop.stop_requested()) return {ErrorCode::kStopped, {}};
  return {ErrorCode::kUnavailable, "Run returned without a stop request"};
}

bool Supervisor::Impl::FailedForGood(Supervised& self, const Error& error) {
  if (error.code != ErrorCode::kPermanent && error.code != ErrorCode::kInvalid) return false;
  self.log.Error("watcher failed permanently", {{"error", error}});
  SetState(self, WatcherState::kFailed, &error);
  if (options_.exit_on_failure && on_failure_) {
    WatcherStatus status;
    {
      const std::lock_guard lock(mutex_);
      status = self.status;
    }
    on_failure_(status);
  }
  return true;
}

void Supervisor::Impl::SetState(Supervised& self, WatcherState state, const Error* error,
                                std::optional<WallTime> retry_at) {
  self.up.Set(state == WatcherState::kRunning ? 1 : 0);
  const std::lock_guard lock(mutex_);
  self.status.state = state;
  self.status.retry_at = retry_at;
  if (error != nullptr) self.status.last_error = error->message;
}

std::string_view ToString(WatcherState state) noexcept {
  switch (state) {
    case WatcherState::kStarting:
      return "starting";
    case WatcherState::kRunning:
      return "running";
    case WatcherState::kBackingOff:
      return "backing off";
    case WatcherState::kFailed:
      return "failed";
    case WatcherState::kStopped:
      return "stopped";
  }
  return "unknown";
}

Supervisor::Supervisor(TriggerQueue& queue, Hooks& hooks, const SupervisorOptions& options,
                       Logger log, Metrics& metrics,
                       std::function<void(const WatcherStatus&)> on_failure)
    : impl_(std::make_unique<Impl>(queue, hooks, options, std::move(log), metrics,
                                   std::move(on_failure))) {}
Supervisor::~Supervisor() = default;
void Supervisor::Add(std::string name, std::string plugin, std::unique_ptr<Watcher> watcher) {
  impl_->Add({std::move(name), std::move(plugin), std::move(watcher)});
}
void Supervisor::Start() { impl_->Start(); }
void Supervisor::Change(std::vector<WatcherChange> watchers) { impl_->Change(std::move(watchers)); }
void Supervisor::Stop() { impl_->Stop(); }
std::vector<WatcherStatus> Supervisor::States() const { return impl_->States(); }

}  // namespace tower
