#include "plugins/file/source.h"

#include <fcntl.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace tower::file {
namespace {

bool HasGlob(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

// "run\[1\]" -> "run[1]"
std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

bool Matches(const std::string& glob, std::string_view name) {
  return fnmatch(glob.c_str(), std::string(name).c_str(), FNM_PERIOD) == 0;
}

// What editors and copying programs call a file that is not finished, and our own notes.
bool IsLeftAlone(std::string_view name) {
  constexpr std::array<std::string_view, 5> kEndings = {"~", ".tmp", ".part", ".swp", kNoteSuffix};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

std::size_t Depth(std::string_view folder) {
  if (folder.empty()) return 0;
  return 1 + static_cast<std::size_t>(std::count(folder.begin(), folder.end(), '/'));
}

}  // namespace

Source::Source(const std::string& path, const Settings& settings)
    : settings_(&settings), path_(std::filesystem::absolute(path).lexically_normal().string()) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  literal_ = !HasGlob(path_);
  Resolve();
}

void Source::Resolve() {
  levels_.clear();
  root_ = Unescape(path_);
  if (literal_) {
    struct stat status {};
    if (path_ == "/" || (stat(root_.c_str(), &status) == 0 && S_ISDIR(status.st_mode))) return;
  }
  // Whatever has a glob in it, or else the last part, is below the root.
  std::size_t begin = 1, slash = literal_ ? path_.rfind('/') : 0;
  while (!literal_) {
    const auto end = path_.find('/', begin);
    if (HasGlob(std::string_view(path_).substr(begin, end - begin))) break;
    slash = end;
    begin = end + 1;
  }
  root_ = slash == 0 ? "/" : Unescape(std::string_view(path_).substr(0, slash));
  for (begin = slash + 1; begin <= path_.size();) {
    const auto end = std::min(path_.find('/', begin), path_.size());
    levels_.push_back(path_.substr(begin, end - begin));
    begin = end + 1;
  }
}

std::string Source::OnlyName() const {
  return literal_ && !levels_.empty() ? Unescape(levels_.back()) : "";
}

bool WantsName(const Settings& settings, std::string_view name) {
  const auto& patterns = settings.Patterns();
  return !IsLeftAlone(name) &&
         std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& glob) { return Matches(glob, name); });
}

bool Source::WantsFile(std::string_view folder, std::string_view name) const {
  const auto depth = Depth(folder);
  const bool is_marker = !settings_->marker.empty() && name == settings_->marker;
  if (is_marker != settings_->FolderIsEvent()) return false;
  if (depth + 1 == levels_.size()) {
    return Matches(levels_.back(), name) && (literal_ || is_marker || !IsLeftAlone(name));
  }
  return depth >= levels_.size() && (is_marker || WantsName(*settings_, name));
}

bool Source::IsMarker(std::string_view folder, std::string_view name) const {
  return settings_->FilesWait() && name == settings_->marker && Depth(folder) + 1 >= levels_.size();
}

bool Source::WantsFolder(std::string_view folder, std::string_view name) const {
  const auto depth = Depth(folder);
  const auto path = PathOf(JoinPath(folder, name));
  for (const auto* skipped : {&settings_->done_dir, &settings_->failed_dir}) {
    if (*skipped == name || *skipped == path) return false;
  }
  if (depth < levels_.size()) return Matches(levels_[depth], name);
  return settings_->recursive && !name.empty() && name[0] != '.';
}

bool Source::Reaches(const std::string& relative) const {
  const auto [folder, name] = SplitPath(relative);
  if (!OnlyName().empty() && !folder.empty()) return false;
  if (!WantsFile(folder, name)) return false;
  for (auto above = folder; !above.empty();) {
    const auto [parent, last] = SplitPath(above);
    if (!WantsFolder(parent, last)) return false;
    above = parent;
  }
  return true;
}

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
      Look(entry->d_name, entry->d_type, found);
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

void Scan::Look(const char* name, unsigned char type, std::vector<Found>& found) {
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
