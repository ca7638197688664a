#include "plugins/file/session.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "plugins/file/marker.h"

namespace tower::file {
namespace {

constexpr std::size_t kMostWork = 50'000;      // files queued; what does not fit is found again
constexpr std::size_t kMostSettling = 50'000;  // the same
constexpr std::size_t kMostChanging = 10'000;

}  // namespace

Session::Session(WatcherContext& tower, const Settings& settings, Mapping& mapping, Ledger ledger)
    : tower_(tower),
      settings_(settings),
      ledger_(std::move(ledger)),
      complaints_(tower.log),
      intake_(tower, settings, mapping, ledger_, complaints_) {
  for (const auto& path : settings.path) sources_.emplace_back(Source(path, settings));
}

Status Session::Run(const std::stop_token& stop) {
  auto ended = Loop(stop);
  // What can't be written now is found out again.
  if (stop.stop_requested()) static_cast<void>(intake_.Flush());
  return ended;
}

Status Session::Loop(const std::stop_token& stop) {
  const Fd stop_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_fd) return FileError("eventfd", errno);
  const std::stop_callback wake(stop, [&stop_fd] { eventfd_write(stop_fd.get(), 1); });
  while (!stop.stop_requested()) {
    if (auto begun = BeginLooks(); !begun) return begun;
    ReadEvents();
    ContinueScans(stop);
    QueueSettled();
    if (!work_.empty()) {
      if (auto worked = WorkOnce(stop); !worked) return worked;
    }
    if (!Busy() || intake_.FlushDue()) {
      if (auto flushed = intake_.Flush(); !flushed) return flushed;
    }
    if (!Busy()) Wait(stop_fd.get());
  }
  return Ok();
}

bool Session::Busy() const {
  return !work_.empty() || std::any_of(sources_.begin(), sources_.end(), [](const Watched& each) {
    return each.scan != nullptr || !each.new_folders.empty();
  });
}

// Sleeps until something happens, something is due, or stop is requested.
void Session::Wait(int stop_fd) {
  auto until = next_check_;
  if (!due_.empty()) until = std::min(until, due_.begin()->first);
  std::vector<pollfd> fds = {{stop_fd, POLLIN, 0}};
  for (auto& watched : sources_) {
    watched.root = Fd();
    until = std::min(until, watched.next_look);
    if (watched.inotify) fds.push_back({watched.inotify->fd(), POLLIN, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  const auto timeout = std::clamp(left, std::chrono::milliseconds(0), kCheckRoots);
  tower_.notes.Retrying(Retries());
  poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
  CheckRoots();
}

// --- Events ---

void Session::ReadEvents() {
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    constexpr int kMostReads = 100;  // a flood must not keep us from the work
    for (int i = 0; i < kMostReads && sources_[index].inotify; ++i) {
      auto events = sources_[index].inotify->Read();
      if (!events) {
        PollInstead(sources_[index], events.error().message);
        sources_[index].next_look = Clock::now();
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
      tower_.log.Warn("inotify queue overflowed, looking at everything",
                      {{"path", watched.source.path()}});
      watched.changing.clear();
      watched.scan.reset();
      watched.next_look = Clock::now();
      break;
    case FolderEvent::Kind::kLost:
      Replaced(index);
      break;
    case FolderEvent::Kind::kFolder:
      if (watched.source.WantsFolder(event.folder, event.name)) LookAtFolder(index, relative);
      break;
    case FolderEvent::Kind::kNoFolder:
      if (watched.inotify) watched.inotify->Unwatch(relative);
      break;
    default:
      if (watched.source.WantsFile(event.folder, event.name)) {
        OnFileEvent(index, event.kind, relative);
      } else if (event.kind == FolderEvent::Kind::kComplete &&
                 watched.source.IsMarker(event.folder, event.name)) {
        LookAtFolder(index, event.folder);
      } else {
        NoteIgnored(watched, relative, kNotWanted);
      }
  }
}

void Session::LookAtFolder(std::size_t index, const std::string& relative) {
  auto& watched = sources_[index];
  constexpr std::size_t kMostFolders = 1000;
  if (!relative.empty()) watched.new_folders.insert(relative);
  if (relative.empty() || watched.new_folders.size() > kMostFolders) {
    watched.new_folders.clear();
    watched.scan.reset();
    watched.next_look = Clock::now();
  }
}

// Whether the marker that a file may have to wait for is there. When it comes, its folder is looked
// at.
bool Session::MayBeTaken(Watched& watched, const std::string& relative) {
  if (!settings_.FilesWait()) return true;
  return HaveRoot(watched) &&
         HasFile(watched.root.get(), SplitPath(relative).first, settings_.marker);
}

void Session::OnFileEvent(std::size_t index, FolderEvent::Kind kind, const std::string& relative) {
  auto& watched = sources_[index];
  const Key key{index, relative};
  if (kind == FolderEvent::Kind::kChanging) {
    // A close will follow; only a file that was linked in is complete as it is.
    if (watched.changing.size() >= kMostChanging) return;
    if (!watched.changing.insert(relative).second) return;
    Unsettle(key);
    if (!HaveRoot(watched)) return;
    const auto info = Inspect(watched.root.get(), relative);
    if (info && info->links > 1) {
      watched.changing.erase(relative);
      if (MayBeTaken(watched, relative)) Settle(key, info->version, settings_.settle);
    }
    return;
  }
  watched.changing.erase(relative);
  Unsettle(key);
  if (kind == FolderEvent::Kind::kComplete) {
    if (MayBeTaken(watched, relative)) Queue(key, std::nullopt);
  } else if (const auto path = watched.source.PathOf(relative); ledger_.Find(path) != nullptr) {
    // Gone, unless it is there again already.
    if (!HaveRoot(watched)) return;
    const auto info = Inspect(watched.root.get(), relative);
    if (!info && info.error().code == ErrorCode::kNotFound) ledger_.Forget(path);
  }
}

// --- Work ---

void Session::Queue(const Key& key, const std::optional<Version>& expected) {
  if (work_.size() >= kMostWork) {
    sources_[key.first].next_look = Clock::now();
    return;
  }
  if (queued_.insert(key).second) work_.push_back({key, expected});
}

void Session::Settle(const Key& key, const Version& version, std::chrono::milliseconds time) {
  Unsettle(key);
  if (settling_.size() >= kMostSettling) return;
  const auto due = Clock::now() + std::max(time, std::chrono::milliseconds(1));
  settling_.emplace(key, Settling{version, time, due});
  due_.emplace(due, key);
}

void Session::Unsettle(const Key& key) {
  const auto found = settling_.find(key);
  if (found == settling_.end()) return;
  due_.erase({found->second.due, key});
  settling_.erase(found);
}

void Session::QueueSettled() {
  const auto now = Clock::now();
  while (!due_.empty() && due_.begin()->first <= now) {
    const Key key = due_.begin()->second;
    const Settling settling = settling_.at(key);
    Unsettle(key);
    auto& watched = sources_[key.first];
    if (!HaveRoot(watched)) continue;
    const auto info = Inspect(watched.root.get(), key.second);
    if (!info) continue;  // gone, or found again by the next look
    if (info->version != settling.version) {
      Settle(key, info->version, settling.time);
      continue;
    }
    watched.changing.erase(key.second);
    Queue(key, info->version);
  }
}

Status Session::WorkOnce(const std::stop_token& stop) {
  const Work work = std::move(work_.front());
  work_.pop_front();
  queued_.erase(work.key);
  const auto& relative = work.key.second;
  auto& watched = sources_[work.key.first];
  // Of a file that is being written again the close will tell.
  const auto changing = [&] { return watched.changing.count(relative) > 0; };
  if (!HaveRoot(watched) || changing()) return Ok();
  // Out of reach of the events, which may find that the root was replaced, until the work is done.
  Fd root = std::move(watched.root);
  const auto opened_as = watched.opened_as;
  const auto replaced = [&] { return watched.opened_as != opened_as; };
  const Intake::Place place{root.get(), relative, watched.source.PathOf(relative)};
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
    if (info) Settle(work.key, info->version, settings_.settle);
  }
  watched.root = std::move(root);
  return Ok();
}

}  // namespace tower::file
