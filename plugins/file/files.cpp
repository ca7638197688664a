#include "plugins/file/files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace tower::file {
namespace {

constexpr std::size_t kMaxName = 255;  // NAME_MAX of every file system that matters

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

// The nth name to try: order.json, order.1722222222123456789.json, order.1722222222123456789-1.json
std::string NameToTry(const std::string& wanted, const Version& version, int attempt) {
  const auto dot = wanted.rfind('.');
  const bool has_extension = dot != std::string::npos && dot > 0;
  std::string stem = has_extension ? wanted.substr(0, dot) : wanted;
  const std::string extension = has_extension ? wanted.substr(dot) : "";
  std::string suffix;
  if (attempt > 0) suffix = "." + std::to_string(version.mtime_ns);
  if (attempt > 1) suffix += "-" + std::to_string(attempt - 1);
  const auto taken = suffix.size() + extension.size();
  if (taken < kMaxName) stem.resize(std::min(stem.size(), kMaxName - taken));
  return stem + suffix + extension;
}

// The inode is left out: some file systems in user space number a file anew when it moves.
bool SameContent(const Version& a, const Version& b) {
  return a.size == b.size && a.mtime_ns == b.mtime_ns;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

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
      return {ErrorCode::kInvalid, message + "not a plain file"};
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

int RenameNew(int from, const std::string& name, int to, const std::string& new_name) {
  if (renameat2(from, name.c_str(), to, new_name.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  return RenameNewByPlaceholder(from, name, to, new_name);
}

// Takes the name with an empty file, then replaces that one.
int RenameNewByPlaceholder(int from, const std::string& name, int to, const std::string& new_name) {
  const Fd placeholder(
      openat(to, new_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!placeholder) return errno;
  if (renameat(from, name.c_str(), to, new_name.c_str()) == 0) return 0;
  const int failed = errno;
  unlinkat(to, new_name.c_str(), 0);
  return failed;
}

Result<std::string> MoveInto(int from, const std::string& name, int to, const std::string& wanted,
                             const Version& version) {
  auto before = Inspect(from, name);
  if (!before) return before.error();
  if (!SameContent(before->version, version)) return Error{ErrorCode::kConflict, "it changed"};
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto target = NameToTry(wanted, version, attempt);
    const int failed = RenameNew(from, name, to, target);
    if (failed == EEXIST) continue;
    if (failed != 0) return FileError("move", failed);
    // Between the look and the move another file may have taken the name.
    auto after = Inspect(to, target);
    if (after && !SameContent(after->version, version)) {
      RenameNew(to, target, from, name);
      return Error{ErrorCode::kConflict, "it changed"};
    }
    return target;
  }
  return Error{ErrorCode::kUnavailable, "move: too many files of that name"};
}

Status Delete(int folder, const std::string& name, const Version& version) {
  // Out of everybody's sight first, so that what is deleted is what was looked at.
  auto hidden = MoveInto(folder, name, folder, ".control-tower." + name, version);
  if (!hidden) return hidden.error();
  if (unlinkat(folder, hidden->c_str(), 0) != 0) return FileError("delete", errno);
  return Ok();
}

namespace {

// What WriteNote begins with.
constexpr std::string_view kNoteBegin = "control-tower refused ";

std::string NoteOf(const std::string& name) { return name + std::string(kNoteSuffix); }

bool IsNote(int fd) {
  std::array<char, kNoteBegin.size()> begin{};
  const auto got = pread(fd, begin.data(), begin.size(), 0);
  return got == 0 || (got == static_cast<ssize_t>(begin.size()) &&
                      std::string_view(begin.data(), begin.size()) == kNoteBegin);
}

}  // namespace

Status WriteNote(int folder, const std::string& name, std::string_view why) {
  const auto note = NoteOf(name);
  const Fd fd(openat(folder, note.c_str(),
                     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  if (!fd) return FileError("write " + note, errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || !IsNote(fd.get())) {
    return Error{ErrorCode::kConflict, "write " + note + ": there is another file of that name"};
  }
  std::string text(kNoteBegin);
  text.append(name).append(":\n").append(why).append("\n");
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return FileError("write " + note, errno);
  }
  return Ok();
}

Status MoveNote(int from, const std::string& name, int to, const std::string& new_name) {
  const auto note = NoteOf(name);
  const Fd fd(openat(from, note.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd || !IsNote(fd.get())) return Ok();
  if (renameat(from, note.c_str(), to, NoteOf(new_name).c_str()) == 0) return Ok();
  return FileError("move " + note, errno);
}

void DeleteNote(int folder, const std::string& name) {
  const auto note = NoteOf(name);
  const Fd fd(openat(folder, note.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd && IsNote(fd.get())) unlinkat(folder, note.c_str(), 0);
}

bool NeedsPolling(std::uint64_t file_system_type) noexcept {
  constexpr std::array<std::uint64_t, 17> kWithoutEvents = {
      0x6969,      // NFS
      0x517B,      // SMB
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB2
      0x01021997,  // 9p
      0x65735546,  // FUSE, virtiofs too
      0x5346414F,  // AFS (OpenAFS)
      0x6B414653,  // AFS (kernel)
      0x00C36400,  // Ceph
      0x73757245,  // Coda
      0x564C,      // NCP
      0x01161970,  // GFS2
      0x7461636F,  // OCFS2
      0x0BD00BD0,  // Lustre
      0x47504653,  // GPFS
      0x786F4256,  // VirtualBox shared folders
      0xBACBACBC,  // VMware shared folders
  };
  // f_type is signed on some architectures.
  return std::find(kWithoutEvents.begin(), kWithoutEvents.end(), file_system_type & 0xFFFFFFFF) !=
         kWithoutEvents.end();
}

Result<bool> NeedsPolling(int fd) {
  struct statfs status {};
  if (fstatfs(fd, &status) != 0) return FileError("statfs", errno);
  return NeedsPolling(static_cast<std::uint64_t>(status.f_type));
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
