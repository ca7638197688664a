#include "core/watch/checkpoint.h"

#include <utility>

namespace tower {

Status ReadCheckpoint(const WatcherQueue& queue,
                      const std::function<bool(std::string key, std::string value)>& read) {
  auto rows = queue.RecallAll();
  if (!rows) return rows.error();
  for (auto& [key, value] : *rows) {
    if (!read(key, std::move(value))) return UnknownCheckpoint(key);
  }
  return Ok();
}

Error UnknownCheckpoint(std::string_view key) {
  return {ErrorCode::kPermanent,
          "the checkpoint of " + std::string(key) +
              " was written by another plugin or version; give this watcher another name"};
}

Status PutCheckpoint(WatcherQueue& queue, std::span<const CheckpointChange> changes) {
  return queue.Put(std::span<const Trigger>(), Event{.key = {}, .remember = changes});
}

}  // namespace tower
