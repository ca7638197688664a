// The files that were handled, by path: the watcher's checkpoint, and a copy of it in memory.
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

// Changes reach the disk with the put of the file's triggers (Stored) or, many at a time, with
// Flush. Uses about 300 bytes of memory per file.
class Ledger {
 public:
  // Reads the checkpoint. kPermanent: another plugin or version wrote it.
  static Result<Ledger> Load(const WatcherQueue& queue);

  const Handled* Find(std::string_view path) const;
  // The same, and marks the file as seen in this scan.
  const Handled* FindInScan(std::string_view path, std::uint64_t scan);
  std::size_t size() const noexcept { return entries_.size(); }

  // The change that goes into a put, and its effect here once the put has returned.
  static CheckpointChange ChangeFor(const std::string& path, const Handled& handled);
  void Stored(const std::string& path, Handled handled);

  // To be written by the next Flush.
  void Update(const std::string& path, Handled handled);
  void Forget(const std::string& path);
  std::size_t unwritten() const noexcept { return unwritten_.size(); }
  Status Flush(WatcherQueue& queue);

  // Forgets the files below `folder` ("/inbox") that were not seen in this scan and that `gone`
  // confirms.
  void ForgetGone(const std::string& folder, std::uint64_t scan,
                  const std::function<bool(const std::string& path, const Handled&)>& gone);

 private:
  struct Entry {
    Handled handled;
    std::uint64_t seen = 0;  // the last scan that saw it
  };
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::optional<std::string>> unwritten_;
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_LEDGER_H_
