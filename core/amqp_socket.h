// How a connection to a broker comes about: names to addresses, addresses to a connected socket.
#ifndef CORE_AMQP_SOCKET_H_
#define CORE_AMQP_SOCKET_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/result.h"

namespace tower {

using Deadline = std::chrono::steady_clock::time_point;

// Milliseconds until the deadline for poll(2), rounded up; 0 when it has passed.
int PollTimeout(Deadline deadline);

// Connects to one address of a name after the other. Used by one thread.
//
// getaddrinfo(3) can neither be bounded nor interrupted, so it runs on a thread of its own that is
// left behind when the deadline passes; the next Connect to that name waits for the same look-up
// instead of starting another. So there is at most one such thread for each host and port.
class Connector {
 public:
  // The connected socket: non-blocking, close-on-exec, TCP_NODELAY, keep-alive, and given up by the
  // kernel when sent data stays unacknowledged for `user_timeout`. The caller closes it.
  // kStopped once `interrupt_fd` is readable, kTimeout at the deadline, else kUnavailable with the
  // last address's error.
  Result<int> Connect(const std::string& host, std::uint16_t port, Deadline deadline,
                      std::chrono::milliseconds user_timeout, int interrupt_fd);

 private:
  struct Lookup;
  std::map<std::string, std::shared_ptr<Lookup>> lookups_;
  Result<std::shared_ptr<Lookup>> Resolve(const std::string& host, std::uint16_t port,
                                          Deadline deadline, int interrupt_fd);
};

}  // namespace tower

#endif  // CORE_AMQP_SOCKET_H_
