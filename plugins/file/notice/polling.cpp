#include "plugins/file/notice/polling.h"

#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "plugins/file/files.h"

namespace tower::file {

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

}  // namespace tower::file
