// Files that are read once they have been unchanged for some time.
#ifndef PLUGINS_FILE_NOTICE_SETTLE_QUEUE_H_
#define PLUGINS_FILE_NOTICE_SETTLE_QUEUE_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "plugins/file/files.h"

namespace tower::file {

// A file of a session: the index of its source, and its path below the root of that source.
using FileKey = std::pair<std::size_t, std::string>;

// Used by one thread.
class SettleQueue {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMaxFiles = 50'000;  // more are ignored; the next scan finds them

  struct Item {
    FileKey key;
    Version version;                 // that was seen when the time began
    std::chrono::milliseconds time;  // for which the file has to be unchanged
  };

  // The time begins now, again for a file that is in the queue already.
  void Add(const FileKey& key, const Version& version, std::chrono::milliseconds time);
  void Remove(const FileKey& key);
  void RemoveSource(std::size_t index);
  bool Contains(const FileKey& key) const { return items_.count(key) > 0; }

  // Takes a file whose time was over at `now`; nothing: there is none.
  std::optional<Item> TakeDue(Clock::time_point now);
  // When the next time is over; nothing: the queue is empty.
  std::optional<Clock::time_point> NextDue() const;

 private:
  struct Entry {
    Version version;
    std::chrono::milliseconds time;
    Clock::time_point due;
  };
  std::map<FileKey, Entry> items_;
  std::set<std::pair<Clock::time_point, FileKey>> due_;  // the same, by time
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_SETTLE_QUEUE_H_
