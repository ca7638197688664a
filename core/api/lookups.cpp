#include "core/api/lookups.h"

#include <pthread.h>

#include <exception>
#include <utility>

#include "core/base/log.h"

namespace tower {

Lookups::Lookups() : thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Lookups::~Lookups() = default;

HttpResponse Lookups::Answer(const HttpRequest& request, std::function<HttpResponse()> answer) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMostWaiting) return Unavailable("too many requests read the queue");
    waiting_.push_back({request.Defer(), std::move(answer)});
  }
  changed_.notify_one();
  return {};
}

void Lookups::Run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "lookups");
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return !waiting_.empty(); })) return;
    if (stop.stop_requested()) return;
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      next.later.Send(next.answer());
    } catch (const std::exception& error) {
      Logger().Error("request handler failed", {{"error", error.what()}});
      next.later.Send(Problem(500, "internal error; see the log"));
    }
  }
}

}  // namespace tower
