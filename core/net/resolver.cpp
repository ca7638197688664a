#include "core/net/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "core/base/encode.h"
#include "core/base/wakeup.h"

namespace tower {

bool IsLoopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return ntohl(v4.sin_addr.s_addr) >> 24U == 127;
  }
  if (address.sa_family != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool IsLoopbackHost(const std::string& host) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    return IsLoopback(reinterpret_cast<const sockaddr&>(v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    return IsLoopback(reinterpret_cast<const sockaddr&>(v6));
  }
  return EqualsIgnoringCase(host, "localhost");
}

struct Resolver::Lookup {
  Wakeup done;
  std::atomic<bool> ended{false};
  int status = 0;  // of getaddrinfo; the caller may read it and the list once `ended` is set
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

Result<std::vector<SocketAddress>> Resolver::Resolve(const std::string& host, std::uint16_t port,
                                                     Deadline deadline, int interrupt_fd) {
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
  if (ready == Ready::kInterrupted) return Error{ErrorCode::kStopped, "interrupted"};
  if (!running->ended.load(std::memory_order_acquire)) {
    return Error{ErrorCode::kTimeout, "look up the host: no answer in time"};
  }
  const std::shared_ptr<Lookup> lookup = std::move(running);
  lookups_.erase(key);
  if (lookup->status != 0) {
    return Error{ErrorCode::kUnavailable,
                 std::string("look up the host: ") + gai_strerror(lookup->status)};
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* a = lookup->addresses; a != nullptr; a = a->ai_next) {
    auto& address = addresses.emplace_back();
    address.size = std::min<socklen_t>(a->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, a->ai_addr, address.size);
  }
  if (addresses.empty()) return Error{ErrorCode::kUnavailable, "the host has no address"};
  return addresses;
}

}  // namespace tower
