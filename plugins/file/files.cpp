#include "plugins/file/files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tower::file {
namespace {

int OpenAt2(int folder, const char* path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  for (int attempt = 0;; ++attempt) {
    const auto fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    // EAGAIN: something was renamed meanwhile, and the kernel could not be sure.
    if (errno != EINTR && (errno != EAGAIN || attempt >= 10)) return -1;
  }
}

// Old kernels do not know the call, and old sandboxes forbid what they do not know.
bool HasOpenAt2() {
  static const bool has = [] {
    const Fd fd(OpenAt2(AT_FDCWD, ".", O_PATH | O_CLOEXEC));
    return static_cast<bool>(fd) || (errno != ENOSYS && errno != EPERM);
  }();
  return has;
}

FileInfo InfoOf(const struct stat& status) {
  FileInfo info;
  info.version.inode = status.st_ino;
  info.version.size = static_cast<std::uint64_t>(status.st_size);
  info.version.mtime_ns =
      static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
  info.device = status.st_dev;
  info.links = status.st_nlink;
  info.mode = status.st_mode;
  return info;
}

}  // namespace

Error FileError(std::string_view doing, int error_number) {
  std::string message(doing);
  message += ": ";
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return {ErrorCode::kNotFound, message + ErrnoText(error_number)};
    case ELOOP:
      return {ErrorCode::kInvalid, message + "symbolic links are not followed"};
    case ENXIO:
      return {ErrorCode::kInvalid, message + "not a regular file"};
    case EXDEV:
      return {ErrorCode::kUnavailable, message + "not on the same file system as the file"};
    default:
      return {ErrorCode::kUnavailable, message + ErrnoText(error_number)};
  }
}

Result<Fd> OpenFolder(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return FileError("open", errno);
  return fd;
}

Result<Fd> OpenBelow(int folder, const std::string& relative, int flags) {
  if (!HasOpenAt2()) return OpenBelowStepwise(folder, relative, flags);
  const auto all = static_cast<unsigned>(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
  Fd fd(OpenAt2(folder, relative.empty() ? "." : relative.c_str(), all));
  if (!fd) return FileError("open", errno);
  return fd;
}

Result<Fd> OpenBelowStepwise(int folder, const std::string& relative, int flags) {
  Fd at;
  std::size_t begin = 0;
  for (bool last = false; !last;) {
    const auto end = relative.find('/', begin);
    last = end == std::string::npos;
    std::string name = relative.substr(begin, last ? end : end - begin);
    begin = end + 1;
    if (name == "..") return FileError("open", ELOOP);
    if (name.empty()) name = ".";
    const int how = last ? O_RDONLY | O_NONBLOCK | O_NOCTTY | flags : O_PATH | O_DIRECTORY;
    Fd next(openat(at ? at.get() : folder, name.c_str(), how | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return FileError("open", errno);
    at = std::move(next);
  }
  return at;
}

Result<FileInfo> Inspect(int folder, const std::string& name) {
  struct stat status {};
  if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return FileError("stat", errno);
  }
  return InfoOf(status);
}

Result<FileInfo> Inspect(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return FileError("stat", errno);
  return InfoOf(status);
}

Result<std::string> ReadAll(int fd, std::uint64_t limit) {
  std::string content;
  std::size_t size = 0;
  for (;;) {
    if (size > limit) return Error{ErrorCode::kInvalid, "larger than max-size"};
    content.resize(size + std::clamp<std::size_t>(size, 64UL << 10U, 4UL << 20U));
    const auto got =
        pread(fd, content.data() + size, content.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  content.resize(size);
  return content;
}

std::pair<std::string, std::string> SplitPath(const std::string& relative) {
  const auto slash = relative.rfind('/');
  if (slash == std::string::npos) return {"", relative};
  return {relative.substr(0, slash), relative.substr(slash + 1)};
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  std::string path(folder);
  if (path.back() != '/') path += '/';
  return path.append(name);
}

}  // namespace tower::file
