// Messages that are sent and not yet confirmed, by delivery tag.
#ifndef CORE_PUBLISH_PUBLISH_WINDOW_H_
#define CORE_PUBLISH_PUBLISH_WINDOW_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "core/queue/types.h"

namespace tower {

// A trigger that is to be sent, or is sent and not yet confirmed.
struct Outgoing {
  AcceptedTrigger trigger;
  bool deferred = false;  // read from the deferred triggers of its routing key, not from the log
  bool returned = false;  // by the broker, as unroutable
  bool settled = false;   // confirmed or refused; only its place in the window is left
  std::chrono::steady_clock::time_point sent_at{};
};

// Not thread-safe. Tags count up from 1 without gaps.
class PublishWindow {
 public:
  // REQUIRES: `tag` is one above the last, or the window is empty.
  void Add(std::uint64_t tag, Outgoing&& message);
  // Settles `tag`, and with `multiple` every unsettled tag below it, in order: calls
  // `settled(Outgoing&)` for each. Ignores unknown tags. Takes time proportional to the number of
  // tags covered.
  template <typename Settled>
  void Settle(std::uint64_t tag, bool multiple, Settled settled);
  void MarkReturned(std::uint64_t tag);
  // Empties the window. Returns the unsettled messages in the order of their tags.
  std::vector<Outgoing> TakeAll();
  // The number of unsettled messages with this routing key. Takes time proportional to the size of
  // the window.
  std::size_t Count(std::string_view routing_key) const;

  std::size_t size() const noexcept { return unsettled_; }
  std::size_t bytes() const noexcept { return bytes_; }  // of unsettled bodies

 private:
  Outgoing* At(std::uint64_t tag);
  template <typename Settled>
  void SettleOne(Outgoing& message, Settled& settled);

  std::deque<Outgoing> messages_;
  std::uint64_t first_tag_ = 1;  // of messages_
  std::size_t unsettled_ = 0;
  std::size_t bytes_ = 0;
};

template <typename Settled>
void PublishWindow::SettleOne(Outgoing& message, Settled& settled) {
  if (std::exchange(message.settled, true)) return;
  --unsettled_;
  bytes_ -= message.trigger.body.size();
  settled(message);
}

template <typename Settled>
void PublishWindow::Settle(std::uint64_t tag, bool multiple, Settled settled) {
  if (multiple) {
    while (!messages_.empty() && first_tag_ <= tag) {
      SettleOne(messages_.front(), settled);
      messages_.pop_front();
      ++first_tag_;
    }
  } else if (Outgoing* message = At(tag); message != nullptr) {
    SettleOne(*message, settled);
  }
  while (!messages_.empty() && messages_.front().settled) {
    messages_.pop_front();
    ++first_tag_;
  }
}

}  // namespace tower

#endif  // CORE_PUBLISH_PUBLISH_WINDOW_H_
