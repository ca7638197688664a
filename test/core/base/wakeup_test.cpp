#include "core/base/wakeup.h"

#include <poll.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <thread>
#include <utility>

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

TEST_CASE("a stop makes its event readable, also when it came first", "[wakeup]") {
  std::stop_source source;
  const auto readable = [](const StopEvent& event) {
    pollfd entry{event.fd(), POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
  };
  const StopEvent before(source.get_token());
  CHECK_FALSE(readable(before));
  source.request_stop();
  CHECK(readable(before));
  CHECK(readable(StopEvent(source.get_token())));
}

TEST_CASE("signals of a batch come at its end, and only those of its own thread", "[wakeup]") {
  const auto first = std::make_shared<Wakeup>();
  const auto second = std::make_shared<Wakeup>();
  {
    const WakeupBatch batch;
    WakeupBatch::Signal(first);
    WakeupBatch::Signal(first);
    CHECK_FALSE(Readable(*first, 0));
    std::thread([&second] { WakeupBatch::Signal(second); }).join();
    CHECK(Readable(*second, 0));
  }
  CHECK(Readable(*first, 0));
  first->Clear();
  WakeupBatch::Signal(first);
  CHECK(Readable(*first, 0));
}

TEST_CASE("a batch keeps what it is to signal", "[wakeup]") {
  auto wakeup = std::make_shared<Wakeup>();
  const std::weak_ptr<Wakeup> watched = wakeup;
  {
    const WakeupBatch batch;
    WakeupBatch::Signal(std::move(wakeup));
    CHECK_FALSE(watched.expired());
  }
  CHECK(watched.expired());
}

}  // namespace
}  // namespace tower
