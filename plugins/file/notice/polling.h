// File systems on which changes are found only by polling.
#ifndef PLUGINS_FILE_NOTICE_POLLING_H_
#define PLUGINS_FILE_NOTICE_POLLING_H_

#include <cstdint>

#include "core/base/result.h"

namespace tower::file {

// Whether a file system, by the f_type of statfs(2), may change without inotify events: network
// file systems, those in user space, and the shared folders of virtual machines.
bool NeedsPolling(std::uint64_t file_system_type) noexcept;
Result<bool> NeedsPolling(int fd);

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_POLLING_H_
