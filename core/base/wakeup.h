// Something to poll(2) on: lets one thread wait for a socket and for another thread at once.
#ifndef CORE_BASE_WAKEUP_H_
#define CORE_BASE_WAKEUP_H_

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

namespace tower {

// An eventfd(2). Signal is thread-safe and async-signal-safe; Clear belongs to the one thread that
// waits.
class Wakeup {
 public:
  Wakeup();  // throws std::system_error when the process is out of file descriptors
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const noexcept { return fd_; }  // readable once signalled, until cleared
  void Signal() noexcept;
  void Clear() noexcept;

 private:
  int fd_;
};

// Readable once a stop is requested. Constant after construction.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop);  // throws as Wakeup does
  int fd() const noexcept { return wakeup_.fd(); }

 private:
  Wakeup wakeup_;
  // Behind wakeup_: its destructor waits for a call that is under way.
  const std::stop_callback<std::function<void()>> callback_;
};

// Lets a thread that has something for many sleepers say it to all of them before it wakes any:
// where they share a core, the first one woken would run at once, find nothing more, and sleep
// again, for each in turn. At most one batch lives on a thread.
class WakeupBatch {
 public:
  WakeupBatch() noexcept;
  ~WakeupBatch();  // signals what was noted, in order
  WakeupBatch(const WakeupBatch&) = delete;
  WakeupBatch& operator=(const WakeupBatch&) = delete;

  // Signals when this thread's batch ends, or at once where it has none.
  static void Signal(std::shared_ptr<Wakeup> wakeup) noexcept;

 private:
  std::vector<std::shared_ptr<Wakeup>> noted_;
};

}  // namespace tower

#endif  // CORE_BASE_WAKEUP_H_
