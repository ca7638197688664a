// Waiting for a file descriptor until a deadline.
#ifndef CORE_BASE_DEADLINE_H_
#define CORE_BASE_DEADLINE_H_

#include <chrono>

namespace tower {

using Deadline = std::chrono::steady_clock::time_point;

// Milliseconds until the deadline for poll(2), rounded up; 0 when it has passed.
int PollTimeout(Deadline deadline);

// Waits until one of `events` (of poll(2)) occurs on `fd`, `interrupt_fd` becomes readable, or the
// deadline passes.
enum class Ready { kYes, kTimeout, kInterrupted };
Ready WaitFor(int fd, short events, int interrupt_fd, Deadline deadline);

}  // namespace tower

#endif  // CORE_BASE_DEADLINE_H_
