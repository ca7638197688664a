#include "core/net/connector.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "core/base/wakeup.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kUserTimeout{30'000};

// A loopback port; connections are refused unless it listens.
struct Port {
  explicit Port(bool listening) : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(fd, plain, sizeof address) == 0);
    if (listening) REQUIRE(listen(fd, 1) == 0);
    socklen_t size = sizeof address;
    REQUIRE(getsockname(fd, plain, &size) == 0);
    number = ntohs(address.sin_port);
  }
  ~Port() { close(fd); }
  int fd;
  std::uint16_t number = 0;
};

TEST_CASE("a connection is non-blocking and not inherited", "[connector]") {
  const Port port(true);
  const Wakeup interrupt;
  Connector connector;
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const auto fd = connector.Connect(host, port.number, steady_clock::now() + seconds(30),
                                      kUserTimeout, interrupt.fd());
    INFO((fd ? "" : fd.error().message));
    REQUIRE(fd);
    CHECK((fcntl(*fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(*fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(*fd);
  }
}

TEST_CASE("a refused connection and an unknown host say so", "[connector]") {
  const Port port(false);
  const Wakeup interrupt;
  Connector connector;
  auto fd = connector.Connect("127.0.0.1", port.number, steady_clock::now() + seconds(30),
                              kUserTimeout, interrupt.fd());
  REQUIRE_FALSE(fd);
  CHECK(fd.error().message == "connection refused");
  CHECK(fd.error().code == ErrorCode::kUnavailable);
  fd = connector.Connect("no host has spaces", 1, steady_clock::now() + seconds(60), kUserTimeout,
                         interrupt.fd());
  REQUIRE_FALSE(fd);
  CHECK(fd.error().message.starts_with("look up the host: "));
}

TEST_CASE("a connect that would take for ever ends when interrupted", "[connector]") {
  Wakeup interrupt;
  Connector connector;
  const std::jthread interrupter([&] { interrupt.Signal(); });
  // TEST-NET-1 (RFC 5737): nobody answers, or the network says at once that nobody can.
  const auto fd = connector.Connect("192.0.2.1", 5672, steady_clock::now() + std::chrono::hours(1),
                                    kUserTimeout, interrupt.fd());
  REQUIRE_FALSE(fd);
  CHECK((fd.error().code == ErrorCode::kStopped || fd.error().code == ErrorCode::kUnavailable));
}

TEST_CASE("a look-up that is over its deadline is taken up by the next connect", "[connector]") {
  const Port port(true);
  const Wakeup interrupt;
  Connector connector;
  // The deadline has passed: most often before the look-up's thread has begun.
  auto fd = connector.Connect("localhost", port.number, steady_clock::now() - seconds(1),
                              kUserTimeout, interrupt.fd());
  if (fd) close(*fd);
  fd = connector.Connect("localhost", port.number, steady_clock::now() + seconds(30), kUserTimeout,
                         interrupt.fd());
  REQUIRE(fd);
  close(*fd);
}

}  // namespace
}  // namespace tower
