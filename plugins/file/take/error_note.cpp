#include "plugins/file/take/error_note.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "plugins/file/files.h"
#include "plugins/file/settings.h"

namespace tower::file {
namespace {

// What WriteErrorNote begins with.
constexpr std::string_view kNoteBegin = "control-tower refused ";

std::string NameOfNote(const std::string& name) { return name + std::string(kErrorNoteSuffix); }

bool IsErrorNote(int fd) {
  std::array<char, kNoteBegin.size()> begin{};
  const auto got = pread(fd, begin.data(), begin.size(), 0);
  return got == 0 || (got == static_cast<ssize_t>(begin.size()) &&
                      std::string_view(begin.data(), begin.size()) == kNoteBegin);
}

}  // namespace

Status WriteErrorNote(int folder, const std::string& name, std::string_view why) {
  const auto note = NameOfNote(name);
  const Fd fd(openat(folder, note.c_str(),
                     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  if (!fd) return FileError("write " + note, errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || !IsErrorNote(fd.get())) {
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

Status MoveErrorNote(int from, const std::string& name, int to, const std::string& new_name) {
  const auto note = NameOfNote(name);
  const Fd fd(openat(from, note.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd || !IsErrorNote(fd.get())) return Ok();
  if (renameat(from, note.c_str(), to, NameOfNote(new_name).c_str()) == 0) return Ok();
  return FileError("move " + note, errno);
}

void DeleteErrorNote(int folder, const std::string& name) {
  const auto note = NameOfNote(name);
  const Fd fd(openat(folder, note.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd && IsErrorNote(fd.get())) unlinkat(folder, note.c_str(), 0);
}

}  // namespace tower::file
