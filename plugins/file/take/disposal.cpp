#include "plugins/file/take/disposal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "plugins/file/take/error_note.h"
#include "plugins/file/take/move.h"

namespace tower::file {
namespace {

// `name` is a name in the open folder, or an absolute path. The folder is made if it is missing.
Result<Fd> OpenDestination(int folder, const std::string& name) {
  const bool absolute = name[0] == '/';
  if (mkdirat(folder, name.c_str(), 0755) != 0 && errno != EEXIST) {
    return FileError("make the folder " + name, errno);
  }
  auto opened = absolute ? OpenFolder(name) : OpenBelow(folder, name, O_DIRECTORY);
  if (!opened) return Annotate("folder " + name, opened.error());
  return opened;
}

}  // namespace

Result<std::string> Disposal::Apply(const Place& place, const Handled& handled) {
  auto folder = OpenBelow(place.root, SplitPath(place.relative).first, O_DIRECTORY);
  if (!folder) return folder.error();
  const auto [parent, name] = SplitPath(place.path);
  Result<std::string> moved_to = std::string();
  if (!handled.refused && settings_.after == "delete") {
    if (auto deleted = Delete(folder->get(), name, handled.version); !deleted) {
      return deleted.error();
    }
  } else {
    moved_to = MoveAway(folder->get(), place, handled);
  }
  if (moved_to) unsynced_.emplace(parent, std::move(*folder));
  return moved_to;
}

Result<std::string> Disposal::MoveAway(int folder, const Place& place, const Handled& handled) {
  const auto [parent, name] = SplitPath(place.path);
  const auto& where = handled.refused ? settings_.failed_dir : settings_.done_dir;
  auto destination = OpenDestination(folder, where);
  if (!destination) return destination.error();
  auto moved = MoveInto(folder, name, destination->get(), name, handled.version);
  if (!moved) return Annotate("to " + where, moved.error());
  const auto to = where[0] == '/' ? where : JoinPath(parent, where);
  if (handled.refused) {
    if (auto note = MoveErrorNote(folder, name, destination->get(), *moved); !note) {
      log_.Warn("cannot move the note of a refused file",
                {{"path", place.path}, {"error", note.error()}});
    }
  }
  unsynced_.emplace(to, std::move(*destination));
  return JoinPath(to, *moved);
}

void Disposal::Sync() {
  // Best effort: some file systems cannot sync a folder.
  for (const auto& [path, folder] : unsynced_) fsync(folder.get());
  unsynced_.clear();
}

}  // namespace tower::file
