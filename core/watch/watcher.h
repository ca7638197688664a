// The plugin interface. A watcher turns the events of one source into triggers. This header is the
// complete interface for the author of a plugin.
//
// A plugin is a folder plugins/<name>/ with a watcher.cpp and a README.md; the build finds it. The
// class derives from Watcher, declares its options in a static Declare(OptionSet&, Self&), and
// registers itself with REGISTER_WATCHER. The supervisor and the queue provide retries, restarts,
// names, metrics and persistence.
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
#include "core/queue/types.h"
#include "core/trigger/trigger.h"
#include "core/watch/watcher_notes.h"

namespace tower {

class Hooks;
class Mapping;
class TriggerQueue;

// The event behind a put, stored in the same transaction as its triggers.
struct Event {
  // The id of the event in its source, or empty. Another put with the same key stores only its
  // checkpoint.
  std::string_view key = {};
  // Changes of the watcher's checkpoint: key-value pairs that are kept across restarts. The watcher
  // chooses the keys.
  std::span<const CheckpointChange> remember = {};
  // The content behind the key: another fingerprint with the same key is kConflict.
  std::string_view fingerprint = {};
};

// Receives the result that Put would return, and the uuids of the triggers; for a known key these
// are the uuids of the first put.
using Submitted = std::function<void(Result<std::vector<Uuid>>)>;

// The watcher's interface to the queue. Used by the watcher's thread, except Submit.
class WatcherQueue {
 public:
  // `on_success` is called after each put and by ReportSuccess, on the watcher's thread; after a
  // Submit on the queue's writer thread, where it must be fast and must not call the queue.
  WatcherQueue(TriggerQueue& queue, std::string source, std::stop_token stop, WatcherNotes& notes,
               std::function<void()> on_success);
  // Waits until all submitted triggers are on disk or refused, and `done` has returned.
  ~WatcherQueue();
  WatcherQueue(const WatcherQueue&) = delete;
  WatcherQueue& operator=(const WatcherQueue&) = delete;

  // Returns once the triggers and the checkpoint are on disk; they will then be published. Waits
  // while the queue is full. An empty span stores only the checkpoint, even after a stop request.
  // Errors: kStopped, a stop was requested first and nothing was stored; return it from Run.
  // kConflict and kInvalid, these triggers cannot be stored (a uuid is known with other content,
  // they are larger than the whole queue), but later ones can. After any other error, return it
  // from Run and be prepared to process the event again.
  Status Put(std::span<const Trigger> triggers, const Event& event = {});
  Status Put(const Trigger& trigger, const Event& event = {}) {
    return Put(std::span(&trigger, 1), event);
  }

  // Like Put, for a caller that must not block, such as an HTTP handler. Thread-safe. If the queue
  // is full, the result is kFull at once. `done` is called exactly once, by this call or on the
  // queue's writer thread, and before this object is destroyed, which happens after Run. `done`
  // must own what it uses, be fast, not throw, and not call the queue. The other arguments are not
  // referred to after the call.
  void Submit(std::span<const Trigger> triggers, const Event& event, Submitted done);

  // The checkpoint value of a key; the whole checkpoint, sorted by key.
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
  std::size_t submitted_ = 0;  // calls of Submit in progress
};

// The services that a running watcher uses. Used by the watcher's thread; other threads may use
// queue.Submit, log, notes and hooks, but only while Run runs, except `done` of Submit.
struct WatcherContext {
  std::string name;  // of this watcher, such as "inbox"
  WatcherQueue queue;
  Logger log;           // adds the watcher's name to each event
  WatcherNotes& notes;  // for rejected events, retries and the next event
  Hooks& hooks;         // core/watch/hooks.h

  // Reports that the source was read without a fault, which resets the backoff. Put does so too.
  void ReportSuccess();

  // Waits for `time`; returns false as soon as a stop is requested.
  static bool Sleep(std::chrono::milliseconds time, const std::stop_token& stop);
};

class Watcher {
 public:
  virtual ~Watcher() = default;

  // Watches until a stop is requested, then returns Ok or kStopped within a second. After a
  // retryable error the supervisor calls Run again on the same object after a backoff; kPermanent
  // and kInvalid stop this watcher only. An exception counts as a retryable error, and so does a
  // return without a stop request.
  virtual Status Run(WatcherContext& tower, std::stop_token stop) = 0;

  // The mapping of this watcher, for `control-tower map`; nullptr if it has none.
  virtual Mapping* mapping() { return nullptr; }

  // Whether it must connect to its source before it can watch. Then its state is "starting", also
  // for /readyz, until it reports a success.
  virtual bool Connects() const { return false; }

  // Whether it serves /hooks/{its name} (core/watch/hooks.h) while it runs.
  virtual bool ServesHook() const { return false; }
};

// A node of the list of linked-in plugins. REGISTER_WATCHER constructs it before main, without
// allocation, locks or exceptions.
class WatcherKind {
 public:
  // Creates a watcher and declares its options, bound to the watcher, in `options`.
  using NewWatcher = std::unique_ptr<Watcher> (*)(OptionSet& options);

  constexpr WatcherKind(std::string_view name, std::string_view summary, NewWatcher make) noexcept
      : name_(name), summary_(summary), make_(make) {}

  // Adds the node to the list; called once per node, before main. Always returns true.
  bool Link() noexcept;

  std::string_view name() const noexcept { return name_; }
  std::string_view summary() const noexcept { return summary_; }
  std::unique_ptr<Watcher> New(OptionSet& options) const { return make_(options); }

  // All linked-in kinds, sorted by name. kInvalid if two kinds have the same name, or a name is
  // empty or contains anything but lower case letters, digits and dashes.
  static Result<std::vector<const WatcherKind*>> All();
  // Checks and sorts a list of kinds; the implementation of All.
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

// Registers a plugin; to be used once, at namespace scope in watcher.cpp: REGISTER_WATCHER(Class,
// "name", "What it does, in one sentence.").
#define REGISTER_WATCHER(Class, name, summary)                                                  \
  constinit ::tower::WatcherKind watcher_kind_##Class{name, summary,                            \
                                                      &::tower::internal::NewWatcherOf<Class>}; \
  [[maybe_unused]] const bool watcher_linked_##Class = watcher_kind_##Class.Link()

}  // namespace tower

#endif  // CORE_WATCH_WATCHER_H_
