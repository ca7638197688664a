// One run of a `file` watcher: detects files, waits until they are complete, and takes them.
#ifndef PLUGINS_FILE_SESSION_H_
#define PLUGINS_FILE_SESSION_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/file/files.h"
#include "plugins/file/notice/inotify.h"
#include "plugins/file/notice/scan.h"
#include "plugins/file/notice/settle_queue.h"
#include "plugins/file/notice/source.h"
#include "plugins/file/retry_log.h"
#include "plugins/file/settings.h"
#include "plugins/file/take/intake.h"
#include "plugins/file/take/ledger.h"

namespace tower::file {

class Session {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kCheckRoots{1'000};

  // All must outlive the session.
  Session(WatcherContext& tower, const Settings& settings, Mapping& mapping, Ledger ledger);

  // Returns when stop is requested, the queue fails, or none of the paths can be opened.
  Status Run(const std::stop_token& stop);

 private:
  struct Watched {
    explicit Watched(Source s) : source(std::move(s)) {}

    Source source;
    Fd root;             // closed while idle, so that a share can be unmounted
    std::string opened;  // the path, device and inode of the root when it was last opened
    std::uint64_t device = 0, inode = 0;
    std::uint64_t generation = 0;  // incremented when the root is another folder
    std::string fault;             // why the root cannot be opened
    std::optional<Inotify> inotify;
    bool polled = false;
    std::unique_ptr<Scan> scan;     // that is under way
    std::uint64_t scan_number = 0;  // of the last scan of everything
    Clock::time_point scan_began{};
    Clock::time_point next_scan{};
    std::set<std::string> new_folders;         // to be scanned
    std::unordered_set<std::string> changing;  // files that are being written
    bool marked = true;  // whether the files of the folder being scanned may be taken
  };
  using Key = FileKey;
  struct Work {
    Key key;
    std::optional<Version> expected;
  };

  Status Loop(const std::stop_token& stop);

  // Scans.
  Status BeginScans();
  Status Open(std::size_t index);
  void OnRootReplaced(std::size_t index);
  static constexpr std::string_view kNotWanted = "the name is not wanted";
  void LogIgnored(const Watched& watched, const std::string& relative, std::string_view why);
  void StartScan(std::size_t index, const std::string& start);
  void ContinueScans(const std::stop_token& stop);
  void EndScan(std::size_t index);
  void OnFolder(Watched& watched, int fd, const std::string& relative);
  void WatchFolder(Watched& watched, int fd, const std::string& relative);
  void SwitchToPolling(Watched& watched, std::string_view why);
  bool OnFile(Watched& watched, const std::string& relative, const Version& version);
  void OnFound(std::size_t index, std::vector<Found> found);
  bool HaveRoot(Watched& watched);
  void CheckRoots();
  // Paths that cannot be read, moved or watched at present, and when they are tried again.
  std::vector<WatcherNotes::Retry> Retries() const;

  // Events.
  void ReadEvents();
  void OnEvent(std::size_t index, const FolderEvent& event);
  void OnFileEvent(std::size_t index, FolderEvent::Kind kind, const std::string& relative);
  void ScanFolder(std::size_t index, const std::string& relative);
  bool MayBeTaken(Watched& watched, const std::string& relative);

  // Work.
  void Queue(const Key& key, const std::optional<Version>& expected);
  void QueueSettled();
  Status WorkOnce(const std::stop_token& stop);
  bool Busy() const;
  void Wait(int stop_fd);

  WatcherContext& tower_;
  const Settings& settings_;
  Ledger ledger_;
  RetryLog retry_log_;
  Intake intake_;
  std::vector<Watched> sources_;
  std::uint64_t scans_ = 0;
  Clock::time_point next_check_{};
  std::deque<Work> work_;
  std::set<Key> queued_;  // the keys of work_
  SettleQueue settling_;
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_SESSION_H_
