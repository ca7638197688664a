// What became of each file, by path: the watcher's checkpoint, and its copy in memory.
#ifndef PLUGINS_FILE_TAKE_LEDGER_H_
#define PLUGINS_FILE_TAKE_LEDGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/file/files.h"

namespace tower::file {

// A file that was handled: its triggers are in the queue, or it was refused.
struct Handled {
  Version version;
  std::uint64_t device = 0;
  std::string digest;  // SHA-256 of the content in hexadecimal; empty when it was too large to read
  bool refused = false;
};

std::string Encode(const Handled& handled);
std::optional<Handled> Decode(std::string_view text);

// Changes reach the disk with a put of their own (Stored) or, many at a time, with Flush. About 300
// bytes of memory a file.
class Ledger {
 public:
  // What is on disk. Entries that can't be read, of a newer version say, are an error.
  static Result<Ledger> Load(const WatcherQueue& queue);

  const Handled* Find(std::string_view path) const;
  // The same, and remembers that the file was there in this look at the folder.
  const Handled* See(std::string_view path, std::uint64_t look);
  std::size_t size() const noexcept { return entries_.size(); }

  // The change that goes into a put, and its effect here once the put has returned.
  static Remember ChangeFor(const std::string& path, const Handled& handled);
  void Stored(const std::string& path, Handled handled);

  // To be written by the next Flush.
  void Update(const std::string& path, Handled handled);
  void Forget(const std::string& path);
  std::size_t unwritten() const noexcept { return unwritten_.size(); }
  Status Flush(WatcherQueue& queue);

  // Asks for each entry below `folder` ("/inbox") that was not seen in this look whether its file
  // is gone, and forgets those.
  void ForgetGone(const std::string& folder, std::uint64_t look,
                  const std::function<bool(const std::string& path, const Handled&)>& gone);

 private:
  struct Entry {
    Handled handled;
    std::uint64_t seen = 0;
  };
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::optional<std::string>> unwritten_;
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_LEDGER_H_
