// The checkpoint of a watcher that remembers many items, one row for each.
#ifndef CORE_WATCH_CHECKPOINT_H_
#define CORE_WATCH_CHECKPOINT_H_

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/watch/watcher.h"

namespace tower {

// Calls `read` for each row, sorted by key. When `read` returns false, which means that it does not
// understand the row, the result is UnknownCheckpoint. Other errors are those of RecallAll.
Status ReadCheckpoint(const WatcherQueue& queue,
                      const std::function<bool(std::string key, std::string value)>& read);

// kPermanent: another plugin or version wrote the row with this key. It is kept.
Error UnknownCheckpoint(std::string_view key);

// Puts changes without a trigger, after a requested stop too. Errors are those of Put.
Status PutCheckpoint(WatcherQueue& queue, std::span<const CheckpointChange> changes);

}  // namespace tower

#endif  // CORE_WATCH_CHECKPOINT_H_
