#include "core/watch/watcher.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "core/queue/queue.h"

namespace tower {
namespace {

constinit const WatcherKind* linked_kinds = nullptr;

PutOptions OptionsOf(std::string_view source, const Event& event) {
  PutOptions options;
  options.source = source;
  options.key = event.key;
  options.fingerprint = event.fingerprint;
  options.checkpoints = event.remember;
  return options;
}

bool IsPluginName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

WatcherQueue::WatcherQueue(TriggerQueue& queue, std::string source, std::stop_token stop,
                           WatcherNotes& notes, std::function<void()> on_success)
    : queue_(queue),
      source_(std::move(source)),
      stop_(std::move(stop)),
      notes_(notes),
      on_success_(std::move(on_success)) {}

WatcherQueue::~WatcherQueue() {
  std::unique_lock lock(mutex_);
  answered_.wait(lock, [this] { return submitted_ == 0; });
}

Status WatcherQueue::Put(std::span<const Trigger> triggers, const Event& event) {
  auto options = OptionsOf(source_, event);
  auto stop = stop_;
  if (triggers.empty() && stop.stop_requested()) {
    // The final checkpoint of a stopping watcher: store it, but do not wait long.
    stop = {};
    options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  }
  auto receipt = queue_.Put(triggers, options, stop);
  if (!receipt) return receipt.error();
  if (!triggers.empty()) notes_.Take(receipt->repeated ? 0 : triggers.size());
  on_success_();
  return Ok();
}

void WatcherQueue::Submit(std::span<const Trigger> triggers, const Event& event, Submitted done) {
  const auto options = OptionsOf(source_, event);
  {
    const std::lock_guard lock(mutex_);
    ++submitted_;
  }
  try {
    queue_.Submit(triggers, options,
                  [this, count = triggers.size(), done = std::move(done)](Result<Receipt> receipt) {
                    if (receipt) {
                      if (count > 0) notes_.Take(receipt->repeated ? 0 : count);
                      on_success_();
                      done(std::move(receipt->uuids));
                    } else {
                      done(receipt.error());
                    }
                    EndSubmit();
                  });
  } catch (...) {  // out of memory, before the queue accepted the call
    EndSubmit();
    throw;
  }
}

// This object may be destroyed as soon as the lock is released.
void WatcherQueue::EndSubmit() {
  const std::lock_guard lock(mutex_);
  if (--submitted_ == 0) answered_.notify_all();
}

Result<std::optional<std::string>> WatcherQueue::Recall(std::string_view key) const {
  return queue_.Checkpoint(source_, key);
}

Result<std::vector<std::pair<std::string, std::string>>> WatcherQueue::RecallAll() const {
  return queue_.Checkpoints(source_);
}

void WatcherContext::ReportSuccess() { queue.on_success_(); }

bool WatcherContext::Sleep(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  // Avoids an overflow.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  never.wait_for(lock, stop, std::min(time, kLongest), [] { return false; });
  return !stop.stop_requested();
}

bool WatcherKind::Link() noexcept {
  next_ = linked_kinds;
  linked_kinds = this;
  return true;
}

Result<std::vector<const WatcherKind*>> WatcherKind::All() {
  std::vector<const WatcherKind*> kinds;
  for (const auto* kind = linked_kinds; kind != nullptr; kind = kind->next_) kinds.push_back(kind);
  return Sorted(std::move(kinds));
}

Result<std::vector<const WatcherKind*>> WatcherKind::Sorted(std::vector<const WatcherKind*> kinds) {
  std::stable_sort(kinds.begin(), kinds.end(),
                   [](const auto* a, const auto* b) { return a->name() < b->name(); });
  std::string faults;
  const auto add = [&faults](std::string_view name, std::string_view what) {
    if (!faults.empty()) faults += "; ";
    faults.append("plugin \"").append(name).append("\" ").append(what);
  };
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto name = kinds[i]->name();
    if (!IsPluginName(name)) {
      add(name, "needs a name of lower case letters, digits and dashes");
    }
    const bool again = i > 0 && kinds[i - 1]->name() == name;
    if (again && (i < 2 || kinds[i - 2]->name() != name)) add(name, "is registered more than once");
  }
  if (!faults.empty()) return Error{ErrorCode::kInvalid, faults};
  return kinds;
}

}  // namespace tower
