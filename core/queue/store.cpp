#include "core/queue/store.h"

#include <algorithm>

#include "core/queue/schema.h"

namespace tower {
namespace {

constexpr auto kCheckBudget = std::chrono::milliseconds(200);
constexpr std::int64_t kSettlePages = 16;    // kept free where the file must not grow
constexpr std::int64_t kSparePages = 16384;  // beyond max_bytes, so that settling always works
// The log is folded into the file at a size that is a small part of the volume, at most this one.
constexpr std::int64_t kLogBytes = 16 << 20;
constexpr std::int64_t kLeastLogBytes = 64 << 10;
constexpr std::int64_t kLogsOfVolume = 32;

}  // namespace

// --- Opening ---

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

// The log that the last process left behind may be whole in the kernel's cache alone: after a
// failed fsync, Linux takes pages for clean that never reached the disk. Commits behind such pages
// would be lost with them. So what is in the log is written and synced once more, and the log
// begins anew; on a full disk, before the next commit.
Status QueueStore::FoldLog() {
  auto folded = shared_->database.Execute("PRAGMA wal_checkpoint(RESTART)");
  fold_first_ = !folded;
  return folded;
}

Status QueueStore::Prepare() {
  auto& database = shared_->database;
  auto begin = database.PrepareAll({{sql_.begin, "BEGIN IMMEDIATE"}, {sql_.rollback, "ROLLBACK"}},
                                   Database::Within::kAny);
  if (!begin) return begin;
  if (auto prepared = database.PrepareAll({{sql_.commit, "COMMIT"}}); !prepared) return prepared;
  return tables_.emplace(pending_).Prepare(database);
}

Status QueueStore::Tables::Prepare(Database& database) {
  if (auto prepared = sources.Prepare(database); !prepared) return prepared;
  if (auto prepared = log.Prepare(database); !prepared) return prepared;
  if (auto prepared = keys.Prepare(database); !prepared) return prepared;
  if (auto prepared = checkpoints.Prepare(database); !prepared) return prepared;
  if (auto prepared = lists.Prepare(database); !prepared) return prepared;
  return history.Prepare(database);
}

void QueueStore::Tables::Undo() {
  sources.Undo();
  log.Undo();
  history.Undo();
}

Status QueueStore::ReadEnds() {
  auto& database = shared_->database;
  QueueEnds ends;
  // Numbers go on rising while the file is open, also past those that are done.
  ends.last_redelivery = ends_.last_redelivery;
  if (auto read = History::ReadEnds(database, ends); !read) return read;
  if (auto read = LogTable::ReadEnds(database, ends); !read) return read;
  if (auto read = Lists::ReadEnds(database, ends); !read) return read;
  if (ends.trimmed > ends.cursor) {
    auto repaired = History::Repair(database, ends);
    if (!repaired) return repaired.error();
    if (!repaired->empty()) {
      repaired_ = std::move(*repaired);
      store_repair_ = true;
    }
  }
  if (ends.trimmed > ends.cursor || ends.cursor > ends.last_seq) {
    return Error{ErrorCode::kPermanent, "the cursor lies outside of the log"};
  }
  ends_ = ends;
  return Ok();
}

// --- Transactions ---

Status QueueStore::Reopen() {
  const QueueEnds before = ends_;
  tables_.reset();
  sql_ = {};
  // Unchecked: what can't be read of history must not stand in the way of what is new.
  if (auto opened = OpenDatabase(Check::kNone); !opened) return opened;
  if (ends_.last_seq < before.last_seq || ends_.cursor < before.cursor) {
    ends_ = before;
    return Error{ErrorCode::kPermanent,
                 "it lacks what was stored a moment ago: it was replaced while in use"};
  }
  reopen_ = false;
  return Ok();
}

// After an I/O error only the file itself knows what is in it. In memory there is nothing else.
void QueueStore::ReopenAfter(const Error& error) {
  if (lock_ && error.code != ErrorCode::kFull) reopen_ = true;
}

Status QueueStore::Begin() {
  if (reopen_) {
    if (auto opened = Reopen(); !opened) return opened;
  }
  if (fold_first_) {
    if (auto folded = FoldLog(); !folded) return folded;
  }
  transaction_ = std::unique_lock(shared_->mutex);
  pending_ = ends_;
  auto begun = sql_.begin.Run();
  if (!begun) {
    transaction_.unlock();
    ReopenAfter(begun.error());
  }
  return begun;
}

Status QueueStore::Commit() {
  auto committed = tables_->log.Flush();
  if (committed && store_repair_) {
    committed = tables_->history.StoreTrimmed();
  }
  if (committed) committed = sql_.commit.Run();
  if (committed) {
    store_repair_ = false;
    ends_ = pending_;
    transaction_.unlock();
    return Ok();
  }
  ReopenAfter(committed.error());
  Rollback();
  return committed;
}

void QueueStore::Rollback() {
  if (shared_->database.in_transaction()) {
    if (auto undone = sql_.rollback.Run(); !undone) ReopenAfter(undone.error());
  }
  tables_->Undo();
  if (transaction_.owns_lock()) transaction_.unlock();
}

// --- Room on the disk ---

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
  const History::Limits none{0, 0, -1};
  for (bool more = made; more && FreePages() < wanted;) {
    if (!Begin()) break;
    const auto trimmed = tables_->history.Trim(none);
    if (!trimmed) Rollback();
    more = trimmed && Commit() && *trimmed;
  }
  if (made) made = shared_->database.Execute(kFold).has_value();
  HoldReserve();
  return made;
}

}  // namespace tower
