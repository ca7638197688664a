#include "core/publish/publish_window.h"

#include <string>
#include <utility>

#include "core/trigger/trigger.h"

namespace tower {

void PublishWindow::Add(std::uint64_t tag, Outgoing&& message) {
  if (messages_.empty()) first_tag_ = tag;
  ++unsettled_;
  bytes_ += message.trigger.body.size();
  messages_.push_back(std::move(message));
}

Outgoing* PublishWindow::At(std::uint64_t tag) {
  if (tag < first_tag_ || tag - first_tag_ >= messages_.size()) return nullptr;
  return &messages_[tag - first_tag_];
}

void PublishWindow::MarkReturned(std::uint64_t tag) {
  if (Outgoing* message = At(tag); message != nullptr) message->returned = true;
}

std::size_t PublishWindow::Count(std::string_view routing_key) const {
  std::size_t count = 0;
  std::string key;
  for (const Outgoing& message : messages_) {
    if (message.settled) continue;
    AssignRoutingKey(key, message.trigger.api_version, message.trigger.protocol);
    if (key == routing_key) ++count;
  }
  return count;
}

std::vector<Outgoing> PublishWindow::TakeAll() {
  std::vector<Outgoing> left;
  left.reserve(unsettled_);
  for (Outgoing& message : messages_) {
    if (message.settled) continue;
    message.returned = false;
    left.push_back(std::move(message));
  }
  messages_.clear();
  unsettled_ = bytes_ = 0;
  return left;
}

}  // namespace tower
