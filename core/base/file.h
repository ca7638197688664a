// File descriptors, and small files that people write: configuration, scripts, tokens, values.
#ifndef CORE_BASE_FILE_H_
#define CORE_BASE_FILE_H_

#include <cstddef>
#include <string>
#include <utility>

#include "core/base/result.h"

namespace tower {

// Owns a file descriptor, or none (-1).
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
  unsigned mode = 0;  // its permissions, as chmod(2) takes them
};

// Reads a regular file of at most kMaxSmallFile bytes. Never waits: a FIFO, a device or a folder is
// refused without being opened. kInvalid; the message says why, without the path.
Result<RegularFile> ReadRegularFile(const std::string& path);

// Reads a file of at most kMaxSmallFile bytes that may also be a pipe, as `<(command)` of a shell
// is; each wait for more of a pipe's bytes ends after 10 s. kInvalid; the message names the path.
Result<std::string> ReadFileOrPipe(const std::string& path);

}  // namespace tower

#endif  // CORE_BASE_FILE_H_
