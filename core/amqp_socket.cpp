#include "core/amqp_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

#include "core/wakeup.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// No single address uses up the time of the others.
constexpr milliseconds kAddressTimeout{4000};

enum class Ready { kYes, kTimeout, kInterrupted };

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

Error Interrupted() { return {ErrorCode::kStopped, "interrupted"}; }

bool Set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<int> ConnectTo(const addrinfo& address, Deadline deadline, int user_timeout_ms,
                      int interrupt_fd) {
  const int fd = socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                        address.ai_protocol);
  if (fd < 0) return Error{ErrorCode::kUnavailable, ErrnoText(errno)};
  int fault = 0;
  Ready ready = Ready::kYes;
  if (!Set(fd, IPPROTO_TCP, TCP_NODELAY, 1) || !Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) ||
      !Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms)) {
    fault = errno;
  } else if (connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
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

}  // namespace

int PollTimeout(Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

struct Connector::Lookup {
  Wakeup done;
  std::atomic<bool> ended{false};
  int status = 0;  // of getaddrinfo; this and the list are the caller's once ended
  addrinfo* addresses = nullptr;

  Lookup() = default;
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() {
    if (addresses != nullptr) freeaddrinfo(addresses);
  }

  void Run(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &addresses);
    ended.store(true, std::memory_order_release);
    done.Signal();
  }
};

Result<std::shared_ptr<Connector::Lookup>> Connector::Resolve(const std::string& host,
                                                              std::uint16_t port, Deadline deadline,
                                                              int interrupt_fd) {
  const std::string key = host + ":" + std::to_string(port);
  std::shared_ptr<Lookup>& running = lookups_[key];
  if (!running) {
    try {
      running = std::make_shared<Lookup>();
      std::thread([lookup = running, host, port] { lookup->Run(host, port); }).detach();
    } catch (const std::system_error& e) {
      running.reset();
      return Error{ErrorCode::kUnavailable, std::string("look up the host: ") + e.what()};
    }
  }
  const Ready ready = WaitFor(running->done.fd(), POLLIN, interrupt_fd, deadline);
  if (ready == Ready::kInterrupted) return Interrupted();
  if (!running->ended.load(std::memory_order_acquire)) {
    return Error{ErrorCode::kTimeout, "look up the host: no answer in time"};
  }
  std::shared_ptr<Lookup> lookup = std::move(running);
  lookups_.erase(key);
  if (lookup->status != 0) {
    return Error{ErrorCode::kUnavailable,
                 std::string("look up the host: ") + gai_strerror(lookup->status)};
  }
  return lookup;
}

Result<int> Connector::Connect(const std::string& host, std::uint16_t port, Deadline deadline,
                               std::chrono::milliseconds user_timeout, int interrupt_fd) {
  auto lookup = Resolve(host, port, deadline, interrupt_fd);
  if (!lookup) return lookup.error();
  Result<int> connected = Error{ErrorCode::kUnavailable, "the host has no address"};
  for (const addrinfo* a = (*lookup)->addresses; a != nullptr; a = a->ai_next) {
    const Deadline until = std::min(deadline, steady_clock::now() + kAddressTimeout);
    connected = ConnectTo(*a, until, static_cast<int>(user_timeout.count()), interrupt_fd);
    if (connected || connected.error().code == ErrorCode::kStopped) break;
  }
  return connected;
}

}  // namespace tower
