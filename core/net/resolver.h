// Resolves host names with getaddrinfo(3), with a deadline.
#ifndef CORE_NET_RESOLVER_H_
#define CORE_NET_RESOLVER_H_

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/deadline.h"
#include "core/base/result.h"

namespace tower {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// Whether the address is a loopback address: 127.0.0.0/8, also as an IPv4-mapped address, or ::1.
bool IsLoopback(const sockaddr& address);
// The same for the text of an address, and true for localhost. Does not use DNS.
bool IsLoopbackHost(const std::string& host);

// Used by one thread.
//
// getaddrinfo(3) has no timeout and cannot be interrupted. Therefore it runs on a separate thread,
// which is detached when the deadline passes; the next Resolve of that name waits for the same
// look-up instead of starting another. There is at most one such thread for each host and port.
class Resolver {
 public:
  // Returns at least one TCP address, in the order in which to try them. Errors: kStopped once
  // `interrupt_fd` is readable, kTimeout at the deadline, else kUnavailable.
  Result<std::vector<SocketAddress>> Resolve(const std::string& host, std::uint16_t port,
                                             Deadline deadline, int interrupt_fd);

 private:
  struct Lookup;
  std::map<std::string, std::shared_ptr<Lookup>> lookups_;
};

}  // namespace tower

#endif  // CORE_NET_RESOLVER_H_
