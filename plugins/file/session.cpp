#include "plugins/file/session.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "core/base/wakeup.h"
#include "plugins/file/notice/marker.h"
#include "plugins/file/notice/polling.h"

namespace tower::file {
namespace {

constexpr std::size_t kMaxWork = 50'000;  // files queued; the next scan finds the rest
constexpr std::size_t kMaxChanging = 10'000;
constexpr std::chrono::milliseconds kRetry{1'000};  // of opening a root
constexpr std::size_t kStep = 10'000;               // files found before the work on them begins

}  // namespace

Session::Session(WatcherContext& tower, const Settings& settings, Mapping& mapping, Ledger ledger)
    : tower_(tower),
      settings_(settings),
      ledger_(std::move(ledger)),
      retry_log_(tower.log),
      intake_(tower, settings, mapping, ledger_, retry_log_) {
  for (const auto& path : settings.path) sources_.emplace_back(Source(path, settings));
}

Status Session::Run(const std::stop_token& stop) {
  auto ended = Loop(stop);
  // What cannot be written now is found again after the restart.
  if (stop.stop_requested()) static_cast<void>(intake_.Flush());
  return ended;
}

Status Session::Loop(const std::stop_token& stop) {
  const StopEvent stopped(stop);
  while (!stop.stop_requested()) {
    if (auto begun = BeginScans(); !begun) return begun;
    ReadEvents();
    ContinueScans(stop);
    QueueSettled();
    if (!work_.empty()) {
      if (auto worked = WorkOnce(stop); !worked) return worked;
    }
    if (!Busy() || intake_.FlushDue()) {
      if (auto flushed = intake_.Flush(); !flushed) return flushed;
    }
    if (!Busy()) Wait(stopped.fd());
  }
  return Ok();
}

bool Session::Busy() const {
  return !work_.empty() || std::any_of(sources_.begin(), sources_.end(), [](const Watched& each) {
    return each.scan != nullptr || !each.new_folders.empty();
  });
}

// Waits for an event, the next due time, or stop.
void Session::Wait(int stop_fd) {
  auto until = next_check_;
  if (const auto due = settling_.NextDue()) until = std::min(until, *due);
  std::vector<pollfd> fds = {{stop_fd, POLLIN, 0}};
  for (auto& watched : sources_) {
    watched.root = Fd();
    until = std::min(until, watched.next_scan);
    if (watched.inotify) fds.push_back({watched.inotify->fd(), POLLIN, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  const auto timeout = std::clamp(left, std::chrono::milliseconds(0), kCheckRoots);
  tower_.notes.Retrying(Retries());
  poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
  CheckRoots();
}

// --- Scans ---

Status Session::BeginScans() {
  Status first_fault = Ok();
  bool any = false;
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    auto& watched = sources_[index];
    if (watched.next_scan <= Clock::now()) {
      if (auto opened = Open(index); !opened) {
        if (first_fault) first_fault = Annotate(watched.source.path(), opened.error());
        continue;
      }
      watched.scan_number = ++scans_;
      retry_log_.ForgetBefore(watched.source.root(), watched.scan_began);
      watched.scan_began = Clock::now();
      watched.new_folders.clear();
      StartScan(index, "");
      watched.next_scan = Clock::time_point::max();  // set at its end
    }
    any = any || watched.fault.empty();
  }
  if (any || sources_.empty()) return Ok();
  // The supervisor reports the error and tries again.
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
    OnRootReplaced(index);
    watched.next_scan = Clock::now() + kRetry;
    if (watched.fault != info.error().message) {
      watched.fault = info.error().message;
      tower_.log.Warn("cannot watch path; will retry",
                      {{"path", watched.source.path()}, {"error", info.error()}});
    }
    return info.error();
  }
  if (!watched.fault.empty()) {
    watched.fault.clear();
    tower_.log.Info("path is watched again", {{"path", watched.source.path()}});
  }
  if (watched.opened != watched.source.root() || watched.device != info->device ||
      watched.inode != info->version.inode) {
    OnRootReplaced(index);
    const auto only = watched.source.OnlyName();
    if (watched.opened.empty() && !only.empty() && !Inspect(fd->get(), only)) {
      tower_.log.Warn("path does not exist yet; waiting for it", {{"path", watched.source.path()}});
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
      SwitchToPolling(watched, made.error().message);
    }
  }
  return Ok();
}

// The root is another folder now: drops what is known of it.
void Session::OnRootReplaced(std::size_t index) {
  auto& watched = sources_[index];
  watched.root = Fd();
  watched.device = watched.inode = 0;
  ++watched.generation;
  watched.inotify.reset();
  watched.scan.reset();
  watched.new_folders.clear();
  watched.changing.clear();
  watched.next_scan = Clock::now();
  const auto of_index = [index](const Key& key) { return key.first == index; };
  std::erase_if(work_, [&](const Work& work) { return of_index(work.key); });
  std::erase_if(queued_, of_index);
  settling_.RemoveSource(index);
}

void Session::LogIgnored(const Watched& watched, const std::string& relative,
                         std::string_view why) {
  if (!LogShows(LogLevel::kDebug)) return;
  tower_.log.Debug("file ignored", {{"path", watched.source.PathOf(relative)}, {"reason", why}});
}

void Session::StartScan(std::size_t index, const std::string& start) {
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
                retry_log_.Report(watched.source.PathOf(relative), error);
              },
          .on_ignored =
              [this, &watched](const std::string& relative) {
                LogIgnored(watched, relative, kNotWanted);
              },
      });
}

void Session::ContinueScans(const std::stop_token& stop) {
  constexpr std::size_t kLittle = 100;
  for (std::size_t index = 0; index < sources_.size() && work_.size() < kLittle; ++index) {
    auto& watched = sources_[index];
    if (!watched.scan && !watched.new_folders.empty()) {
      StartScan(index, *watched.new_folders.begin());
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

// The folder is watched before it is read, so that no change between the two is missed.
void Session::OnFolder(Watched& watched, int fd, const std::string& relative) {
  WatchFolder(watched, fd, relative);
  watched.marked = !settings_.FilesWait() || HasFile(fd, "", settings_.marker);
}

void Session::WatchFolder(Watched& watched, int fd, const std::string& relative) {
  if (watched.polled || !watched.inotify) return;
  if (settings_.mode == "auto") {
    const auto needs = NeedsPolling(fd);
    if (needs && *needs) {
      SwitchToPolling(watched, "the file system has no inotify events");
      return;
    }
  }
  auto begun = watched.inotify->Watch(watched.source.PathOf(relative), relative);
  if (!begun && begun.error().code != ErrorCode::kNotFound) {
    SwitchToPolling(watched, begun.error().message);
  }
}

void Session::SwitchToPolling(Watched& watched, std::string_view why) {
  tower_.log.Warn("polling instead of inotify", {{"path", watched.source.path()}, {"error", why}});
  watched.polled = true;
  watched.inotify.reset();
  watched.changing.clear();
}

bool Session::OnFile(Watched& watched, const std::string& relative, const Version& version) {
  const auto* known = ledger_.FindInScan(watched.source.PathOf(relative), watched.scan_number);
  if (known != nullptr && known->version == version) {
    if (intake_.IsDisposalDue(*known)) return true;
    LogIgnored(watched, relative, "it was handled already");
    return false;
  }
  if (!watched.marked) LogIgnored(watched, relative, "the marker is not there yet");
  return watched.marked;
}

// Queues files that have been unchanged for long enough, oldest first, and lets the others settle.
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
    // On a share, times are those of another machine's clock and do not tell the age.
    const bool old = !watched.polled && !changing && version.mtime_ns <= settled_before;
    // A file that was handled already is to be moved or deleted.
    if (old || (known != nullptr && known->version == version)) {
      settling_.Remove(key);
      Queue(key, version);
    } else if (!settling_.Contains(key)) {
      const auto time = std::max(settings_.settle, settings_.rescan_interval);
      settling_.Add(key, version, changing ? time : settings_.settle);
    }
  }
}

void Session::EndScan(std::size_t index) {
  auto& watched = sources_[index];
  const auto scan = std::move(watched.scan);
  if (!scan->whole()) return;
  tower_.log.Debug("scan finished", {{"path", watched.source.path()}});
  watched.next_scan =
      Clock::now() + (watched.polled ? settings_.poll_interval : settings_.rescan_interval);
  if (!scan->clean()) return;
  const auto& root = watched.source.root();
  ledger_.ForgetGone(root, watched.scan_number,
                     [&](const std::string& path, const Handled& handled) {
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
  auto next_scan = Clock::time_point::max();
  for (const auto& watched : sources_) next_scan = std::min(next_scan, watched.next_scan);
  std::vector<WatcherNotes::Retry> retries;
  for (const auto& watched : sources_) {
    if (watched.fault.empty()) continue;
    retries.push_back({watched.source.path(), watched.fault, at(watched.next_scan)});
  }
  const auto files = retry_log_.Retries(at(next_scan));
  retries.insert(retries.end(), files.begin(), files.end());
  return retries;
}

// Opens the root again after it was closed for a wait. A scan is due if it is another folder.
bool Session::HaveRoot(Watched& watched) {
  if (watched.root) return true;
  auto fd = OpenFolder(watched.source.root());
  const auto info = fd ? Inspect(fd->get()) : Result<FileInfo>(fd.error());
  if (!info || info->device != watched.device || info->version.inode != watched.inode) {
    watched.next_scan = Clock::now();
    return false;
  }
  watched.root = std::move(*fd);
  return true;
}

// No event reports that a folder above was renamed or mounted over.
void Session::CheckRoots() {
  if (Clock::now() < next_check_) return;
  next_check_ = Clock::now() + kCheckRoots;
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    auto& watched = sources_[index];
    if (!watched.fault.empty()) continue;
    struct stat status {};
    if (stat(watched.source.root().c_str(), &status) != 0 || status.st_dev != watched.device ||
        status.st_ino != watched.inode) {
      OnRootReplaced(index);
    }
  }
}

// --- Events ---

void Session::ReadEvents() {
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    constexpr int kMaxReads = 100;  // many events must not delay the work
    for (int i = 0; i < kMaxReads && sources_[index].inotify; ++i) {
      auto events = sources_[index].inotify->Read();
      if (!events) {
        SwitchToPolling(sources_[index], events.error().message);
        sources_[index].next_scan = Clock::now();
        break;
      }
      if (events->empty()) break;
      for (const auto& event : *events) OnEvent(index, event);
    }
  }
}

void Session::OnEvent(std::size_t index, const FolderEvent& event) {
  auto& watched = sources_[index];
  const auto relative = JoinPath(event.folder, event.name);
  switch (event.kind) {
    case FolderEvent::Kind::kOverflow:
      tower_.log.Warn("inotify queue overflowed; scanning all folders",
                      {{"path", watched.source.path()}});
      watched.changing.clear();
      watched.scan.reset();
      watched.next_scan = Clock::now();
      break;
    case FolderEvent::Kind::kLost:
      OnRootReplaced(index);
      break;
    case FolderEvent::Kind::kFolder:
      if (watched.source.WantsFolder(event.folder, event.name)) ScanFolder(index, relative);
      break;
    case FolderEvent::Kind::kNoFolder:
      if (watched.inotify) watched.inotify->Unwatch(relative);
      break;
    default:
      if (watched.source.WantsFile(event.folder, event.name)) {
        OnFileEvent(index, event.kind, relative);
      } else if (event.kind == FolderEvent::Kind::kComplete &&
                 watched.source.IsMarker(event.folder, event.name)) {
        ScanFolder(index, event.folder);
      } else {
        LogIgnored(watched, relative, kNotWanted);
      }
  }
}

void Session::ScanFolder(std::size_t index, const std::string& relative) {
  auto& watched = sources_[index];
  constexpr std::size_t kMaxFolders = 1000;
  if (!relative.empty()) watched.new_folders.insert(relative);
  if (relative.empty() || watched.new_folders.size() > kMaxFolders) {
    watched.new_folders.clear();
    watched.scan.reset();
    watched.next_scan = Clock::now();
  }
}

// Whether the marker that the file may have to wait for is there. The folder is scanned when it
// appears.
bool Session::MayBeTaken(Watched& watched, const std::string& relative) {
  if (!settings_.FilesWait()) return true;
  return HaveRoot(watched) &&
         HasFile(watched.root.get(), SplitPath(relative).first, settings_.marker);
}

void Session::OnFileEvent(std::size_t index, FolderEvent::Kind kind, const std::string& relative) {
  auto& watched = sources_[index];
  const Key key{index, relative};
  if (kind == FolderEvent::Kind::kChanging) {
    // A close follows, unless the file was linked in: then it is complete already.
    if (watched.changing.size() >= kMaxChanging) return;
    if (!watched.changing.insert(relative).second) return;
    settling_.Remove(key);
    if (!HaveRoot(watched)) return;
    const auto info = Inspect(watched.root.get(), relative);
    if (info && info->links > 1) {
      watched.changing.erase(relative);
      if (MayBeTaken(watched, relative)) settling_.Add(key, info->version, settings_.settle);
    }
    return;
  }
  watched.changing.erase(relative);
  settling_.Remove(key);
  if (kind == FolderEvent::Kind::kComplete) {
    if (MayBeTaken(watched, relative)) Queue(key, std::nullopt);
  } else if (const auto path = watched.source.PathOf(relative); ledger_.Find(path) != nullptr) {
    // The file is gone, unless it has been created again.
    if (!HaveRoot(watched)) return;
    const auto info = Inspect(watched.root.get(), relative);
    if (!info && info.error().code == ErrorCode::kNotFound) ledger_.Forget(path);
  }
}

// --- Work ---

void Session::Queue(const Key& key, const std::optional<Version>& expected) {
  if (work_.size() >= kMaxWork) {
    sources_[key.first].next_scan = Clock::now();
    return;
  }
  if (queued_.insert(key).second) work_.push_back({key, expected});
}

void Session::QueueSettled() {
  const auto now = Clock::now();
  while (const auto settled = settling_.TakeDue(now)) {
    const auto& [index, relative] = settled->key;
    auto& watched = sources_[index];
    if (!HaveRoot(watched)) continue;
    const auto info = Inspect(watched.root.get(), relative);
    if (!info) continue;  // it is gone, or the next scan finds it again
    if (info->version != settled->version) {
      settling_.Add(settled->key, info->version, settled->time);
      continue;
    }
    watched.changing.erase(relative);
    Queue(settled->key, info->version);
  }
}

Status Session::WorkOnce(const std::stop_token& stop) {
  const Work work = std::move(work_.front());
  work_.pop_front();
  queued_.erase(work.key);
  const auto& relative = work.key.second;
  auto& watched = sources_[work.key.first];
  // When a file is being written again, an event reports its close.
  const auto changing = [&] { return watched.changing.count(relative) > 0; };
  if (!HaveRoot(watched) || changing()) return Ok();
  // Kept here while the file is taken: events that arrive meanwhile may replace the root.
  Fd root = std::move(watched.root);
  const auto generation = watched.generation;
  const auto replaced = [&] { return watched.generation != generation; };
  const Place place{root.get(), relative, watched.source.PathOf(relative)};
  const auto verdict = intake_.Take(
      place, work.expected,
      [&] {
        ReadEvents();
        return !changing() && !replaced();
      },
      stop);
  if (!verdict) return verdict.error();
  if (replaced()) return Ok();
  if (*verdict == Intake::Verdict::kUnstable && !changing()) {
    const auto info = Inspect(root.get(), relative);
    if (info) settling_.Add(work.key, info->version, settings_.settle);
  }
  watched.root = std::move(root);
  return Ok();
}

}  // namespace tower::file
