// A one-shot event between two threads.
#ifndef CORE_BASE_ONCE_EVENT_H_
#define CORE_BASE_ONCE_EVENT_H_

#include <atomic>
#include <cstdint>

namespace tower {

// A futex(2) with three states. It is cheaper than a condition variable where each waiter has its
// own event: Set makes a system call only if the waiter sleeps. The waiter may destroy the event as
// soon as Wait has returned; Set does not access it afterwards (the futex call only uses its
// address).
class OnceEvent {
 public:
  // Called once, by one thread.
  void Set() noexcept;
  // Called by one thread. Everything that happened before Set is visible after Wait returns.
  void Wait() noexcept;

 private:
  enum : std::uint32_t { kUnset, kWaiting, kSet };
  std::atomic<std::uint32_t> state_{kUnset};
};

}  // namespace tower

#endif  // CORE_BASE_ONCE_EVENT_H_
