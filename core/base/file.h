// File descriptors, and reading small files such as configuration, scripts, tokens and secrets.
#ifndef CORE_BASE_FILE_H_
#define CORE_BASE_FILE_H_

#include <cstddef>
#include <string>
#include <utility>

#include "core/base/result.h"

namespace tower {

// Owns a file descriptor and closes it; empty is -1.
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

inline constexpr std::size_t kMaxSmallFile = 1U << 20U;  // bytes

struct RegularFile {
  std::string text;
  unsigned mode = 0;  // permission bits as in chmod(2)
};

// Reads a regular file of at most kMaxSmallFile bytes. Does not block: a FIFO, a device or a folder
// is refused without being opened. Any error is kInvalid; the message does not contain the path.
Result<RegularFile> ReadRegularFile(const std::string& path);

// Reads a file or pipe of at most kMaxSmallFile bytes; a pipe is what the shell passes for
// `<(command)`. Each wait for data from a pipe ends after 10 s. Any error is kInvalid; the message
// contains the path.
Result<std::string> ReadFileOrPipe(const std::string& path);

}  // namespace tower

#endif  // CORE_BASE_FILE_H_
