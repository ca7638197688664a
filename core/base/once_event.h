// One thread tells another that something is done, once.
#ifndef CORE_BASE_ONCE_EVENT_H_
#define CORE_BASE_ONCE_EVENT_H_

#include <atomic>
#include <cstdint>

namespace tower {

// A futex(2) of three states, cheaper than a condition variable where each waiter waits for its own
// event: Set makes a system call only when the waiter sleeps. The waiter may destroy the event as
// soon as Wait has returned; Set does not touch it afterwards (its wake-up call names an address
// only).
class OnceEvent {
 public:
  void Set() noexcept;   // by one thread, once
  void Wait() noexcept;  // by one thread; what the other did before Set is visible afterwards

 private:
  enum : std::uint32_t { kUnset, kWaiting, kSet };
  std::atomic<std::uint32_t> state_{kUnset};
};

}  // namespace tower

#endif  // CORE_BASE_ONCE_EVENT_H_
