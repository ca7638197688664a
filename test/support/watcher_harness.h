// Runs a plugin's watcher without the supervisor, on a real queue in a folder of its own.
#ifndef TEST_SUPPORT_WATCHER_HARNESS_H_
#define TEST_SUPPORT_WATCHER_HARNESS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/metrics.h"
#include "core/queue/queue.h"
#include "core/watch/hooks.h"
#include "core/watch/watcher.h"
#include "test/support/eventually.h"
#include "test/support/temp_dir.h"

namespace tower {

// A queue, and what the consumer's end of it sees.
class TestQueue {
 public:
  explicit TestQueue(std::uint64_t max_bytes = QueueOptions().max_bytes) : max_bytes_(max_bytes) {
    Reopen();
  }

  TriggerQueue& operator*() { return *queue_; }
  TriggerQueue* operator->() { return queue_.get(); }
  Metrics& metrics() { return metrics_; }

  // As a restart of the process does.
  void Reopen() {
    queue_.reset();
    auto opened =
        TriggerQueue::Open({.path = folder_ / "queue.db", .max_bytes = max_bytes_}, {}, metrics_);
    if (!opened) throw std::runtime_error(opened.error().message);
    queue_ = std::move(*opened);
  }

  // Waits for exactly `count` more triggers. Fewer, when the deadline passes.
  std::vector<AcceptedTrigger> Take(std::size_t count) {
    std::vector<AcceptedTrigger> all;
    std::vector<Outcome> outcomes;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (all.size() < count) {
      auto some = queue_->Take(count - all.size(), {}, deadline);
      if (!some || some->empty()) break;
      for (auto& trigger : *some) {
        outcomes.push_back({.seq = trigger.seq});
        all.push_back(std::move(trigger));
      }
    }
    queue_->Settle(outcomes);
    return all;
  }
  // The protocols of the next triggers.
  std::vector<std::string> TakeProtocols(std::size_t count) {
    std::vector<std::string> protocols;
    for (const auto& trigger : Take(count)) protocols.push_back(trigger.protocol);
    return protocols;
  }
  // Whether nothing more is there at this moment.
  bool Empty() {
    auto some = queue_->TryTake(1);
    return some && some->empty();
  }

 private:
  const std::uint64_t max_bytes_;
  TempDir folder_;
  Metrics metrics_;
  std::unique_ptr<TriggerQueue> queue_;
};

class WatcherHarness {
 public:
  using Options = std::vector<std::pair<std::string, std::vector<std::string>>>;

  // Makes a watcher of a linked-in plugin. Throws what is wrong with the options.
  WatcherHarness(TestQueue& queue, std::string_view plugin, const Options& options,
                 std::string name = "test")
      : queue_(queue), name_(std::move(name)), set_("plugin." + name_) {
    const auto kinds = WatcherKind::All();
    if (!kinds) throw std::runtime_error(kinds.error().message);
    for (const auto* kind : *kinds) {
      if (kind->name() == plugin) watcher_ = kind->New(set_);
    }
    if (!watcher_) throw std::runtime_error("no plugin " + std::string(plugin));
    for (const auto& [option, values] : options) Set(option, values);
    for (const auto& fault : set_.Faults({}, false)) throw std::runtime_error(fault.message);
  }
  ~WatcherHarness() {
    Release();
    thread_.request_stop();
  }

  Watcher& watcher() { return *watcher_; }

  // The first thing that `control-tower check` says.
  Status Check() const {
    const auto faults = set_.Faults({}, true);
    return faults.empty() ? Ok() : Status(faults.front());
  }

  void Start() {
    ended_ = false;
    successes_ = 0;
    thread_ = std::jthread([this](std::stop_token stop) {
      WatcherContext context{
          .name = name_,
          .queue = WatcherQueue(*queue_, name_, stop, notes, [this] { OnSuccess(); }),
          .log = Logger().With({{"watcher", name_}}),
          .notes = notes,
          .hooks = hooks,
      };
      result_ = watcher_->Run(context, stop);
      asked_ = stop.stop_requested();
      ended_ = true;
    });
  }
  // Requests stop and returns what Run did; Ok where that was kStopped because of a stop, as Run is
  // free to say either.
  Status Stop() {
    Release();
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    if (asked_ && !result_ && result_.error().code == ErrorCode::kStopped) return Ok();
    return result_;
  }
  bool ended() const { return ended_; }
  // What Run returned, once ended().
  const Status& result() const { return result_; }

  // How often the watcher has reported success since Start, by puts and otherwise.
  int successes() const { return successes_; }
  bool WaitForSuccesses(int count) const {
    return Eventually([&] { return successes_ >= count; });
  }

  // Holds the watcher's thread at its next success, until Release.
  void HoldAtNextSuccess() {
    const std::lock_guard lock(mutex_);
    hold_ = true;
  }
  bool WaitUntilHeld() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return held_; });
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    hold_ = false;
    changed_.notify_all();
  }

  Counter accepted;
  Counter rejected;
  WatcherNotes notes{accepted, rejected};
  Hooks hooks;

 private:
  void Set(const std::string& name, const std::vector<std::string>& values) {
    for (auto& option : set_.all()) {
      if (option.name() != set_.prefix() + "." + name) continue;
      if (auto set = option.Set(values); !set) throw std::runtime_error(set.error().message);
      return;
    }
    throw std::runtime_error("no option " + name);
  }
  void OnSuccess() {
    ++successes_;
    std::unique_lock lock(mutex_);
    held_ = hold_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !hold_; });
    held_ = false;
  }

  TestQueue& queue_;
  const std::string name_;
  OptionSet set_;
  std::unique_ptr<Watcher> watcher_;
  Status result_;
  bool asked_ = false;  // whether stop was requested before Run returned
  std::atomic<bool> ended_{false};
  std::atomic<int> successes_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false, held_ = false;
  std::jthread thread_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_WATCHER_HARNESS_H_
