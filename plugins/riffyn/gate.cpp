#include "plugins/riffyn/gate.h"

#include <algorithm>
#include <utility>

#include "core/watch/watcher.h"

namespace tower::riffyn {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kMostFaults = 3;

}  // namespace

bool Gate::Wait(const std::stop_token& stop) const {
  while (!stop.stop_requested()) {
    Clock::time_point opens;
    {
      const std::lock_guard lock(mutex_);
      opens = opens_;
    }
    const auto left = std::chrono::ceil<milliseconds>(opens - Clock::now());
    if (left.count() <= 0) return true;
    WatcherContext::Sleep(left, stop);
  }
  return false;
}

bool Gate::Close(milliseconds time) {
  const std::lock_guard lock(mutex_);
  opens_ = std::max(opens_, Clock::now() + time);
  return !std::exchange(closed_in_look_, true) && !closed_before_;
}

void Gate::BeginLook() {
  const std::lock_guard lock(mutex_);
  faults_ = 0;
  closed_before_ = std::exchange(closed_in_look_, false);
}

void Gate::Answered() {
  const std::lock_guard lock(mutex_);
  if (faults_ < kMostFaults) faults_ = 0;
}

void Gate::Failed(const Error& error) {
  const std::lock_guard lock(mutex_);
  ++faults_;
  last_ = error;
}

void Gate::GiveUp(const Error& error) {
  const std::lock_guard lock(mutex_);
  faults_ = kMostFaults;
  last_ = error;
}

std::optional<Error> Gate::Down() const {
  const std::lock_guard lock(mutex_);
  if (faults_ < kMostFaults) return std::nullopt;
  return last_;
}

}  // namespace tower::riffyn
