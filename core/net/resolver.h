// Host names to addresses, by getaddrinfo(3) with an end to the waiting.
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

// Whether only this host can be behind it: 127.0.0.0/8, ::1, the same as a mapped address.
bool IsLoopback(const sockaddr& address);
// The same for an address that is written out, and for localhost. Asks nobody.
bool IsLoopbackHost(const std::string& host);

// Used by one thread.
//
// getaddrinfo(3) can neither be bounded nor interrupted, so it runs on a thread of its own that is
// left behind when the deadline passes; the next Resolve of that name waits for the same look-up
// instead of starting another. So there is at most one such thread for each host and port.
class Resolver {
 public:
  // At least one address, for TCP, in the order in which they are to be tried. kStopped once
  // `interrupt_fd` is readable, kTimeout at the deadline, else kUnavailable.
  Result<std::vector<SocketAddress>> Resolve(const std::string& host, std::uint16_t port,
                                             Deadline deadline, int interrupt_fd);

 private:
  struct Lookup;
  std::map<std::string, std::shared_ptr<Lookup>> lookups_;
};

}  // namespace tower

#endif  // CORE_NET_RESOLVER_H_
