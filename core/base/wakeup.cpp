#include "core/base/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

namespace tower {
namespace {

thread_local WakeupBatch* batch_here = nullptr;

}  // namespace

Wakeup::Wakeup() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Wakeup::~Wakeup() { close(fd_); }

void Wakeup::Signal() noexcept {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is at its maximum, so the descriptor is readable already.
  while (write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Wakeup::Clear() noexcept {
  std::uint64_t count = 0;
  while (read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

StopEvent::StopEvent(const std::stop_token& stop) : callback_(stop, [this] { wakeup_.Signal(); }) {}

WakeupBatch::WakeupBatch() noexcept { batch_here = this; }

WakeupBatch::~WakeupBatch() {
  batch_here = nullptr;
  for (const auto& wakeup : noted_) wakeup->Signal();
}

void WakeupBatch::Signal(std::shared_ptr<Wakeup> wakeup) noexcept {
  if (batch_here == nullptr) {
    wakeup->Signal();
    return;
  }
  try {
    batch_here->noted_.push_back(std::move(wakeup));
  } catch (const std::bad_alloc&) {
    wakeup->Signal();
  }
}

}  // namespace tower
