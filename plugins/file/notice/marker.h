// Folders that are complete once they have a marker in them, a file of a name that is agreed upon.
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

inline constexpr std::size_t kMaxListed = 10'000;           // files
inline constexpr std::size_t kMaxMarkerText = 64UL << 10U;  // bytes that the event has of it

struct Listing {
  std::vector<std::string> names;  // sorted
  bool cut = false;                // there were more than the limit
};

// The plain files right in an open folder whose names are wanted; no symbolic links.
Result<Listing> ListFiles(int folder, const std::function<bool(std::string_view)>& wanted,
                          std::size_t limit = kMaxListed);

// Whether there is a plain file of that name in the folder `relative` below `root`. No symbolic
// link is followed.
bool HasFile(int root, const std::string& relative, const std::string& name);

// The event for the map, as README.md shows it. What is not UTF-8 becomes U+FFFD.
std::string MarkerEvent(const std::string& folder, std::string_view marker, std::string_view text,
                        const Listing& files);

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_MARKER_H_
