// A watcher: a plugin that turns events of one source into triggers. This header is all that a
// plugin's author needs.
//
// A plugin is a folder plugins/<name>/ with a watcher.cpp and a README.md; the build finds it. The
// class derives from Watcher, declares its options in a static Declare(OptionSet&, Self&), and
// registers itself with REGISTER_WATCHER. Retry, restart, naming, metrics and persistence are the
// supervisor's and the queue's.
#ifndef CORE_WATCH_WATCHER_H_
#define CORE_WATCH_WATCHER_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/options/options.h"
#include "core/trigger/trigger.h"
#include "core/watch/watcher_notes.h"

namespace tower {

class Hooks;
class Mapping;
class TriggerQueue;

// A change of the watcher's checkpoint: what it remembers across restarts, under keys of its own
// choice.
struct Remember {
  std::string key;
  std::optional<std::string> value;  // nothing: forget the key
};

// What goes with a put, into the same transaction.
struct Event {
  std::string_view key = {};  // the event's id in its source; a second put under it stores nothing
                              // but its checkpoint
  std::span<const Remember> remember = {};  // checkpoint
  std::string_view fingerprint = {};        // what the key stands for: another one under the same
                                            // key is kConflict
};

// Hears what Put would have returned, and which uuids the triggers have: those of the first time
// where the key was known.
using Submitted = std::function<void(Result<std::vector<Uuid>>)>;

// The watcher's door to the queue. Used by the watcher's thread, but for Submit.
class WatcherQueue {
 public:
  // `on_success` is called after each put and by ReportSuccess: by the watcher's thread, and, for
  // Submit, by the queue's writer, where it must be quick and must not call the queue.
  WatcherQueue(TriggerQueue& queue, std::string source, std::stop_token stop, WatcherNotes& notes,
               std::function<void()> on_success);
  // Waits until what was submitted is on disk or refused, and `done` has returned.
  ~WatcherQueue();
  WatcherQueue(const WatcherQueue&) = delete;
  WatcherQueue& operator=(const WatcherQueue&) = delete;

  // Returns once the triggers and the checkpoint are on disk: from then on they will be published.
  // Waits while the queue is full. kStopped: stop was requested first, nothing was stored; return
  // it from Run. An empty span stores the checkpoint alone, after a requested stop too. kConflict
  // and kInvalid: these triggers can't be put (a uuid known with other content, larger than the
  // whole queue); the next ones can. Any other error: return it from Run, and be ready to do the
  // event again.
  Status Put(std::span<const Trigger> triggers, const Event& event = {});
  Status Put(const Trigger& trigger, const Event& event = {}) {
    return Put(std::span(&trigger, 1), event);
  }

  // The same for a caller that must not wait, such as an HTTP handler. Thread-safe. A full queue is
  // kFull at once. `done` is called exactly once, by this call or by the queue's writer, at the
  // latest when this object ends, which is after Run: it owns what it uses, is quick, does not
  // throw, and does not call the queue. Keeps nothing of the other arguments.
  void Submit(std::span<const Trigger> triggers, const Event& event, Submitted done);

  // What was remembered under a key; all of it, sorted by key.
  Result<std::optional<std::string>> Recall(std::string_view key) const;
  Result<std::vector<std::pair<std::string, std::string>>> RecallAll() const;

 private:
  friend struct WatcherContext;
  void EndSubmit();

  TriggerQueue& queue_;
  const std::string source_;
  const std::stop_token stop_;
  WatcherNotes& notes_;
  const std::function<void()> on_success_;
  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable answered_;
  std::size_t submitted_ = 0;  // and not yet done
};

// What the tower gives to a running watcher. Used by the watcher's thread; queue.Submit, log, notes
// and hooks by others too, which must not outlast Run but for `done` of Submit.
struct WatcherContext {
  std::string name;  // of this watcher, such as "inbox"
  WatcherQueue queue;
  Logger log;           // has the watcher's name in it
  WatcherNotes& notes;  // tell them what was rejected, what is retried, what comes next
  Hooks& hooks;         // core/watch/hooks.h

  // Tells the supervisor that the source was read without a fault: the backoff starts afresh. Put
  // does so too.
  void ReportSuccess();

  // Waits; false as soon as stop is requested.
  static bool Sleep(std::chrono::milliseconds time, const std::stop_token& stop);
};

class Watcher {
 public:
  virtual ~Watcher() = default;

  // Watches until stop is requested, then returns Ok or kStopped within a second. A retryable error
  // makes the supervisor call Run again on the same object after a backoff; kPermanent and kInvalid
  // stop this watcher alone. An exception counts as a retryable error, and so does a return that
  // nobody asked for.
  virtual Status Run(WatcherContext& tower, std::stop_token stop) = 0;

  // The mapping that this watcher's events go through, for `control-tower map`; null when it has
  // none.
  virtual Mapping* mapping() { return nullptr; }

  // Whether it has to reach its source before it can watch. Then it counts as starting, in /readyz
  // too, until it reports a success.
  virtual bool Connects() const { return false; }

  // Whether it serves /hooks/{its name} (core/watch/hooks.h) while it runs.
  virtual bool ServesHook() const { return false; }
};

// One node of the list of linked-in plugins. Constructed before main by REGISTER_WATCHER: no
// allocation, no lock, no exception.
class WatcherKind {
 public:
  // Makes a watcher whose options are declared in `options` and bound to it.
  using NewWatcher = std::unique_ptr<Watcher> (*)(OptionSet& options);

  constexpr WatcherKind(std::string_view name, std::string_view summary, NewWatcher make) noexcept
      : name_(name), summary_(summary), make_(make) {}

  // Links the node into the list; called once per node, before main. Always true.
  bool Link() noexcept;

  std::string_view name() const noexcept { return name_; }
  std::string_view summary() const noexcept { return summary_; }
  std::unique_ptr<Watcher> New(OptionSet& options) const { return make_(options); }

  // All that are linked in, sorted by name. kInvalid names two of one name, and names that are
  // empty or not lower case letters, digits and dashes.
  static Result<std::vector<const WatcherKind*>> All();
  // What All does with the list of linked-in kinds.
  static Result<std::vector<const WatcherKind*>> Sorted(std::vector<const WatcherKind*> kinds);

 private:
  const std::string_view name_;
  const std::string_view summary_;
  const NewWatcher make_;
  const WatcherKind* next_ = nullptr;
};

namespace internal {
template <typename T>
std::unique_ptr<Watcher> NewWatcherOf(OptionSet& options) {
  auto watcher = std::make_unique<T>();
  T::Declare(options, *watcher);
  return watcher;
}
}  // namespace internal

// At namespace scope in watcher.cpp, once: REGISTER_WATCHER(Class, "name", "What it does, in one
// sentence.").
#define REGISTER_WATCHER(Class, name, summary)                                                  \
  constinit ::tower::WatcherKind watcher_kind_##Class{name, summary,                            \
                                                      &::tower::internal::NewWatcherOf<Class>}; \
  [[maybe_unused]] const bool watcher_linked_##Class = watcher_kind_##Class.Link()

}  // namespace tower

#endif  // CORE_WATCH_WATCHER_H_
