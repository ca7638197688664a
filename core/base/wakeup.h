// Wake-ups as file descriptors: one thread can poll(2) for sockets and for other threads at once.
#ifndef CORE_BASE_WAKEUP_H_
#define CORE_BASE_WAKEUP_H_

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

namespace tower {

// An eventfd(2). Signal is thread-safe and async-signal-safe; Clear is called by the waiting thread
// only.
class Wakeup {
 public:
  Wakeup();  // throws std::system_error if the process has no file descriptor left
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const noexcept { return fd_; }  // readable once signalled, until cleared
  void Signal() noexcept;
  void Clear() noexcept;

 private:
  int fd_;
};

// A file descriptor that becomes readable once a stop is requested. Constant after construction.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop);  // throws as Wakeup does
  int fd() const noexcept { return wakeup_.fd(); }

 private:
  Wakeup wakeup_;
  // Declared after wakeup_: its destructor waits for a callback in progress.
  const std::stop_callback<std::function<void()>> callback_;
};

// Delays the signals of a thread until its batch ends, so that a thread with results for many
// sleepers hands over all of them before it wakes any. Otherwise, on a shared core, the first
// sleeper would run at once, find only its own result and sleep again, and so on for each of them.
// At most one batch exists per thread.
class WakeupBatch {
 public:
  WakeupBatch() noexcept;
  ~WakeupBatch();  // sends the delayed signals, in order
  WakeupBatch(const WakeupBatch&) = delete;
  WakeupBatch& operator=(const WakeupBatch&) = delete;

  // Signals when the batch of this thread ends, or at once if the thread has no batch.
  static void Signal(std::shared_ptr<Wakeup> wakeup) noexcept;

 private:
  std::vector<std::shared_ptr<Wakeup>> noted_;
};

}  // namespace tower

#endif  // CORE_BASE_WAKEUP_H_
