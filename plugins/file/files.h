// Files below a watched folder: opened without following symbolic links, moved without overwriting.
//
// Errors: kNotFound (it is not there), kInvalid (a symbolic link, or not what was asked for),
// kUnavailable (the rest: permissions, I/O; look again later).
#ifndef PLUGINS_FILE_FILES_H_
#define PLUGINS_FILE_FILES_H_

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

namespace tower::file {

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int Release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// One version of a file; a change of its content changes it.
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

// The error behind an errno value of a call about a file.
Error FileError(std::string_view doing, int error_number);

// Opens the folder `path`; symbolic links in it are followed, since the user wrote it.
Result<Fd> OpenFolder(const std::string& path);

// Opens `relative` ("" is the folder itself) below an open folder for reading, following no
// symbolic link at all. `flags` are added to O_RDONLY.
Result<Fd> OpenBelow(int folder, const std::string& relative, int flags = 0);
// The same for kernels and sandboxes without openat2(2).
Result<Fd> OpenBelowStepwise(int folder, const std::string& relative, int flags = 0);

// Of what `name` itself is in an open folder, not of what a symbolic link points to.
Result<FileInfo> Inspect(int folder, const std::string& name);
Result<FileInfo> Inspect(int fd);

// The whole file, if it is not larger than `limit` (else kInvalid).
Result<std::string> ReadAll(int fd, std::uint64_t limit);

// Moves `name` of the open folder `from` into the open folder `to` as `wanted`, or with a suffix
// before the extension if that name is taken; nothing is overwritten. Returns the new name.
// kConflict: the file changed after `version`; it stays, or is put back, where it was.
Result<std::string> MoveInto(int from, const std::string& name, int to, const std::string& wanted,
                             const Version& version);

// Renames unless the new name is taken (EEXIST). Returns an errno value, 0 on success.
int RenameNew(int from, const std::string& name, int to, const std::string& new_name);
// The same for file systems on which renameat2(2) can't do that, such as NFS.
int RenameNewByPlaceholder(int from, const std::string& name, int to, const std::string& new_name);

// Deletes `name`, unless it changed after `version` (kConflict).
Status Delete(int folder, const std::string& name, const Version& version);

// What is written beside a file that was refused ends so, and is never taken for a file itself.
inline constexpr std::string_view kNoteSuffix = ".error";

// Writes why `name` was refused to `name`.error in the open folder, over an earlier one of its
// kind. kConflict: there is another file of that name, which is left alone.
Status WriteNote(int folder, const std::string& name, std::string_view why);
// Moves it along when the file is moved: to `new_name`.error of the folder `to`, if it is there.
Status MoveNote(int from, const std::string& name, int to, const std::string& new_name);
// Deletes it, if it is there.
void DeleteNote(int folder, const std::string& name);

// Whether a file system, by the f_type of statfs(2), may change without inotify events: network
// file systems, those in user space, and the shared folders of virtual machines.
bool NeedsPolling(std::uint64_t file_system_type) noexcept;
Result<bool> NeedsPolling(int fd);

// "a/b" -> {"a", "b"}; "b" -> {"", "b"}.
std::pair<std::string, std::string> SplitPath(const std::string& relative);
// "" + "b" -> "b"; "a" + "b" -> "a/b".
std::string JoinPath(std::string_view folder, std::string_view name);

}  // namespace tower::file

#endif  // PLUGINS_FILE_FILES_H_
