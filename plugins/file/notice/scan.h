// Finds the files of a source.
#ifndef PLUGINS_FILE_NOTICE_SCAN_H_
#define PLUGINS_FILE_NOTICE_SCAN_H_

#include <dirent.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "plugins/file/files.h"
#include "plugins/file/notice/source.h"

namespace tower::file {

struct Found {
  std::string relative;
  Version version;
};

// Scans a folder and the folders below it, in steps, so that memory is bounded and the caller can
// process the files of one step before the next. Used by one thread.
class Scan {
 public:
  struct Callbacks {
    // A folder, before it is read.
    std::function<void(int fd, const std::string& relative)> on_folder;
    // A plain file that the source wants; true: return it from Next.
    std::function<bool(const std::string& relative, const Version&)> on_file;
    std::function<void(const std::string& relative, const Error&)> on_fault;
    // A file or folder that the source does not want. May be empty.
    std::function<void(const std::string& relative)> on_ignored;
  };

  Scan(const Source& source, std::string start, Callbacks callbacks);

  // Adds up to `limit` files. False at the end, and when stop is requested.
  bool Next(int root, std::size_t limit, const std::stop_token& stop, std::vector<Found>& found);

  bool whole() const noexcept { return start_.empty(); }
  // Whether everything could be read.
  bool clean() const noexcept { return clean_; }
  // Whether a missing file may be on a share that is not mounted at the moment: a folder above it
  // is empty and on another device than the file was.
  bool MayBeUnmounted(std::string_view relative, std::uint64_t device) const;

 private:
  struct CloseFolder {
    void operator()(DIR* folder) const noexcept { closedir(folder); }
  };
  void OpenNext(int root);
  void Visit(const char* name, unsigned char type, std::vector<Found>& found);
  void Fault(const std::string& relative, const Error& error);

  const Source& source_;
  const std::string start_;
  const Callbacks callbacks_;
  bool clean_ = true;
  std::vector<std::string> waiting_;
  // The folder that is being read.
  std::unique_ptr<DIR, CloseFolder> open_;
  std::string folder_;
  bool empty_ = true;
  std::map<std::string, std::uint64_t, std::less<>> empty_folders_;  // with their device
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_NOTICE_SCAN_H_
