// The write side of the queue's file, whose format core/queue/schema.h describes: the connection,
// its transactions, its tables, and what to do when the disk is full.
#ifndef CORE_QUEUE_STORE_H_
#define CORE_QUEUE_STORE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/base/result.h"
#include "core/queue/checkpoint_table.h"
#include "core/queue/file.h"
#include "core/queue/history.h"
#include "core/queue/key_table.h"
#include "core/queue/lists.h"
#include "core/queue/log_table.h"
#include "core/queue/reserve.h"
#include "core/queue/rows.h"
#include "core/queue/source_table.h"
#include "core/queue/sqlite.h"
#include "core/queue/types.h"

namespace tower {

// Used by one thread.
class QueueStore {
 public:
  // Makes the file if there is none; checks it if there is.
  static Result<std::unique_ptr<QueueStore>> Open(const QueueOptions& options);

  const QueueOptions& options() const noexcept { return options_; }  // none is left to be chosen
  const QueueEnds& ends() const noexcept { return ends_; }           // as of the last commit
  // What was wrong with the file when it was opened, and is no more; empty when nothing was.
  const std::string& repaired() const noexcept { return repaired_; }
  std::shared_ptr<SharedDatabase> shared() const { return shared_; }

  // Begins a transaction, and holds the connection's lock until it ends. On an error there is none.
  Status Begin();
  // On an error nothing of the transaction is stored, and the connection is opened anew at the next
  // Begin.
  Status Commit();
  void Rollback();

  // Used within a transaction. After an error the transaction must be rolled back.
  LogTable& log() noexcept { return tables_->log; }
  KeyTable& keys() noexcept { return tables_->keys; }
  CheckpointTable& checkpoints() noexcept { return tables_->checkpoints; }
  Lists& lists() noexcept { return tables_->lists; }
  History& history() noexcept { return tables_->history; }

  // After an error of kFull: gives the reserve back to the disk, folds the log into the file, lets
  // history go for free pages, and takes the reserve again. True: the transaction that failed is
  // worth another try.
  bool MakeRoom();
  // kFull while the file must not grow (there is no reserve) and has hardly any free pages: they
  // are for what is settled.
  Status CheckRoom();
  // Of the write-ahead log; a transaction should not be larger.
  std::int64_t log_bytes() const noexcept { return log_bytes_; }

 private:
  enum class Check { kQuick, kNone };
  // All refer to the transaction's ends, and some to one another.
  struct Tables {
    explicit Tables(QueueEnds& ends)
        : log(ends, sources),
          keys(ends, sources),
          checkpoints(sources),
          lists(ends, log),
          history(ends, log, keys, lists) {}
    Tables(const Tables&) = delete;
    Tables& operator=(const Tables&) = delete;
    Status Prepare(Database& database);
    void Undo();

    SourceTable sources;
    LogTable log;
    KeyTable keys;
    CheckpointTable checkpoints;
    Lists lists;
    History history;
  };

  QueueStore(QueueOptions options, std::optional<QueueLock> lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}
  Status OpenDatabase(Check check);
  Status FoldLog();
  Status Prepare();
  Status ReadEnds();
  Status Reopen();
  void ReopenAfter(const Error& error);
  bool HoldReserve();
  std::int64_t FreePages();

  const QueueOptions options_;
  const std::optional<QueueLock> lock_;  // not in memory
  std::shared_ptr<SharedDatabase> shared_;
  std::unique_lock<std::mutex> transaction_;  // held between Begin and Commit or Rollback
  bool reopen_ = false;
  bool fold_first_ = false;  // before anything is committed
  std::string repaired_;
  bool store_repair_ = false;  // with the next commit
  QueueEnds ends_;             // committed
  QueueEnds pending_;          // as the open transaction will leave it

  std::optional<DiskReserve> reserve_;  // not in memory
  bool may_grow_ = true;                // the file; the reserve is there to fold the log into it
  std::int64_t log_bytes_ = 0, page_size_ = 0, most_pages_ = 0;

  struct {
    Statement begin, commit, rollback;
  } sql_;
  std::optional<Tables> tables_;
};

}  // namespace tower

#endif  // CORE_QUEUE_STORE_H_
