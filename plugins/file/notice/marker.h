// Folders that are complete once a marker, a file of an agreed name, appears in them.
#ifndef PLUGINS_FILE_NOTICE_MARKER_H_
#define PLUGINS_FILE_NOTICE_MARKER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "plugins/file/files.h"

namespace tower::file {

inline constexpr std::size_t kMaxListed = 10'000;  // files
inline constexpr std::size_t kMaxMarkerText =
    64UL << 10U;  // bytes of the marker that the event contains

struct FileList {
  std::vector<std::string> names;  // sorted
  bool cut = false;                // there were more than the limit
};

// The regular files in an open folder, without those below it, whose names are wanted. No symbolic
// links.
Result<FileList> ListFiles(int folder, const std::function<bool(std::string_view)>& wanted,
                           std::size_t limit = kMaxListed);

// Whether there is a regular file of that name in the folder `relative` below `root`. Symbolic
// links are not followed.
bool HasFile(int root, const std::string& relative, const std::string& name);

// The event for the map, as documented in README.md. Invalid UTF-8 becomes U+FFFD.
std::string MarkerEvent(const std::string& folder, std::string_view marker, std::string_view text,
                        const FileList& files);

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_MARKER_H_
