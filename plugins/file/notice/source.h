// One configured path: a file, a folder or a glob.
#ifndef PLUGINS_FILE_NOTICE_SOURCE_H_
#define PLUGINS_FILE_NOTICE_SOURCE_H_

#include <string>
#include <string_view>
#include <vector>

#include "plugins/file/files.h"
#include "plugins/file/settings.h"

namespace tower::file {

// Splits the path into a root folder, and what is wanted below it: a glob for each level of
// folders, the last of which also names files; then whole folders. Paths below the root are
// relative to it.
class Source {
 public:
  // `settings` outlives the source. A relative path is taken from the current folder.
  Source(const std::string& path, const Settings& settings);

  // Checks again whether the path is a folder, a file, or does not exist yet.
  void Resolve();

  const std::string& path() const noexcept { return path_; }
  const std::string& root() const noexcept { return root_; }
  std::string PathOf(std::string_view relative) const { return JoinPath(root_, relative); }
  // The name of the only file that is wanted in the root, or "".
  std::string OnlyName() const;

  // If the events are folders with a marker, only the marker is wanted.
  bool WantsFile(std::string_view folder, std::string_view name) const;
  // Whether this is the marker that the files of its folder wait for.
  bool IsMarker(std::string_view folder, std::string_view name) const;
  bool WantsFolder(std::string_view folder, std::string_view name) const;
  // Whether a scan visits this file. False below a path that is not a folder at present.
  bool Reaches(const std::string& relative) const;

 private:
  const Settings* settings_;
  std::string path_;  // absolute; globs may be in it
  bool literal_ = true;
  std::string root_;
  std::vector<std::string> levels_;
};

// Whether a file of that name in a watched folder is to be taken: it matches a pattern, and is
// neither hidden, temporary, nor the reason of a refusal.
bool WantsName(const Settings& settings, std::string_view name);

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_SOURCE_H_
