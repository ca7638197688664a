#include "core/queue/reserve.h"

#include <fcntl.h>
#include <unistd.h>

namespace tower {

bool DiskReserve::Hold() const {
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool held = posix_fallocate(fd, 0, bytes_ + beside_) == 0 && ftruncate(fd, bytes_) == 0;
  close(fd);
  if (!held) Release();
  return held;
}

void DiskReserve::Release() const { unlink(path_.c_str()); }

}  // namespace tower
