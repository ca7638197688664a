#include "plugins/file/notice/inotify.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tower::file {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                  IN_MODIFY | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

Error InotifyError(std::string_view call, int error_number) {
  std::string message(call);
  message += ": ";
  if (error_number == EMFILE) {
    message += "the limit fs.inotify.max_user_instances is reached";
  } else if (error_number == ENOSPC) {
    message += "the limit fs.inotify.max_user_watches is reached";
  } else {
    return FileError(call, error_number);
  }
  return {ErrorCode::kUnavailable, message};
}

}  // namespace

Result<Inotify> Inotify::Make() {
  Fd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return InotifyError("inotify_init", errno);
  return Inotify(std::move(fd));
}

Status Inotify::Watch(const std::string& path, const std::string& relative) {
  const std::uint32_t follow = relative.empty() ? 0U : static_cast<std::uint32_t>(IN_DONT_FOLLOW);
  const int watch =
      inotify_add_watch(fd_.get(), path.c_str(), kEvents | IN_ONLYDIR | IN_EXCL_UNLINK | follow);
  if (watch < 0) return InotifyError("inotify_add_watch", errno);
  // The same folder under a new name keeps its number; a new folder of the same name gets another.
  if (const auto known = folders_.find(watch); known != folders_.end()) {
    if (known->second == relative) return Ok();
    watches_.erase(known->second);
  }
  if (const auto known = watches_.find(relative); known != watches_.end()) {
    inotify_rm_watch(fd_.get(), known->second);
    folders_.erase(known->second);
  }
  folders_[watch] = relative;
  watches_[relative] = watch;
  return Ok();
}

void Inotify::Unwatch(const std::string& relative) {
  for (auto it = watches_.lower_bound(relative); it != watches_.end();) {
    const auto& folder = it->first;
    if (folder.compare(0, relative.size(), relative) != 0) break;
    if (folder.size() > relative.size() && folder[relative.size()] != '/') {
      ++it;
      continue;
    }
    inotify_rm_watch(fd_.get(), it->second);
    folders_.erase(it->second);
    it = watches_.erase(it);
  }
}

Result<std::vector<FolderEvent>> Inotify::Read() {
  alignas(inotify_event) std::array<char, 64UL * 1024UL> buffer;
  const auto got = read(fd_.get(), buffer.data(), buffer.size());
  std::vector<FolderEvent> events;
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return events;
    return FileError("read inotify", errno);
  }
  for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* name = event.len > 0 ? buffer.data() + at + sizeof event : "";
    Translate(event.wd, event.mask, name, events);
    at += sizeof event + event.len;
  }
  return events;
}

void Inotify::Translate(int watch, std::uint32_t mask, const char* name,
                        std::vector<FolderEvent>& out) {
  using Kind = FolderEvent::Kind;
  if ((mask & IN_Q_OVERFLOW) != 0) {
    out.push_back({Kind::kOverflow});
    return;
  }
  const auto known = folders_.find(watch);
  if (known == folders_.end()) return;  // of a watch that was ended meanwhile
  const std::string& folder = known->second;
  if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0) {
    // Below the top, the folder above tells the same.
    if (folder.empty()) out.push_back({Kind::kLost});
    if ((mask & IN_IGNORED) != 0) {
      watches_.erase(folder);
      folders_.erase(known);
    }
    return;
  }
  const bool is_folder = (mask & IN_ISDIR) != 0;
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
    out.push_back({is_folder ? Kind::kNoFolder : Kind::kGone, folder, name});
  } else if (is_folder) {
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) out.push_back({Kind::kFolder, folder, name});
  } else if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
    out.push_back({Kind::kComplete, folder, name});
  } else {
    out.push_back({Kind::kChanging, folder, name});
  }
}

}  // namespace tower::file
