// What the publisher has sent and not heard of: messages by tag.
#ifndef CORE_PUBLISH_PUBLISH_WINDOW_H_
#define CORE_PUBLISH_PUBLISH_WINDOW_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "core/queue/types.h"

namespace tower {

// A trigger on its way to the broker.
struct Outgoing {
  AcceptedTrigger trigger;
  bool deferred = false;  // taken from those that wait for their routing key
  bool returned = false;  // by the broker, as unroutable
  bool settled = false;   // its fate is known, or it was taken out
  std::chrono::steady_clock::time_point sent_at{};
};

// Not thread-safe. Tags count up from 1 without gaps.
class PublishWindow {
 public:
  using Each = std::function<void(Outgoing&)>;

  // `tag` is one above the last, or any where the window is empty.
  void Add(std::uint64_t tag, Outgoing&& message);
  // Calls `each` for `tag`, and with `multiple` for every unsettled tag below it too, in order;
  // they are settled then. Unknown tags are ignored. Takes time in proportion to the tags covered.
  void Settle(std::uint64_t tag, bool multiple, const Each& each);
  void MarkReturned(std::uint64_t tag);
  // Empties the window; what was unsettled, in the order of its tags.
  std::vector<Outgoing> TakeAll();
  // How many unsettled messages have this routing key. Takes time in proportion to all.
  std::size_t Count(std::string_view routing_key) const;

  std::size_t size() const noexcept { return unsettled_; }
  std::size_t bytes() const noexcept { return bytes_; }  // of unsettled bodies

 private:
  Outgoing* At(std::uint64_t tag);
  void SettleOne(Outgoing& message, const Each& each);

  std::deque<Outgoing> messages_;
  std::uint64_t first_tag_ = 1;  // of messages_
  std::size_t unsettled_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tower

#endif  // CORE_PUBLISH_PUBLISH_WINDOW_H_
