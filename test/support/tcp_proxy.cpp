#include "test/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace tower {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int BoundSocket(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  const auto address = Loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    throw std::runtime_error("the proxy cannot bind");
  }
  return fd;
}

// Copies what is there; false when the connection is over.
bool Copy(int from, int to) {
  char bytes[65536];
  const auto got = recv(from, bytes, sizeof bytes, 0);
  for (ssize_t sent = 0; sent < got;) {
    const auto n = send(to, bytes + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += n;
  }
  return got > 0;
}

}  // namespace

TcpProxy::TcpProxy(int target_port) : target_port_(target_port), held_(BoundSocket(0)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(held_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}

TcpProxy::~TcpProxy() {
  Close();
  close(held_);
}

void TcpProxy::Open() {
  if (thread_.joinable()) return;
  stop_.Clear();
  thread_ = std::thread([this] { Run(); });
}

void TcpProxy::Close() {
  if (!thread_.joinable()) return;
  stop_.Signal();
  thread_.join();
}

void TcpProxy::Run() {
  const int listener = BoundSocket(port_);
  listen(listener, 16);
  std::vector<std::pair<int, int>> pairs;
  while (true) {
    std::vector<pollfd> ready = {{stop_.fd(), POLLIN, 0}, {listener, POLLIN, 0}};
    for (const auto& [client, target] : pairs) {
      ready.push_back({client, static_cast<short>(muted_ ? 0 : POLLIN), 0});
      ready.push_back({target, POLLIN, 0});
    }
    if (poll(ready.data(), ready.size(), -1) < 0) continue;
    if (ready[0].revents != 0) break;
    for (std::size_t i = pairs.size(); i-- > 0;) {
      const auto [client, target] = pairs[i];
      bool open = true;
      if (ready[2 + 2 * i].revents != 0 && !muted_) open = Copy(client, target);
      if (open && ready[3 + 2 * i].revents != 0) open = Copy(target, client);
      if (open) continue;
      close(client);
      close(target);
      pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (ready[1].revents == 0) continue;
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    const int target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = Loopback(target_port_);
    if (connect(target, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      pairs.emplace_back(client, target);
    } else {
      close(client);
      close(target);
    }
  }
  for (const auto& [client, target] : pairs) {
    close(client);
    close(target);
  }
  close(listener);
}

}  // namespace tower
