#include "core/base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tower {
namespace {

constexpr int kPipePatience = 10'000;  // ms to wait for the next byte
constexpr auto kTooLarge = "larger than 1 MiB";

// The reason why a file is refused; "" if it is not.
std::string FaultOf(const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return "not a regular file";
  return static_cast<std::size_t>(info.st_size) > kMaxSmallFile ? kTooLarge : "";
}

// Reads a non-blocking descriptor to its end; `size` is the initial buffer size. Errors do not
// contain the path.
Result<std::string> ReadAll(int fd, std::size_t size) {
  std::string text(size, '\0');
  std::size_t used = 0;
  for (;;) {
    if (used == text.size()) text.resize(std::min(2 * used + 4096, kMaxSmallFile + 1));
    const auto got = read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    pollfd pipe = {fd, POLLIN, 0};
    if (got < 0 && errno == EAGAIN && poll(&pipe, 1, kPipePatience) > 0) continue;
    if (got < 0) return Error{ErrorCode::kInvalid, ErrnoText(errno)};
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > kMaxSmallFile) return Error{ErrorCode::kInvalid, kTooLarge};
  }
  text.resize(used);
  return text;
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

Result<RegularFile> ReadRegularFile(const std::string& path) {
  const auto fault = [](std::string why) { return Error{ErrorCode::kInvalid, std::move(why)}; };
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fault(ErrnoText(errno));
  if (auto why = FaultOf(info); !why.empty()) return fault(std::move(why));
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd || fstat(fd.get(), &info) != 0) return fault(ErrnoText(errno));
  // Check again, because the path may name another file by now.
  if (auto why = FaultOf(info); !why.empty()) return fault(std::move(why));
  auto text = ReadAll(fd.get(), static_cast<std::size_t>(info.st_size) + 1);
  if (!text) return text.error();
  return RegularFile{.text = *std::move(text), .mode = info.st_mode & 07777U};
}

Result<std::string> ReadFileOrPipe(const std::string& path) {
  const auto context = "read " + path;
  // Non-blocking, because opening a pipe without a writer would block without limit.
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return Annotate(context, {ErrorCode::kInvalid, ErrnoText(errno)});
  auto text = ReadAll(fd.get(), 4096);
  return text ? text : Annotate(context, text.error());
}

}  // namespace tower
