#include "core/http/mailbox.h"

namespace tower {

void HttpDrain::Add(std::size_t count) {
  const std::lock_guard lock(mutex_);
  count_ += count;
}

void HttpDrain::Done(std::size_t count) {
  const std::lock_guard lock(mutex_);
  count_ -= count;
  if (count_ == 0) done_.notify_all();
}

bool HttpDrain::Await(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return done_.wait_for(lock, time, [this] { return count_ == 0; });
}

void HttpLater::Send() const { Post(std::nullopt); }
void HttpLater::Send(HttpResponse instead) const { Post(std::move(instead)); }

void HttpLater::Post(std::optional<HttpResponse> instead) const {
  HttpMailbox::Post(mailbox_, [&](HttpMailbox::Letters& letters) {
    letters.finished.emplace_back(ticket_, std::move(instead));
  });
}

}  // namespace tower
