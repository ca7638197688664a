#include "plugins/file/take/move.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tower::file {
namespace {

constexpr std::size_t kMaxName = 255;  // NAME_MAX of every file system that matters

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
  if (!SameContent(before->version, version))
    return Error{ErrorCode::kConflict, "the file changed"};
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto target = NameToTry(wanted, version, attempt);
    const int failed = RenameNew(from, name, to, target);
    if (failed == EEXIST) continue;
    if (failed != 0) return FileError("move", failed);
    // Another file may have taken the name before the move.
    auto after = Inspect(to, target);
    if (after && !SameContent(after->version, version)) {
      RenameNew(to, target, from, name);
      return Error{ErrorCode::kConflict, "the file changed"};
    }
    return target;
  }
  return Error{ErrorCode::kUnavailable, "move: too many files of that name"};
}

Status Delete(int folder, const std::string& name, const Version& version) {
  // The file is renamed first, so that the deleted file is the one that was checked.
  auto hidden = MoveInto(folder, name, folder, ".control-tower." + name, version);
  if (!hidden) return hidden.error();
  if (unlinkat(folder, hidden->c_str(), 0) != 0) return FileError("delete", errno);
  return Ok();
}

}  // namespace tower::file
