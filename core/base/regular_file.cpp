#include "core/base/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace tower {
namespace {

constexpr std::size_t kMost = 1U << 20U;
constexpr auto kTooLarge = "larger than 1 MiB";

// What keeps a file from being read; "" when nothing does.
std::string FaultOf(const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return "this is no file";
  return static_cast<std::size_t>(info.st_size) > kMost ? kTooLarge : "";
}

}  // namespace

Result<RegularFile> ReadRegularFile(const std::string& path) {
  const auto fault = [](std::string why) { return Error{ErrorCode::kInvalid, std::move(why)}; };
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fault(ErrnoText(errno));
  if (auto why = FaultOf(info); !why.empty()) return fault(std::move(why));
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fault(ErrnoText(errno));
  // Once more: it may be another file by now.
  std::string why = fstat(fd, &info) != 0 ? ErrnoText(errno) : FaultOf(info);
  RegularFile file{.text = std::string(why.empty() ? kMost + 1 : 0, '\0'),
                   .mode = info.st_mode & 07777U};
  std::size_t size = 0;
  while (why.empty() && size < file.text.size()) {
    const auto got = read(fd, file.text.data() + size, file.text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) why = ErrnoText(errno);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  close(fd);
  if (why.empty() && size > kMost) why = kTooLarge;  // it grew, or does not know its size
  if (!why.empty()) return fault(std::move(why));
  file.text.resize(size);
  return file;
}

}  // namespace tower
