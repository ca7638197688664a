#include "core/wakeup.h"

#include <poll.h>

#include <catch2/catch_test_macros.hpp>
#include <thread>

namespace tower {
namespace {

bool Readable(const Wakeup& wakeup, int timeout_ms) {
  pollfd entry{wakeup.fd(), POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

TEST_CASE("a wakeup is readable from signal to clear, however often it was signalled", "[wakeup]") {
  Wakeup wakeup;
  CHECK_FALSE(Readable(wakeup, 0));
  wakeup.Clear();  // never blocks
  wakeup.Signal();
  wakeup.Signal();
  CHECK(Readable(wakeup, 0));
  CHECK(Readable(wakeup, 0));
  wakeup.Clear();
  CHECK_FALSE(Readable(wakeup, 0));
}

TEST_CASE("a signal ends another thread's wait", "[wakeup]") {
  Wakeup wakeup;
  const std::jthread other([&wakeup] { wakeup.Signal(); });
  CHECK(Readable(wakeup, 30'000));
}

}  // namespace
}  // namespace tower
