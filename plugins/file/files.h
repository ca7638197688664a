// Files below a watched folder, opened without following symbolic links.
//
// Errors: kNotFound, kInvalid (a symbolic link, or another kind of file), kUnavailable
// (permissions, I/O and others; try again later).
#ifndef PLUGINS_FILE_FILES_H_
#define PLUGINS_FILE_FILES_H_

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/file.h"
#include "core/base/result.h"

namespace tower::file {

// Identifies the content of a file: a change of the content changes it.
struct Version {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  friend bool operator==(const Version&, const Version&) = default;
};

struct FileInfo {
  Version version;
  std::uint64_t device = 0;
  std::uint64_t links = 0;
  mode_t mode = 0;
};

// The error for an errno value.
Error FileError(std::string_view doing, int error_number);

// Opens a folder. Symbolic links in `path` are followed: it is configured by the user.
Result<Fd> OpenFolder(const std::string& path);

// Opens `relative` ("" is the folder itself) below an open folder for reading, following no
// symbolic link at all. `flags` are added to O_RDONLY.
Result<Fd> OpenBelow(int folder, const std::string& relative, int flags = 0);
// The same for kernels and sandboxes without openat2(2).
Result<Fd> OpenBelowStepwise(int folder, const std::string& relative, int flags = 0);

// `name` in an open folder; a symbolic link is not followed.
Result<FileInfo> Inspect(int folder, const std::string& name);
Result<FileInfo> Inspect(int fd);

// The whole file, if it is not larger than `limit` (else kInvalid).
Result<std::string> ReadAll(int fd, std::uint64_t limit);

// "a/b" -> {"a", "b"}; "b" -> {"", "b"}.
std::pair<std::string, std::string> SplitPath(const std::string& relative);
// "" + "b" -> "b"; "a" + "b" -> "a/b".
std::string JoinPath(std::string_view folder, std::string_view name);

}  // namespace tower::file

#endif  // PLUGINS_FILE_FILES_H_
