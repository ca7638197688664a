#include "core/queue/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/queue/schema.h"
#include "core/queue/sqlite.h"

namespace tower {
namespace {

constexpr std::uint64_t kDefaultMaxBytes = 1ULL << 30;
constexpr std::uint64_t kMostMaxBytes = 1ULL << 44;  // about as much as SQLite has pages

std::string FolderOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void SyncFolder(const std::string& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

// Makes a queue without triggers, under another name until it is whole, so that what has the
// queue's name is never half made. Only its owner may read it; SQLite gives the same mode to its
// companions.
Status MakeFile(const std::string& path) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  unlink((draft + "-journal").c_str());
  const int fd = open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error{ErrorCode::kPermanent, ErrnoText(errno)};
  close(fd);
  {
    auto database = Database::Open(draft, Database::Access::kReadWrite);
    if (!database) return database.error();
    if (auto made = MakeTables(*database); !made) return made;
  }
  if (rename(draft.c_str(), path.c_str()) != 0) {
    return Error{ErrorCode::kPermanent, "rename " + draft + ": " + ErrnoText(errno)};
  }
  SyncFolder(FolderOf(path));
  return Ok();
}

}  // namespace

std::optional<std::uint64_t> VolumeBytes(const std::string& path) {
  struct statvfs volume {};
  if (path == ":memory:" || statvfs(FolderOf(path).c_str(), &volume) != 0) return std::nullopt;
  return std::uint64_t{volume.f_blocks} * volume.f_frsize;
}

QueueOptions Complete(QueueOptions options) {
  if (options.max_bytes == 0) {
    options.max_bytes = kDefaultMaxBytes;
    const auto volume = VolumeBytes(options.path);
    if (volume && *volume > 0) options.max_bytes = std::min(options.max_bytes, *volume / 2);
  }
  options.max_bytes = std::min(options.max_bytes, kMostMaxBytes);
  return options;
}

// SQLite takes an empty file for a new one, and throws a log away whose file is missing. Here
// either means that something was lost.
Status FindOrMakeFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    if (info.st_size == 0) return Error{ErrorCode::kInvalid, "it is empty, which no queue ever is"};
    if (info.st_nlink > 1) {  // each would have a lock and a log of its own
      return Error{ErrorCode::kInvalid,
                   "it has a second name (a hard link), which must be removed"};
    }
    return Ok();
  }
  if (errno != ENOENT) return Error{ErrorCode::kPermanent, ErrnoText(errno)};
  if (lstat(path.c_str(), &info) == 0) {
    return Error{ErrorCode::kInvalid, "it is a symbolic link to a file that is not there"};
  }
  for (const auto* suffix : {"-wal", "-journal"}) {
    if (stat((path + suffix).c_str(), &info) == 0 && info.st_size > 0) {
      return Error{ErrorCode::kInvalid, "it is missing, but its " + std::string(suffix) +
                                            " is there and may hold triggers"};
    }
  }
  return MakeFile(path);
}

std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  return real ? std::string(real.get()) : path;
}

Error ExplainQueueError(const std::string& path, Error error) {
  std::string advice;
  if (error.code == ErrorCode::kPermanent || error.code == ErrorCode::kInvalid) {
    advice = "; nothing was changed: restore the file from a backup, or move " + path + ", " +
             path + "-wal and " + path + "-shm away together, or set queue.path to another file";
  } else if (error.code == ErrorCode::kFull) {
    advice =
        "; free some disk space: history has given way already, what is left waits for the broker "
        "or is undeliverable (redeliver or discard it)";
  }
  if (error.code == ErrorCode::kInvalid) error.code = ErrorCode::kPermanent;
  error.message = "queue file " + path + ": " + error.message + advice;
  return error;
}

Error ExplainOpenQueueError(const std::string& path, Error error) {
  auto explained = ExplainQueueError(path, std::move(error));
  if (explained.code == ErrorCode::kPermanent) explained.code = ErrorCode::kUnavailable;
  return explained;
}

Status CheckFile(const std::string& path) {
  const auto fault = [&path](const std::string& why) {
    return Error{ErrorCode::kInvalid, "queue.path " + path + ": " + why};
  };
  if (path == ":memory:") return Ok();
  const auto folder = FolderOf(path);
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return fault("folder " + folder + ": " + ErrnoText(errno));
  }
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT ? Ok() : Status(fault(ErrnoText(errno)));
  struct stat info {};
  const bool file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  // The database header: https://www.sqlite.org/fileformat.html, section 1.3.
  constexpr std::size_t kIdAt = 68;
  std::array<char, kIdAt + 4> head{};
  const bool whole = file && pread(fd, head.data(), head.size(), 0) == ssize_t{head.size()};
  close(fd);
  if (!file) return fault("this is no file");
  std::int64_t id = 0;
  for (std::size_t i = kIdAt; i < head.size(); ++i) {
    id = id << 8 | static_cast<unsigned char>(head[i]);
  }
  const std::string_view start(head.data(), head.size());
  const bool ours = whole && start.starts_with("SQLite format 3") && id == kApplicationId;
  return ours ? Ok() : Status(fault("this is no queue of control-tower"));
}

Result<QueueLock> QueueLock::Acquire(const std::string& path) {
  const std::string name = path + ".lock";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return Error{ErrorCode::kPermanent, "open " + name + ": " + ErrnoText(errno) +
                                            "; queue.path must name a file in a folder "
                                            "that exists and can be written to"};
  }
  QueueLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd, 0) == 0) (void)!pwrite(fd, pid.data(), pid.size(), 0);
    return lock;
  }
  char holder[32] = {};
  const auto size = pread(fd, holder, sizeof holder - 1, 0);
  std::string pid(holder, size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return Error{ErrorCode::kPermanent, "queue file " + path + " is in use by " +
                                          (pid.empty() ? "another process" : "process " + pid) +
                                          "; stop it, or set queue.path to another file"};
}

QueueLock::~QueueLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace tower
