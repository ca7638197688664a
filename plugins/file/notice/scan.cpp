#include "plugins/file/notice/scan.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace tower::file {

Scan::Scan(const Source& source, std::string start, Callbacks callbacks)
    : source_(source),
      start_(std::move(start)),
      callbacks_(std::move(callbacks)),
      waiting_{start_} {}

bool Scan::Next(int root, std::size_t limit, const std::stop_token& stop,
                std::vector<Found>& found) {
  while (found.size() < limit) {
    if (stop.stop_requested()) return false;
    if (!open_) {
      if (waiting_.empty()) return false;
      OpenNext(root);
      continue;
    }
    errno = 0;
    const dirent* entry = readdir(open_.get());
    if (entry != nullptr) {
      Visit(entry->d_name, entry->d_type, found);
      continue;
    }
    const int failed = errno;
    if (failed != 0) Fault(folder_, FileError("read", failed));
    if (failed == 0 && empty_) {
      if (auto info = Inspect(dirfd(open_.get()))) empty_folders_[folder_] = info->device;
    }
    open_.reset();
  }
  return true;
}

void Scan::OpenNext(int root) {
  folder_ = std::move(waiting_.back());
  waiting_.pop_back();
  empty_ = true;
  auto fd = OpenBelow(root, folder_, O_DIRECTORY);
  if (!fd) {
    // A folder below the root may be gone since it was listed.
    if (fd.error().code != ErrorCode::kNotFound || folder_.empty()) Fault(folder_, fd.error());
    return;
  }
  callbacks_.on_folder(fd->get(), folder_);
  open_.reset(fdopendir(fd->get()));
  if (!open_) {
    Fault(folder_, FileError("open", errno));
    return;
  }
  fd->Release();
}

void Scan::Visit(const char* name, unsigned char type, std::vector<Found>& found) {
  const std::string_view view(name);
  if (view == "." || view == "..") return;
  empty_ = false;
  const bool as_file = type != DT_DIR && source_.WantsFile(folder_, view);
  const bool as_folder =
      (type == DT_DIR || type == DT_UNKNOWN) && source_.WantsFolder(folder_, view);
  if (!as_file && !as_folder) {
    if (callbacks_.on_ignored) callbacks_.on_ignored(JoinPath(folder_, view));
    return;
  }
  const auto relative = JoinPath(folder_, view);
  if (type == DT_DIR) {
    waiting_.push_back(relative);
    return;
  }
  auto info = Inspect(dirfd(open_.get()), name);
  if (!info) {
    if (info.error().code != ErrorCode::kNotFound) Fault(relative, info.error());
  } else if (S_ISDIR(info->mode)) {
    if (as_folder) waiting_.push_back(relative);
  } else if (!as_file) {
    return;
  } else if (S_ISREG(info->mode)) {
    if (callbacks_.on_file(relative, info->version)) found.push_back({relative, info->version});
  } else {
    callbacks_.on_fault(relative, FileError("open", S_ISLNK(info->mode) ? ELOOP : ENXIO));
  }
}

void Scan::Fault(const std::string& relative, const Error& error) {
  clean_ = false;
  callbacks_.on_fault(relative, error);
}

bool Scan::MayBeUnmounted(std::string_view relative, std::uint64_t device) const {
  for (;;) {
    const auto slash = relative.rfind('/');
    relative = slash == std::string_view::npos ? "" : relative.substr(0, slash);
    const auto empty = empty_folders_.find(relative);
    if (empty != empty_folders_.end()) return empty->second != device;
    if (relative.empty()) return false;
  }
}

}  // namespace tower::file
