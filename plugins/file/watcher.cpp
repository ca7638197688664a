#include "core/watcher.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "plugins/file/ledger.h"
#include "plugins/file/session.h"
#include "plugins/file/settings.h"
#include "plugins/file/source.h"

namespace tower {
namespace {

class FileWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, FileWatcher& self) {
    self.settings_.Declare(options, self.mapping_);
    options.CheckWorld({"path", "after", "on-failure", "marker", "marker-event"},
                       [&self] { return self.FindPaths(); });
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    mapping_.OnPrint([&tower](std::string_view line) {
      tower.log.Info("map says", {{"text", line}});
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

  // "" where there is none.
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
