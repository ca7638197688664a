// Opens TCP connections: resolves a name and connects to one of its addresses.
#ifndef CORE_NET_CONNECTOR_H_
#define CORE_NET_CONNECTOR_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/net/resolver.h"

namespace tower {

// Connects to one address; otherwise like Connector::Connect. kTimeout: no answer before the
// deadline.
Result<int> ConnectTo(const SocketAddress& address, Deadline deadline,
                      std::chrono::milliseconds user_timeout, int interrupt_fd);

// Tries the addresses of a name one after the other. Used by one thread.
class Connector {
 public:
  // Returns a connected socket, which the caller closes: non-blocking, close-on-exec, with
  // TCP_NODELAY and keep-alive; the kernel closes the connection when sent data stays
  // unacknowledged for `user_timeout`.
  // Errors: kStopped once `interrupt_fd` is readable, kTimeout at the deadline, else kUnavailable
  // with the error of the last address.
  Result<int> Connect(const std::string& host, std::uint16_t port, Deadline deadline,
                      std::chrono::milliseconds user_timeout, int interrupt_fd);

 private:
  Resolver resolver_;
};

}  // namespace tower

#endif  // CORE_NET_CONNECTOR_H_
