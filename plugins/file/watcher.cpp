#include "core/watch/watcher.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "plugins/file/notice/source.h"
#include "plugins/file/session.h"
#include "plugins/file/settings.h"
#include "plugins/file/take/ledger.h"

namespace tower {
namespace {

class FileWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, FileWatcher& self) {
    self.settings_.Declare(options, self.mapping_);
    options.CheckWorld({"path", "after", "on-failure", "marker", "marker-event"},
                       [&self] { return self.FindPaths(); });
    options.CheckWorld({"path", "done-dir"}, [&self] {
      return self.FindDestination("done-dir", self.settings_.done_dir);
    });
    options.CheckWorld({"path", "failed-dir"}, [&self] {
      return self.FindDestination("failed-dir", self.settings_.failed_dir);
    });
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    mapping_.OnPrint([&tower](std::string_view line) {
      tower.log.Info("map output", {{"text", line}});
    });
    if (auto loaded = mapping_.Load(); !loaded) return loaded;
    auto ledger = file::Ledger::Load(tower.queue);
    if (!ledger) return ledger.error();
    return file::Session(tower, settings_, mapping_, std::move(*ledger)).Run(stop);
  }

  Mapping* mapping() override { return &mapping_; }

 private:
  Status FindPaths() const {
    std::string faults;
    for (const auto& path : settings_.path) {
      const auto fault = FaultOf(file::Source(path, settings_));
      if (!fault.empty()) faults += (faults.empty() ? "" : "; ") + path + ": " + fault;
    }
    if (faults.empty()) return Ok();
    return Error{ErrorCode::kUnavailable, faults};
  }

  // Whether files can be moved to a folder given by an absolute path. A missing folder is created,
  // if its parent exists.
  Status FindDestination(const std::string& option, const std::string& path) const {
    if (path[0] != '/') return Ok();
    const auto fault = [&](const std::string& why) {
      return Error{ErrorCode::kUnavailable, option + " " + path + ": " + why};
    };
    struct stat info {};
    auto folder = path.substr(0, path.find_last_not_of('/') + 1);
    if (stat(folder.c_str(), &info) != 0) {
      if (errno != ENOENT) return fault(ErrnoText(errno));
      folder = folder.substr(0, std::max<std::size_t>(folder.rfind('/'), 1));
      if (stat(folder.c_str(), &info) != 0)
        return fault("folder " + folder + ": " + ErrnoText(errno));
    }
    if (!S_ISDIR(info.st_mode)) return fault(folder + " is not a folder");
    if (access(folder.c_str(), W_OK | X_OK) != 0) return fault("write: " + ErrnoText(errno));
    for (const auto& watched : settings_.path) {
      struct stat other {};
      const auto root = file::Source(watched, settings_).root();
      if (stat(root.c_str(), &other) == 0 && other.st_dev != info.st_dev) {
        return fault("it is on another file system than " + watched +
                     ", so files cannot be moved there");
      }
    }
    return Ok();
  }

  // Why the path cannot be watched; "" if it can.
  std::string FaultOf(const file::Source& source) const {
    if (auto root = file::OpenFolder(source.root()); !root) return root.error().message;
    const auto only = source.OnlyName();
    if (!only.empty() && access(source.PathOf(only).c_str(), R_OK) != 0) return ErrnoText(errno);
    const bool moves = settings_.after != "keep" || settings_.on_failure != "keep";
    if (moves && !settings_.FolderIsEvent() && access(source.root().c_str(), W_OK) != 0) {
      return "write: " + ErrnoText(errno);
    }
    return "";
  }

  file::Settings settings_;
  Mapping mapping_;
};

REGISTER_WATCHER(
    FileWatcher, "file",
    "Watches files and folders: triggers, CSV, plate maps, text, folders with a marker.");

}  // namespace
}  // namespace tower
