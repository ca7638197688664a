#include "core/publish/stdout_broker.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <future>
#include <string>
#include <vector>

#include "test/support/temp_dir.h"

namespace tower {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{30'000};

AcceptedTrigger WithBody(std::string body) {
  AcceptedTrigger trigger;
  trigger.body = std::move(body);
  return trigger;
}

struct Pipe {
  Pipe() {
    signal(SIGPIPE, SIG_IGN);
    REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
  }
  ~Pipe() {
    CloseRead();
    close(fds[1]);
  }
  void CloseRead() {
    if (fds[0] >= 0) close(fds[0]);
    fds[0] = -1;
  }
  std::string Read(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const ssize_t n = read(fds[0], text.data() + got, size - got);
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    text.resize(got);
    return text;
  }
  std::array<int, 2> fds{};
};

TEST_CASE("a trigger becomes one line, and is confirmed once it is written", "[stdout_broker]") {
  const Pipe pipe;
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  CHECK(broker.Publish(WithBody("{\"a\":1}")).value() == 1);
  CHECK(broker.Publish(WithBody("{\"b\":\n\r\n 2,\t\"c\":\"x\\n y\xC3\xA9\"}")).value() == 2);
  std::vector<BrokerEvent> events;
  REQUIRE(broker.Wait(kLong, -1, events));
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == BrokerEvent::Kind::kConfirmed);
  CHECK(events[0].tag == 2);
  CHECK(events[0].multiple);
  const std::string expected = "{\"a\":1}\n{\"b\":    2,\t\"c\":\"x\\n y\xC3\xA9\"}\n";
  CHECK(pipe.Read(expected.size()) == expected);
}

TEST_CASE("a slow reader makes the broker wait, and loses nothing", "[stdout_broker]") {
  const Pipe pipe;
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  const std::string body(3'000'001, 'x');  // many times what a pipe holds
  REQUIRE(broker.Publish(WithBody(body)));
  std::vector<BrokerEvent> events;
  REQUIRE(broker.Wait(milliseconds(1), -1, events));
  CHECK(events.empty());
  auto reader = std::async(std::launch::async, [&] { return pipe.Read(body.size() + 1); });
  while (events.empty()) REQUIRE(broker.Wait(kLong, -1, events));
  CHECK(reader.get() == body + "\n");
}

TEST_CASE("output that would block for now is waited for", "[stdout_broker]") {
  const Pipe pipe;
  REQUIRE(fcntl(pipe.fds[1], F_SETFL, O_NONBLOCK) == 0);
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  const std::string body(200'000, 'y');
  REQUIRE(broker.Publish(WithBody(body)));
  auto reader = std::async(std::launch::async, [&] { return pipe.Read(body.size() + 1); });
  std::vector<BrokerEvent> events;
  while (events.empty()) REQUIRE(broker.Wait(kLong, -1, events));
  CHECK(reader.get() == body + "\n");
}

TEST_CASE("a closed pipe is an error, not a death", "[stdout_broker]") {
  Pipe pipe;
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  REQUIRE(broker.Publish(WithBody("{}")));
  pipe.CloseRead();
  std::vector<BrokerEvent> events;
  const Status waited = broker.Wait(kLong, -1, events);
  REQUIRE_FALSE(waited);
  CHECK(waited.error().message == "write to standard output: broken pipe");
  CHECK(events.empty());
  CHECK_FALSE(broker.Connect({}));
}

TEST_CASE("a pipe that closes while there is nothing to write is noticed", "[stdout_broker]") {
  Pipe pipe;
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  auto waiting = std::async(std::launch::async, [&] {
    std::vector<BrokerEvent> events;
    return broker.Wait(kLong, -1, events);
  });
  pipe.CloseRead();
  CHECK_FALSE(waiting.get());
}

TEST_CASE("a wait for a reader can be interrupted", "[stdout_broker]") {
  const Pipe pipe;
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  REQUIRE(broker.Publish(WithBody(std::string(1'000'000, 'z'))));
  auto waiting = std::async(std::launch::async, [&] {
    std::vector<BrokerEvent> events;
    return broker.Wait(kLong, -1, events);
  });
  broker.Interrupt();
  const Status waited = waiting.get();
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code == ErrorCode::kStopped);
}

TEST_CASE("an idle wait ends when the wake-up descriptor is readable", "[stdout_broker]") {
  const Pipe pipe;
  StdoutBroker broker(pipe.fds[1]);
  REQUIRE(broker.Connect({}));
  Wakeup wakeup;
  wakeup.Signal();
  std::vector<BrokerEvent> events;
  CHECK(broker.Wait(std::chrono::hours(1), wakeup.fd(), events));
  CHECK(events.empty());
}

TEST_CASE("a full disk behind standard output is an error", "[stdout_broker]") {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  StdoutBroker broker(full);
  REQUIRE(broker.Connect({}));
  REQUIRE(broker.Publish(WithBody("{}")));
  std::vector<BrokerEvent> events;
  const Status waited = broker.Wait(kLong, -1, events);
  close(full);
  REQUIRE_FALSE(waited);
  CHECK(waited.error().message == "write to standard output: no space left on device");
}

}  // namespace
}  // namespace tower
