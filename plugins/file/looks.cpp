// The half of Session that looks at folders as a whole: at the start, at intervals, after an
// overflow, and at folders that are new.
#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "plugins/file/marker.h"
#include "plugins/file/session.h"

namespace tower::file {
namespace {

constexpr std::chrono::milliseconds kRetry{1'000};  // of opening a root
constexpr std::size_t kStep = 10'000;               // files found before the work on them begins

}  // namespace

Status Session::BeginLooks() {
  Status first_fault = Ok();
  bool any = false;
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    auto& watched = sources_[index];
    if (watched.next_look <= Clock::now()) {
      if (auto opened = Open(index); !opened) {
        if (first_fault) first_fault = Annotate(watched.source.path(), opened.error());
        continue;
      }
      watched.look = ++looks_;
      complaints_.ForgetBefore(watched.source.root(), watched.look_began);
      watched.look_began = Clock::now();
      watched.new_folders.clear();
      BeginScan(index, "");
      watched.next_look = Clock::time_point::max();  // set at its end
    }
    any = any || watched.fault.empty();
  }
  if (any || sources_.empty()) return Ok();
  // The supervisor shows it and tries again.
  if (first_fault) return Ok();
  return Error{ErrorCode::kUnavailable, first_fault.error().message};
}

Status Session::Open(std::size_t index) {
  auto& watched = sources_[index];
  watched.source.Resolve();
  watched.root = Fd();
  auto fd = OpenFolder(watched.source.root());
  auto info = fd ? Inspect(fd->get()) : Result<FileInfo>(fd.error());
  if (!info) {
    Replaced(index);
    watched.next_look = Clock::now() + kRetry;
    if (watched.fault != info.error().message) {
      watched.fault = info.error().message;
      tower_.log.Warn("path can't be watched, trying again",
                      {{"path", watched.source.path()}, {"error", info.error()}});
    }
    return info.error();
  }
  if (!watched.fault.empty()) {
    watched.fault.clear();
    tower_.log.Info("path can be watched again", {{"path", watched.source.path()}});
  }
  if (watched.opened != watched.source.root() || watched.device != info->device ||
      watched.inode != info->version.inode) {
    Replaced(index);
    const auto only = watched.source.OnlyName();
    if (watched.opened.empty() && !only.empty() && !Inspect(fd->get(), only)) {
      tower_.log.Warn("nothing at this path yet, waiting", {{"path", watched.source.path()}});
    }
    watched.opened = watched.source.root();
    watched.device = info->device;
    watched.inode = info->version.inode;
    watched.polled = settings_.mode == "poll";
  }
  watched.root = std::move(*fd);
  if (!watched.polled && !watched.inotify) {
    auto made = Inotify::Make();
    if (made) {
      watched.inotify.emplace(std::move(*made));
    } else {
      PollInstead(watched, made.error().message);
    }
  }
  return Ok();
}

// What was known of the root does not hold any more; the next look begins afresh.
void Session::Replaced(std::size_t index) {
  auto& watched = sources_[index];
  watched.root = Fd();
  watched.device = watched.inode = 0;
  ++watched.opened_as;
  watched.inotify.reset();
  watched.scan.reset();
  watched.new_folders.clear();
  watched.changing.clear();
  watched.next_look = Clock::now();
  const auto of_index = [index](const Key& key) { return key.first == index; };
  std::erase_if(work_, [&](const Work& work) { return of_index(work.key); });
  std::erase_if(queued_, of_index);
  std::erase_if(settling_, [&](const auto& each) { return of_index(each.first); });
  std::erase_if(due_, [&](const auto& each) { return of_index(each.second); });
}

void Session::NoteIgnored(const Watched& watched, const std::string& relative,
                          std::string_view why) {
  if (!LogShows(LogLevel::kDebug)) return;
  tower_.log.Debug("ignored", {{"path", watched.source.PathOf(relative)}, {"because", why}});
}

void Session::BeginScan(std::size_t index, const std::string& start) {
  auto& watched = sources_[index];
  watched.scan = std::make_unique<Scan>(
      watched.source, start,
      Scan::Callbacks{
          .on_folder = [this, &watched](
                           int fd, const std::string& folder) { OnFolder(watched, fd, folder); },
          .on_file = [this, &watched](
                         const std::string& relative,
                         const Version& version) { return OnFile(watched, relative, version); },
          .on_fault =
              [this, &watched](const std::string& relative, const Error& error) {
                complaints_.Complain(watched.source.PathOf(relative), error);
              },
          .on_ignored =
              [this, &watched](const std::string& relative) {
                NoteIgnored(watched, relative, kNotWanted);
              },
      });
}

void Session::ContinueScans(const std::stop_token& stop) {
  constexpr std::size_t kLittle = 100;
  for (std::size_t index = 0; index < sources_.size() && work_.size() < kLittle; ++index) {
    auto& watched = sources_[index];
    if (!watched.scan && !watched.new_folders.empty()) {
      BeginScan(index, *watched.new_folders.begin());
      watched.new_folders.erase(watched.new_folders.begin());
    }
    if (!watched.scan || !HaveRoot(watched)) continue;
    std::vector<Found> found;
    const bool more = watched.scan->Next(watched.root.get(), kStep, stop, found);
    if (stop.stop_requested()) return;
    OnFound(index, std::move(found));
    if (!more) EndScan(index);
  }
}

// Before the folder is read, so that nothing falls between the look and the events.
void Session::OnFolder(Watched& watched, int fd, const std::string& relative) {
  WatchFolder(watched, fd, relative);
  watched.marked = !settings_.FilesWait() || HasFile(fd, "", settings_.marker);
}

void Session::WatchFolder(Watched& watched, int fd, const std::string& relative) {
  if (watched.polled || !watched.inotify) return;
  if (settings_.mode == "auto") {
    const auto needs = NeedsPolling(fd);
    if (needs && *needs) {
      PollInstead(watched, "this file system has no inotify events");
      return;
    }
  }
  auto begun = watched.inotify->Watch(watched.source.PathOf(relative), relative);
  if (!begun && begun.error().code != ErrorCode::kNotFound) {
    PollInstead(watched, begun.error().message);
  }
}

void Session::PollInstead(Watched& watched, std::string_view why) {
  tower_.log.Warn("polling", {{"path", watched.source.path()}, {"error", why}});
  watched.polled = true;
  watched.inotify.reset();
  watched.changing.clear();
}

bool Session::OnFile(Watched& watched, const std::string& relative, const Version& version) {
  const auto* known = ledger_.See(watched.source.PathOf(relative), watched.look);
  if (known != nullptr && known->version == version) {
    if (intake_.IsInTheWay(*known)) return true;
    NoteIgnored(watched, relative, "it was handled before");
    return false;
  }
  if (!watched.marked) NoteIgnored(watched, relative, "the marker is not there yet");
  return watched.marked;
}

// Decides which files are whole: those that have not changed for some time. Oldest first.
void Session::OnFound(std::size_t index, std::vector<Found> found) {
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tie(a.version.mtime_ns, a.relative) < std::tie(b.version.mtime_ns, b.relative);
  });
  constexpr std::size_t kMany = 100;
  auto& watched = sources_[index];
  if (found.size() >= kMany) {
    tower_.log.Info("many files found", {{"path", watched.source.path()}, {"files", found.size()}});
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto settled_before =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - settings_.settle).count();
  for (const auto& [relative, version] : found) {
    const Key key{index, relative};
    const auto* known = ledger_.Find(watched.source.PathOf(relative));
    const bool changing = watched.changing.count(relative) > 0;
    // The clock of another machine says nothing about age.
    const bool old = !watched.polled && !changing && version.mtime_ns <= settled_before;
    // What was handled before is to be moved or deleted.
    if (old || (known != nullptr && known->version == version)) {
      Unsettle(key);
      Queue(key, version);
    } else if (settling_.count(key) == 0) {
      const auto time = std::max(settings_.settle, settings_.rescan_interval);
      Settle(key, version, changing ? time : settings_.settle);
    }
  }
}

void Session::EndScan(std::size_t index) {
  auto& watched = sources_[index];
  const auto scan = std::move(watched.scan);
  if (!scan->whole()) return;
  tower_.log.Debug("looked", {{"path", watched.source.path()}});
  watched.next_look =
      Clock::now() + (watched.polled ? settings_.poll_interval : settings_.rescan_interval);
  if (!scan->clean()) return;
  const auto& root = watched.source.root();
  ledger_.ForgetGone(root, watched.look, [&](const std::string& path, const Handled& handled) {
    const auto relative = path.substr(root == "/" ? 1 : root.size() + 1);
    if (!watched.source.Reaches(relative)) return false;
    if (scan->MayBeUnmounted(relative, handled.device)) return false;
    const auto info = Inspect(watched.root.get(), relative);
    return !info && info.error().code == ErrorCode::kNotFound;
  });
  tower_.ReportSuccess();
}

std::vector<WatcherNotes::Retry> Session::Retries() const {
  const auto at = [](Clock::time_point time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now());
    return WallNow() + std::max(left, std::chrono::milliseconds(0));
  };
  auto next_look = Clock::time_point::max();
  for (const auto& watched : sources_) next_look = std::min(next_look, watched.next_look);
  std::vector<WatcherNotes::Retry> retries;
  for (const auto& watched : sources_) {
    if (watched.fault.empty()) continue;
    retries.push_back({watched.source.path(), watched.fault, at(watched.next_look)});
  }
  const auto files = complaints_.Retries(at(next_look));
  retries.insert(retries.end(), files.begin(), files.end());
  return retries;
}

// Opens the root again after it was closed for a wait. If it is not what it was, a look is due.
bool Session::HaveRoot(Watched& watched) {
  if (watched.root) return true;
  auto fd = OpenFolder(watched.source.root());
  const auto info = fd ? Inspect(fd->get()) : Result<FileInfo>(fd.error());
  if (!info || info->device != watched.device || info->version.inode != watched.inode) {
    watched.next_look = Clock::now();
    return false;
  }
  watched.root = std::move(*fd);
  return true;
}

// A folder above may have been renamed, or something mounted: no event tells.
void Session::CheckRoots() {
  if (Clock::now() < next_check_) return;
  next_check_ = Clock::now() + kCheckRoots;
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    auto& watched = sources_[index];
    if (!watched.fault.empty()) continue;
    struct stat status {};
    if (stat(watched.source.root().c_str(), &status) != 0 || status.st_dev != watched.device ||
        status.st_ino != watched.inode) {
      Replaced(index);
    }
  }
}

}  // namespace tower::file
