#include "core/http_cutter.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace tower {

HttpCutter::HttpCutter(std::stop_token stop, Deadline deadline)
    : stop_(std::move(stop)), deadline_(deadline), thread_([this] { Run(); }) {}

HttpCutter::~HttpCutter() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HttpCutter::Watch(int fd) {
  const std::lock_guard lock(mutex_);
  while (dup3(fd, watched_.fd(), O_CLOEXEC) < 0 && (errno == EINTR || errno == EBUSY)) {
  }
}

std::optional<Error> HttpCutter::Cut() const {
  const std::lock_guard lock(mutex_);
  return cut_;
}

void HttpCutter::Run() {
  constexpr std::chrono::milliseconds kAgain{10};  // a socket that is not yet connecting ignores it
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop_, deadline_, [this] { return done_; });
  if (done_) return;
  cut_ = stop_.stop_requested() ? Error{ErrorCode::kStopped, "interrupted"}
                                : Error{ErrorCode::kTimeout, "no whole answer in time"};
  interrupt_.Signal();
  do {
    shutdown(watched_.fd(), SHUT_RDWR);
  } while (!changed_.wait_for(lock, kAgain, [this] { return done_; }));
}

}  // namespace tower
