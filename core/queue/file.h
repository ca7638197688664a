// The queue's file in the file system: its lock, its creation, and checks that do not open it as a
// database.
#ifndef CORE_QUEUE_FILE_H_
#define CORE_QUEUE_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/base/result.h"
#include "core/queue/types.h"

namespace tower {

// Holds flock(2) on `<path>.lock` as long as it lives, so that two processes never share a queue.
class QueueLock {
 public:
  static Result<QueueLock> Acquire(const std::string& path);
  QueueLock(QueueLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  QueueLock& operator=(QueueLock&&) = delete;
  ~QueueLock();

 private:
  explicit QueueLock(int fd) : fd_(fd) {}
  int fd_;
};

// Fills in what was left to be chosen: max_bytes depends on the size of the volume.
QueueOptions Complete(QueueOptions options);
// Size of the volume that holds `path`; nothing if it is unknown.
std::optional<std::uint64_t> VolumeBytes(const std::string& path);
// The target of a symbolic link, so that a file has one lock whatever name is used for it.
std::string RealPath(const std::string& path);
// Creates an empty queue if there is no file. An error if a file or its triggers seem to be lost.
Status FindOrMakeFile(const std::string& path);
// What CheckQueueFile in core/queue/queue.h does.
Status CheckFile(const std::string& path);

// `error`, with the file's name and what to do about it.
Error ExplainQueueError(const std::string& path, Error error);
// The same for callers of an open queue. kPermanent becomes kUnavailable: a fault of the queue's
// disk must not end a watcher for good.
Error ExplainOpenQueueError(const std::string& path, Error error);

}  // namespace tower

#endif  // CORE_QUEUE_FILE_H_
