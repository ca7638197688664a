#include "core/net/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Limits the time for one address, so that the others are tried too.
constexpr milliseconds kAddressTimeout{4000};

Error Interrupted() { return {ErrorCode::kStopped, "interrupted"}; }

bool Set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

}  // namespace

Result<int> ConnectTo(const SocketAddress& address, Deadline deadline, milliseconds user_timeout,
                      int interrupt_fd) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return Error{ErrorCode::kUnavailable, ErrnoText(errno)};
  int fault = 0;
  Ready ready = Ready::kYes;
  if (!Set(fd, IPPROTO_TCP, TCP_NODELAY, 1) || !Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) ||
      !Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(user_timeout.count()))) {
    fault = errno;
  } else if (connect(fd, address.get(), address.size) != 0) {
    fault = errno;
    if (fault == EINPROGRESS) {
      ready = WaitFor(fd, POLLOUT, interrupt_fd, deadline);
      socklen_t size = sizeof fault;
      if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) != 0) fault = errno;
    }
  }
  if (ready == Ready::kYes && fault == 0) return fd;
  close(fd);
  if (ready == Ready::kInterrupted) return Interrupted();
  if (ready == Ready::kTimeout) return Error{ErrorCode::kTimeout, "no answer in time"};
  return Error{ErrorCode::kUnavailable, ErrnoText(fault)};
}

Result<int> Connector::Connect(const std::string& host, std::uint16_t port, Deadline deadline,
                               std::chrono::milliseconds user_timeout, int interrupt_fd) {
  const auto addresses = resolver_.Resolve(host, port, deadline, interrupt_fd);
  if (!addresses) return addresses.error();
  Result<int> connected = Error{ErrorCode::kUnavailable, "the host has no address"};
  for (const auto& address : *addresses) {
    const Deadline until = std::min(deadline, steady_clock::now() + kAddressTimeout);
    connected = ConnectTo(address, until, user_timeout, interrupt_fd);
    if (connected || connected.error().code == ErrorCode::kStopped) break;
  }
  return connected;
}

}  // namespace tower
