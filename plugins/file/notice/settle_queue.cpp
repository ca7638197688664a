#include "plugins/file/notice/settle_queue.h"

#include <algorithm>

namespace tower::file {

void SettleQueue::Add(const FileKey& key, const Version& version, std::chrono::milliseconds time) {
  Remove(key);
  if (items_.size() >= kMaxFiles) return;
  const auto due = Clock::now() + std::max(time, std::chrono::milliseconds(1));
  items_.emplace(key, Entry{version, time, due});
  due_.emplace(due, key);
}

void SettleQueue::Remove(const FileKey& key) {
  const auto found = items_.find(key);
  if (found == items_.end()) return;
  due_.erase({found->second.due, key});
  items_.erase(found);
}

void SettleQueue::RemoveSource(std::size_t index) {
  std::erase_if(items_, [&](const auto& item) { return item.first.first == index; });
  std::erase_if(due_, [&](const auto& item) { return item.second.first == index; });
}

std::optional<SettleQueue::Item> SettleQueue::TakeDue(Clock::time_point now) {
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  const FileKey key = due_.begin()->second;
  const Entry entry = items_.at(key);
  Remove(key);
  return Item{key, entry.version, entry.time};
}

std::optional<SettleQueue::Clock::time_point> SettleQueue::NextDue() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

}  // namespace tower::file
