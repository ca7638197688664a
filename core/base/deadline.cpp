#include "core/base/deadline.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace tower {

using std::chrono::steady_clock;

int PollTimeout(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

Ready WaitFor(int fd, short events, int interrupt_fd, Deadline deadline) {
  for (;;) {
    std::array<pollfd, 2> fds = {{{fd, events, 0}, {interrupt_fd, POLLIN, 0}}};
    const int n = poll(fds.data(), fds.size(), PollTimeout(deadline));
    if (n < 0 && errno == EINTR) continue;
    if (fds[1].revents != 0) return Ready::kInterrupted;
    if (fds[0].revents != 0 || n < 0) return Ready::kYes;
    if (steady_clock::now() >= deadline) return Ready::kTimeout;
  }
}

}  // namespace tower
