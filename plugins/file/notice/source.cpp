#include "plugins/file/notice/source.h"

#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

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

// Names of unfinished files of editors and copying programs, and of NAME.error.
bool IsTemporary(std::string_view name) {
  constexpr std::array<std::string_view, 5> kEndings = {"~", ".tmp", ".part", ".swp",
                                                        kErrorNoteSuffix};
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
  return !IsTemporary(name) &&
         std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& glob) { return Matches(glob, name); });
}

bool Source::WantsFile(std::string_view folder, std::string_view name) const {
  const auto depth = Depth(folder);
  const bool is_marker = !settings_->marker.empty() && name == settings_->marker;
  if (is_marker != settings_->FolderIsEvent()) return false;
  if (depth + 1 == levels_.size()) {
    return Matches(levels_.back(), name) && (literal_ || is_marker || !IsTemporary(name));
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

}  // namespace tower::file
