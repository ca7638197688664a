// How a connection to a broker comes about: names to addresses, addresses to a connected socket.
#ifndef CORE_NET_CONNECTOR_H_
#define CORE_NET_CONNECTOR_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/net/resolver.h"

namespace tower {

// As Connector, to one address. kTimeout: no answer before the deadline.
Result<int> ConnectTo(const SocketAddress& address, Deadline deadline,
                      std::chrono::milliseconds user_timeout, int interrupt_fd);

// Connects to one address of a name after the other. Used by one thread.
class Connector {
 public:
  // The connected socket: non-blocking, close-on-exec, TCP_NODELAY, keep-alive, and given up by the
  // kernel when sent data stays unacknowledged for `user_timeout`. The caller closes it.
  // kStopped once `interrupt_fd` is readable, kTimeout at the deadline, else kUnavailable with the
  // last address's error.
  Result<int> Connect(const std::string& host, std::uint16_t port, Deadline deadline,
                      std::chrono::milliseconds user_timeout, int interrupt_fd);

 private:
  Resolver resolver_;
};

}  // namespace tower

#endif  // CORE_NET_CONNECTOR_H_
