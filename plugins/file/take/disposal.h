// Moves or deletes files that were taken or refused, as the options say.
#ifndef PLUGINS_FILE_TAKE_DISPOSAL_H_
#define PLUGINS_FILE_TAKE_DISPOSAL_H_

#include <cstddef>
#include <map>
#include <string>

#include "core/base/log.h"
#include "core/base/result.h"
#include "plugins/file/files.h"
#include "plugins/file/settings.h"
#include "plugins/file/take/ledger.h"

namespace tower::file {

// Where a file is.
struct Place {
  int root;              // an open folder
  std::string relative;  // the path below it
  std::string path;      // the same from "/"
};

// Used by one thread.
class Disposal {
 public:
  // Both outlive this object.
  Disposal(const Settings& settings, const Logger& log) : settings_(settings), log_(log) {}

  // Whether a file that was handled has yet to be moved or deleted.
  bool IsDue(const Handled& handled) const {
    if (settings_.FolderIsEvent()) return false;
    return handled.refused ? settings_.on_failure != "keep" : settings_.after != "keep";
  }

  // Moves or deletes the file. Returns its new path, empty for a deleted one. kConflict: it changed
  // after it was handled, and stays. REQUIRES: IsDue(handled).
  Result<std::string> Apply(const Place& place, const Handled& handled);

  // Moves and deletions reach the disk with Sync, at the latest.
  void Sync();
  std::size_t unsynced() const noexcept { return unsynced_.size(); }

 private:
  Result<std::string> MoveAway(int folder, const Place& place, const Handled& handled);

  const Settings& settings_;
  const Logger& log_;
  std::map<std::string, Fd> unsynced_;  // folders in which files were moved or deleted
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_DISPOSAL_H_
