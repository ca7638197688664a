#include "core/publish/stdout_broker.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/deadline.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Error OutputError(int error_number) {
  return {ErrorCode::kPermanent, "write to standard output: " + ErrnoText(error_number)};
}

}  // namespace

StdoutBroker::StdoutBroker(int fd) : fd_(fd) {
  struct stat status {};
  regular_file_ = fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
}

Status StdoutBroker::Connect(std::stop_token stop) {
  if (stop.stop_requested()) return Error{ErrorCode::kStopped, "interrupted"};
  interrupted_.store(false);
  interrupt_.Clear();
  out_.clear();
  written_ = 0;
  last_tag_ = confirmed_ = 0;
  pollfd target = {fd_, POLLOUT, 0};
  if (poll(&target, 1, 0) < 0 && errno != EINTR) return OutputError(errno);
  if ((target.revents & POLLNVAL) != 0) return OutputError(EBADF);
  if ((target.revents & POLLERR) != 0) return OutputError(EPIPE);
  return Ok();
}

Result<std::uint64_t> StdoutBroker::Publish(const AcceptedTrigger& trigger) {
  const std::size_t begin = out_.size();
  out_ += trigger.body;
  const auto line_break = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(out_.begin() + static_cast<std::ptrdiff_t>(begin), out_.end(), line_break, ' ');
  out_ += '\n';
  return ++last_tag_;
}

// True when a write does not block, false at the deadline.
Result<bool> StdoutBroker::WaitForRoom(steady_clock::time_point deadline) {
  for (;;) {
    std::array<pollfd, 2> fds = {{{fd_, POLLOUT, 0}, {interrupt_.fd(), POLLIN, 0}}};
    const int n = poll(fds.data(), fds.size(), PollTimeout(deadline));
    if (n < 0 && errno != EINTR) return OutputError(errno);
    if (interrupted_.load()) return Error{ErrorCode::kStopped, "interrupted"};
    if (n > 0 && fds[0].revents != 0) return true;
    if (n == 0 && steady_clock::now() >= deadline) return false;
  }
}

Status StdoutBroker::Flush(steady_clock::time_point deadline) {
  while (written_ < out_.size()) {
    auto room = WaitForRoom(deadline);
    if (!room) return room.error();
    if (!*room) return Ok();
    // poll(2) promises that a pipe takes PIPE_BUF bytes; writing more could block.
    std::size_t size = out_.size() - written_;
    if (!regular_file_) size = std::min<std::size_t>(size, PIPE_BUF);
    const ssize_t n = write(fd_, out_.data() + written_, size);
    if (n >= 0) {
      written_ += static_cast<std::size_t>(n);
    } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
      return OutputError(errno);
    }
  }
  out_.clear();
  written_ = 0;
  return Ok();
}

Status StdoutBroker::Wait(milliseconds timeout, int wake_fd, std::vector<BrokerEvent>& events) {
  const auto deadline = steady_clock::now() + timeout;
  if (Status s = Flush(deadline); !s) return s;
  if (confirmed_ < last_tag_ && out_.empty()) {
    confirmed_ = last_tag_;
    events.push_back(
        {.kind = BrokerEvent::Kind::kConfirmed, .tag = last_tag_, .multiple = true, .reason = {}});
    return Ok();
  }
  // Nothing to write: a pipe whose reader leaves reports POLLERR without being asked.
  std::array<pollfd, 3> fds = {{{fd_, 0, 0}, {interrupt_.fd(), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  if (poll(fds.data(), fds.size(), PollTimeout(deadline)) < 0)
    return Ok();  // EINTR: like a wake-up
  if (interrupted_.load()) return Error{ErrorCode::kStopped, "interrupted"};
  if ((fds[0].revents & POLLERR) != 0) return OutputError(EPIPE);
  return Ok();
}

void StdoutBroker::Interrupt() {
  interrupted_.store(true);
  interrupt_.Signal();
}

}  // namespace tower
