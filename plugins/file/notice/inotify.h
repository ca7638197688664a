// inotify(7) over a tree of folders.
#ifndef PLUGINS_FILE_NOTICE_INOTIFY_H_
#define PLUGINS_FILE_NOTICE_INOTIFY_H_

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "plugins/file/files.h"

namespace tower::file {

struct FolderEvent {
  enum class Kind {
    kComplete,  // a file was closed after writing, or moved in
    kChanging,  // a file was made or is being written
    kGone,      // a file was deleted or moved out
    kFolder,    // a folder was made or moved in
    kNoFolder,  // a folder was deleted or moved out
    kLost,      // the watched folder itself is gone, or another one took its place
    kOverflow,  // the kernel dropped events: all folders have to be scanned
  };
  Kind kind;
  std::string folder = {};  // as given to Watch
  std::string name = {};    // in the folder
};

class Inotify {
 public:
  // kUnavailable: the limits fs.inotify.max_user_instances or max_user_watches are reached.
  static Result<Inotify> Make();

  int fd() const noexcept { return fd_.get(); }

  // Watches a folder; its events carry `relative`. Watching it again changes nothing. A symbolic
  // link is followed for the top folder ("") only.
  Status Watch(const std::string& path, const std::string& relative);
  // Ends the watch of a folder and of all below it.
  void Unwatch(const std::string& relative);

  // What happened since the last call, or the first part of it; does not wait.
  Result<std::vector<FolderEvent>> Read();

 private:
  explicit Inotify(Fd fd) : fd_(std::move(fd)) {}
  void Translate(int watch, std::uint32_t mask, const char* name, std::vector<FolderEvent>& out);

  Fd fd_;
  std::unordered_map<int, std::string> folders_;  // by watch descriptor
  std::map<std::string, int> watches_;            // the other way round
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_INOTIFY_H_
