// Opening the queue's file: the lock, the format, the checks.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/queue/queue.h"
#include "core/queue/store.h"

namespace tower {
namespace {

constexpr std::int64_t kFormatVersion = 3;
constexpr std::int64_t kApplicationId = 0x43747772;  // "Ctwr", in the file's header at offset 68
constexpr auto kCheckBudget = std::chrono::milliseconds(200);
constexpr std::int64_t kPageSize = 8192;     // of new files; half the writes of SQLite's own 4096
constexpr std::int64_t kSettlePages = 16;    // kept free where the file must not grow
constexpr std::int64_t kSparePages = 16384;  // beyond max_bytes, so that settling always works
// The log is folded into the file at a size that is a small part of the volume, at most this one.
constexpr std::int64_t kLogBytes = 16 << 20;
constexpr std::int64_t kLeastLogBytes = 64 << 10;
constexpr std::int64_t kLogsOfVolume = 32;

constexpr const char* kSchema = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE triggers(
  seq INTEGER PRIMARY KEY, uuid BLOB NOT NULL, source INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,
  position INTEGER NOT NULL, api_version TEXT NOT NULL, protocol TEXT NOT NULL, traceparent TEXT NOT NULL,
  tracestate TEXT NOT NULL, client TEXT NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX triggers_uuid ON triggers(uuid);
CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE state(
  id INTEGER PRIMARY KEY CHECK (id = 1), cursor INTEGER NOT NULL, cursor_position INTEGER NOT NULL,
  trimmed INTEGER NOT NULL, trimmed_position INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0, 0);
CREATE TABLE settlements(seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);
CREATE TABLE undeliverable(
  seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE redeliveries(number INTEGER PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, bytes INTEGER NOT NULL);
CREATE TABLE deferred(seq INTEGER PRIMARY KEY, routing_key TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE INDEX deferred_key ON deferred(routing_key, seq);
CREATE TABLE discarded(
  number INTEGER PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, reason TEXT NOT NULL, who TEXT NOT NULL,
  at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE keys(
  source INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, uuids BLOB NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE INDEX keys_seq ON keys(seq);
CREATE TABLE checkpoints(
  source INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
PRAGMA application_id = 1131706226;
PRAGMA user_version = 3;
COMMIT;
)sql";
static_assert(kApplicationId == 1131706226 && kFormatVersion == 3);

constexpr std::uint64_t kDefaultMaxBytes = 1ULL << 30;
constexpr std::uint64_t kMostMaxBytes = 1ULL << 44;  // about as much as SQLite has pages

std::string FolderOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Of the volume that a path is on; nothing where that is not known.
std::optional<std::uint64_t> VolumeBytes(const std::string& path) {
  struct statvfs volume {};
  if (path == ":memory:" || statvfs(FolderOf(path).c_str(), &volume) != 0) return std::nullopt;
  return std::uint64_t{volume.f_blocks} * volume.f_frsize;
}

QueueOptions Complete(QueueOptions options) {
  if (options.max_bytes == 0) {
    options.max_bytes = kDefaultMaxBytes;
    const auto volume = VolumeBytes(options.path);
    if (volume && *volume > 0) options.max_bytes = std::min(options.max_bytes, *volume / 2);
  }
  options.max_bytes = std::min(options.max_bytes, kMostMaxBytes);
  return options;
}

void SyncFolder(const std::string& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

Status MakeTables(Database& database) {
  const std::string size = "PRAGMA page_size=" + std::to_string(kPageSize);
  if (auto set = database.Execute(size.c_str()); !set) return set;
  return database.Execute(kSchema);
}

// Makes a queue without triggers, under another name until it is whole, so that what has the
// queue's name is never half made. Only its owner may read it; SQLite gives the same mode to its
// companions.
Status MakeFile(const std::string& path) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  unlink((draft + "-journal").c_str());
  const int fd = open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error{ErrorCode::kPermanent, ErrnoText(errno)};
  close(fd);
  {
    auto database = Database::Open(draft, Database::Access::kReadWrite);
    if (!database) return database.error();
    if (auto made = MakeTables(*database); !made) return made;
  }
  if (rename(draft.c_str(), path.c_str()) != 0) {
    return Error{ErrorCode::kPermanent, "rename " + draft + ": " + ErrnoText(errno)};
  }
  SyncFolder(FolderOf(path));
  return Ok();
}

// SQLite takes an empty file for a new one, and throws a log away whose file is missing. Here
// either means that something was lost.
Status FindOrMakeFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    if (info.st_size == 0) return Error{ErrorCode::kInvalid, "it is empty, which no queue ever is"};
    if (info.st_nlink > 1) {  // each would have a lock and a log of its own
      return Error{ErrorCode::kInvalid,
                   "it has a second name (a hard link), which must be removed"};
    }
    return Ok();
  }
  if (errno != ENOENT) return Error{ErrorCode::kPermanent, ErrnoText(errno)};
  if (lstat(path.c_str(), &info) == 0) {
    return Error{ErrorCode::kInvalid, "it is a symbolic link to a file that is not there"};
  }
  for (const auto* suffix : {"-wal", "-journal"}) {
    if (stat((path + suffix).c_str(), &info) == 0 && info.st_size > 0) {
      return Error{ErrorCode::kInvalid, "it is missing, but its " + std::string(suffix) +
                                            " is there and may hold triggers"};
    }
  }
  return MakeFile(path);
}

// Where a symbolic link leads, so that a file has one lock whatever it is called.
std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  return real ? std::string(real.get()) : path;
}

Status CheckFormat(Database& database) {
  auto application = database.QueryInt("PRAGMA application_id");
  if (!application) return application.error();
  auto version = database.QueryInt("PRAGMA user_version");
  if (!version) return version.error();
  if (**application != kApplicationId) {
    return Error{ErrorCode::kInvalid, "it is a database of another program"};
  }
  if (**version != kFormatVersion) {
    return Error{ErrorCode::kInvalid, "it has format version " + std::to_string(**version) +
                                          ", this control-tower reads version " +
                                          std::to_string(kFormatVersion)};
  }
  return Ok();
}

}  // namespace

Error ExplainQueueError(const std::string& path, Error error) {
  std::string advice;
  if (error.code == ErrorCode::kPermanent || error.code == ErrorCode::kInvalid) {
    advice = "; nothing was changed: restore the file from a backup, or move " + path + ", " +
             path + "-wal and " + path + "-shm away together, or set queue.path to another file";
  } else if (error.code == ErrorCode::kFull) {
    advice =
        "; free some disk space: history has given way already, what is left waits for the broker "
        "or is undeliverable (redeliver or discard it)";
  }
  if (error.code == ErrorCode::kInvalid) error.code = ErrorCode::kPermanent;
  error.message = "queue file " + path + ": " + error.message + advice;
  return error;
}

Error ExplainOpenQueueError(const std::string& path, Error error) {
  auto explained = ExplainQueueError(path, std::move(error));
  if (explained.code == ErrorCode::kPermanent) explained.code = ErrorCode::kUnavailable;
  return explained;
}

Status CheckQueueFile(const std::string& path) {
  const auto fault = [&path](const std::string& why) {
    return Error{ErrorCode::kInvalid, "queue.path " + path + ": " + why};
  };
  if (path == ":memory:") return Ok();
  const auto folder = FolderOf(path);
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return fault("folder " + folder + ": " + ErrnoText(errno));
  }
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT ? Ok() : Status(fault(ErrnoText(errno)));
  struct stat info {};
  const bool file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  // The database header: https://www.sqlite.org/fileformat.html, section 1.3.
  constexpr std::size_t kIdAt = 68;
  std::array<char, kIdAt + 4> head{};
  const bool whole = file && pread(fd, head.data(), head.size(), 0) == ssize_t{head.size()};
  close(fd);
  if (!file) return fault("this is no file");
  std::int64_t id = 0;
  for (std::size_t i = kIdAt; i < head.size(); ++i) {
    id = id << 8 | static_cast<unsigned char>(head[i]);
  }
  const std::string_view start(head.data(), head.size());
  const bool ours = whole && start.starts_with("SQLite format 3") && id == kApplicationId;
  return ours ? Ok() : Status(fault("this is no queue of control-tower"));
}

Result<QueueLock> QueueLock::Acquire(const std::string& path) {
  const std::string name = path + ".lock";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return Error{ErrorCode::kPermanent, "open " + name + ": " + ErrnoText(errno) +
                                            "; queue.path must name a file in a folder "
                                            "that exists and can be written to"};
  }
  QueueLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd, 0) == 0) (void)!pwrite(fd, pid.data(), pid.size(), 0);
    return lock;
  }
  char holder[32] = {};
  const auto size = pread(fd, holder, sizeof holder - 1, 0);
  std::string pid(holder, size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return Error{ErrorCode::kPermanent, "queue file " + path + " is in use by " +
                                          (pid.empty() ? "another process" : "process " + pid) +
                                          "; stop it, or set queue.path to another file"};
}

QueueLock::~QueueLock() {
  if (fd_ >= 0) close(fd_);
}

Result<std::unique_ptr<QueueStore>> QueueStore::Open(const QueueOptions& options) {
  std::optional<QueueLock> lock;
  const bool in_memory = options.path == ":memory:";
  if (!in_memory) {
    auto acquired = QueueLock::Acquire(RealPath(options.path));
    if (!acquired) return acquired.error();
    lock.emplace(std::move(*acquired));
    if (auto made = FindOrMakeFile(options.path); !made) {
      return ExplainQueueError(options.path, made.error());
    }
  }
  std::unique_ptr<QueueStore> store(new QueueStore(Complete(options), std::move(lock)));
  if (auto opened = store->OpenDatabase(Check::kQuick); !opened) {
    return ExplainQueueError(options.path, opened.error());
  }
  if (in_memory) return store;
  auto folded = store->FoldLog();
  if (!folded && folded.error().code == ErrorCode::kFull && store->MakeRoom()) {
    folded = store->FoldLog();
  }
  if (!folded && folded.error().code != ErrorCode::kFull) {
    return ExplainQueueError(options.path, folded.error());
  }
  return store;
}

Status QueueStore::OpenDatabase(Check check) {
  shared_.reset();
  auto opened = Database::Open(options_.path, Database::Access::kReadWrite);
  if (!opened) return opened.error();
  auto& database = *opened;
  // A file that is not ours, or damaged, stays as it is.
  database.CheckpointOnClose(false);
  if (!lock_) {
    if (auto made = MakeTables(database); !made) return made;
  }
  if (auto sound = CheckFormat(database); !sound) return sound;
  auto page_size = database.QueryInt("PRAGMA page_size");  // an old file keeps the one it has
  if (!page_size) return page_size.error();
  page_size_ = **page_size;
  most_pages_ = static_cast<std::int64_t>(options_.max_bytes) * 2 / page_size_ + kSparePages;
  log_bytes_ = kLogBytes;
  if (const auto volume = VolumeBytes(options_.path)) {
    log_bytes_ =
        std::clamp(static_cast<std::int64_t>(*volume) / kLogsOfVolume, kLeastLogBytes, kLogBytes);
  }
  const std::string settings =
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=FAST;"
      "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096;"
      "PRAGMA wal_autocheckpoint=" +
      std::to_string(log_bytes_ / page_size_) +
      ";PRAGMA max_page_count=" + std::to_string(most_pages_);
  if (auto set = database.Execute(settings.c_str()); !set) return set;
  if (check == Check::kQuick) {
    if (auto sound = database.QuickCheck(kCheckBudget); !sound) return sound;
  }
  database.CheckpointOnClose(true);
  shared_ = std::make_shared<SharedDatabase>(std::move(database));
  if (lock_) {
    // The log may have grown by one more of its size, and all of it may be pages that are new.
    if (!reserve_) reserve_.emplace(options_.path + ".reserve", 2 * log_bytes_, log_bytes_);
    HoldReserve();
  }
  if (auto prepared = Prepare(); !prepared) return prepared;
  return ReadEnds();
}

// Without the reserve the file must not grow: what is in the log could not be folded into it, and
// nothing could be written any more, not even that history is gone.
bool QueueStore::HoldReserve() {
  may_grow_ = reserve_->Hold();
  // Less than the pages that there are means as many as there are.
  const auto pages = "PRAGMA max_page_count=" + std::to_string(may_grow_ ? most_pages_ : 1);
  return shared_->database.Execute(pages.c_str()) && may_grow_;
}

std::int64_t QueueStore::FreePages() {
  const auto pages = shared_->database.QueryInt("PRAGMA freelist_count");
  return pages ? pages->value_or(0) : 0;
}

Status QueueStore::CheckRoom() {
  if (may_grow_ || FreePages() >= kSettlePages) return Ok();
  return Error{ErrorCode::kFull, "the disk is full"};
}

bool QueueStore::MakeRoom() {
  if (!lock_ || reopen_) return false;
  if (!may_grow_ && HoldReserve()) return true;
  constexpr const char* kFold = "PRAGMA wal_checkpoint(RESTART)";
  reserve_->Release();
  bool made = shared_->database.Execute(kFold).has_value();
  const auto wanted = std::max(2 * log_bytes_ / page_size_, 2 * kSettlePages);
  const HistoryLimits none{0, 0, -1};
  for (bool more = made; more && FreePages() < wanted;) {
    if (!Begin()) break;
    const auto trimmed = Trim(none);
    if (!trimmed) Rollback();
    more = trimmed && Commit() && *trimmed;
  }
  if (made) made = shared_->database.Execute(kFold).has_value();
  HoldReserve();
  return made;
}

// The log that the last process left behind may be whole in the kernel's cache alone: after a
// failed fsync, Linux takes pages for clean that never reached the disk. Commits behind such pages
// would be lost with them. So what is in the log is written and synced once more, and the log
// begins anew; on a full disk, before the next commit.
Status QueueStore::FoldLog() {
  auto folded = shared_->database.Execute("PRAGMA wal_checkpoint(RESTART)");
  fold_first_ = !folded;
  return folded;
}

Status QueueStore::ReadState(QueueEnds& ends) {
  auto state = shared_->database.Prepare(
      "SELECT cursor, cursor_position, trimmed, trimmed_position FROM state");
  if (!state) return state.error();
  auto found = state->Step();
  if (!found) return found.error();
  if (!*found) return Error{ErrorCode::kPermanent, "the queue's state is missing"};
  ends.cursor = state->Int(0);
  ends.cursor_position = state->Int(1);
  ends.trimmed = state->Int(2);
  ends.trimmed_position = state->Int(3);
  auto last =
      shared_->database.Prepare("SELECT seq, position FROM triggers ORDER BY seq DESC LIMIT 1");
  if (!last) return last.error();
  if (found = last->Step(); !found) return found.error();
  if (*found) {
    ends.last_seq = last->Int(0);
    ends.last_position = last->Int(1);
  }
  return Ok();
}

Status QueueStore::ReadEnds() {
  QueueEnds ends;
  if (auto read = ReadState(ends); !read) return read;
  const auto sum = [this](const char* sql, std::int64_t& count, std::int64_t& bytes,
                          std::int64_t& last) -> Status {
    auto statement = shared_->database.Prepare(sql);
    if (!statement) return statement.error();
    auto found = statement->Step();
    if (!found) return found.error();
    count = statement->Int(0);
    bytes = statement->Int(1);
    last = statement->Int(2);
    return Ok();
  };
  std::int64_t unnumbered = 0;
  auto read = sum("SELECT count(*), coalesce(sum(bytes), 0), 0 FROM undeliverable",
                  ends.undeliverable, ends.undeliverable_bytes, unnumbered);
  if (!read) return read;
  read = sum("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(number), 0) FROM redeliveries",
             ends.redeliveries, ends.redelivery_bytes, ends.last_redelivery);
  if (!read) return read;
  // Numbers go on rising while the file is open, also past those that are done.
  ends.last_redelivery = std::max(ends.last_redelivery, ends_.last_redelivery);
  read = sum("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(number), 0) FROM discarded",
             ends.discarded, ends.discarded_bytes, ends.last_discarded);
  if (!read) return read;
  read = sum("SELECT count(*), coalesce(sum(bytes), 0), 0 FROM deferred", ends.deferred,
             ends.deferred_bytes, unnumbered);
  if (!read) return read;
  if (ends.trimmed > ends.cursor) {
    if (auto repaired = RepairTrimmed(ends); !repaired) return repaired;
  }
  if (ends.trimmed > ends.cursor || ends.cursor > ends.last_seq) {
    return Error{ErrorCode::kPermanent, "the cursor lies outside of the log"};
  }
  ends_ = ends;
  return Ok();
}

// A control-tower of old could store how far it had trimmed, on a full disk, though the rest of
// that transaction was undone: cursor and triggers are as before. The log begins where its first
// trigger is, unless there is a gap behind the cursor: then more is wrong.
Status QueueStore::RepairTrimmed(QueueEnds& ends) {
  auto first = shared_->database.Prepare(
      "SELECT seq, position FROM triggers WHERE seq NOT IN (SELECT seq FROM undeliverable)"
      " AND seq NOT IN (SELECT seq FROM redeliveries) AND seq NOT IN (SELECT seq FROM deferred)"
      " AND seq NOT IN (SELECT seq FROM discarded)"
      " ORDER BY seq LIMIT 1");
  if (!first) return first.error();
  auto found = first->Step();
  if (!found) return found.error();
  if (!*found || first->Int(0) - 1 > ends.cursor) return Ok();
  repaired_ = "history was marked as trimmed up to trigger " + std::to_string(ends.trimmed) +
              ", though the cursor is at " + std::to_string(ends.cursor);
  ends.trimmed = first->Int(0) - 1;
  ends.trimmed_position = std::min(ends.cursor_position, first->Int(1));
  store_repair_ = true;
  return Ok();
}

}  // namespace tower
