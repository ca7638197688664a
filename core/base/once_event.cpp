#include "core/base/once_event.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tower {

void OnceEvent::Set() noexcept {
  auto* address = &state_;
  if (state_.exchange(kSet, std::memory_order_acq_rel) == kWaiting) {
    syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

void OnceEvent::Wait() noexcept {
  std::uint32_t seen = kUnset;
  if (!state_.compare_exchange_strong(seen, kWaiting, std::memory_order_acq_rel)) return;
  while (state_.load(std::memory_order_acquire) != kSet) {
    syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, kWaiting, nullptr, nullptr, 0);
  }
}

}  // namespace tower
