#include "plugins/file/notice/marker.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/json/json.h"
#include "core/json/writer.h"
#include "plugins/file/read/refusal.h"

namespace tower::file {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { closedir(folder); }
};

bool IsPlain(int folder, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_REG;
  const auto info = Inspect(folder, entry.d_name);
  return info && S_ISREG(info->mode);
}

}  // namespace

Result<FileList> ListFiles(int folder, const std::function<bool(std::string_view)>& wanted,
                           std::size_t limit) {
  auto own = OpenBelow(folder, "", O_DIRECTORY);
  if (!own) return own.error();
  const std::unique_ptr<DIR, CloseFolder> open(fdopendir(own->get()));
  if (!open) return FileError("open", errno);
  own->Release();
  FileList listing;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(open.get());
    if (entry == nullptr) break;
    if (!wanted(entry->d_name) || !IsPlain(dirfd(open.get()), *entry)) continue;
    if (listing.names.size() == limit) {
      listing.cut = true;
      break;
    }
    listing.names.emplace_back(entry->d_name);
  }
  if (errno != 0 && !listing.cut) return FileError("read", errno);
  std::sort(listing.names.begin(), listing.names.end());
  return listing;
}

bool HasFile(int root, const std::string& relative, const std::string& name) {
  const auto folder = OpenBelow(root, relative, O_DIRECTORY);
  if (!folder) return false;
  const auto info = Inspect(folder->get(), name);
  return info && S_ISREG(info->mode);
}

std::string MarkerEvent(const std::string& folder, std::string_view marker, std::string_view text,
                        const FileList& files) {
  text = WithoutByteOrderMark(text);
  const bool cut = text.size() > kMaxMarkerText;
  if (cut) {
    text = text.substr(0, kMaxMarkerText);
    // Not in the middle of a character.
    if (const auto end = FindInvalidUtf8(text);
        end != std::string_view::npos && text.size() - end < 4) {
      text = text.substr(0, end);
    }
  }
  std::string event;
  JsonWriter json(event);
  json.BeginObject().Member("path", folder).Member("name", SplitPath(folder).second);
  json.Key("marker").BeginObject().Member("name", marker).Member("text", text).EndObject();
  json.Key("files").BeginArray();
  for (const auto& name : files.names) json.Value(name);
  json.EndArray();
  if (files.cut) json.Member("more_files", true);
  json.EndObject();
  return event;
}

}  // namespace tower::file
