// The queue's file: its format, and what is done to it. TriggerQueue (core/queue/queue.h) is the
// only user.
//
// Format, version 3: one SQLite database in WAL mode with synchronous=FULL. `triggers` is the log;
// its column `position` counts the bytes of the log up to and including a row, so that sizes and
// depths are differences and nothing is ever summed up or counted. `state` holds the cursor (all up
// to it is settled) and where trimming stands; `settlements` says when the cursor passed where, at
// most one row a second; `undeliverable` lists what the broker would not take; `redeliveries` what
// is to be published again, and `discarded` what was given up, both numbered in the order of
// asking; `deferred` what waits for its routing key, which the broker refuses for now; `keys` are
// idempotency keys; `checkpoints` are the sources'.
#ifndef CORE_QUEUE_STORE_H_
#define CORE_QUEUE_STORE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/queue/reserve.h"
#include "core/queue/sqlite.h"
#include "core/queue/types.h"

namespace tower {

// Where else a row of the log stands. It is not taken from the log then.
enum class Listing : std::uint8_t { kNone, kUndeliverable, kRedelivery, kDeferred, kDiscarded };

struct QueueRow {
  AcceptedTrigger trigger;
  std::int64_t position = 0;
  Listing listing = Listing::kNone;
};

// Milliseconds since 1970.
std::int64_t NowMs();

// What a trigger counts against max_bytes: its bytes and a fixed share of indexes and page
// overhead.
std::int64_t SizeOf(const AcceptedTrigger& trigger) noexcept;

// Where the log begins, stands and ends.
struct QueueEnds {
  std::int64_t last_seq = 0, last_position = 0;
  std::int64_t cursor = 0, cursor_position = 0;
  std::int64_t trimmed = 0, trimmed_position = 0;
  std::int64_t undeliverable = 0, undeliverable_bytes = 0;
  std::int64_t redeliveries = 0, redelivery_bytes = 0, last_redelivery = 0;
  std::int64_t discarded = 0, discarded_bytes = 0, last_discarded = 0;
  std::int64_t deferred = 0, deferred_bytes = 0;
};

// What a bulk change did: triggers that were made redeliveries, and those that are undeliverable no
// more.
struct RedeliveryTotals {
  std::int64_t count = 0, bytes = 0, listed = 0, listed_bytes = 0;
};

// A trigger whose fate the cursor alone does not tell.
struct SettledTrigger {
  std::int64_t seq = 0;
  Listing from = Listing::kNone;  // it leaves that list
  Fate fate = Fate::kPublished;   // and is put on another one unless it was published
  std::string reason;             // as in Outcome
  std::int64_t at_ms = 0;
  std::int64_t bytes = 0;
};

// What a filter looks at, but for the state.
struct TriggerSummary {
  std::string_view api_version, protocol, source;
  std::int64_t accepted_ms = 0;
};
bool Fits(const TriggerSummary& trigger, const TriggerFilter& filter);

// A connection and the lock that whoever uses it holds. In memory, writer and reader share one.
struct SharedDatabase {
  explicit SharedDatabase(Database opened) : database(std::move(opened)) {}
  std::mutex mutex;
  Database database;
};

// Holds flock(2) on `<path>.lock` as long as it lives, so that two processes never share a queue.
class QueueLock {
 public:
  static Result<QueueLock> Acquire(const std::string& path);
  QueueLock(QueueLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  QueueLock& operator=(QueueLock&&) = delete;
  ~QueueLock();

 private:
  explicit QueueLock(int fd) : fd_(fd) {}
  int fd_;
};

// The writing side. Used by one thread; changes are made between Begin and Commit, which hold the
// connection's lock.
class QueueStore {
 public:
  // Makes the file if there is none; checks it if there is.
  static Result<std::unique_ptr<QueueStore>> Open(const QueueOptions& options);

  const QueueOptions& options() const noexcept { return options_; }  // none is left to be chosen
  const QueueEnds& ends() const noexcept { return ends_; }           // as of the last commit
  // What was wrong with the file when it was opened, and is no more; empty when nothing was.
  const std::string& repaired() const noexcept { return repaired_; }
  std::shared_ptr<SharedDatabase> shared() const { return shared_; }

  Status Begin();
  // On an error nothing of the transaction is stored, and the connection is opened anew at the next
  // Begin.
  Status Commit();
  void Rollback();

  struct KnownKey {
    std::string fingerprint;
    std::vector<Uuid> uuids;
  };
  Result<std::optional<KnownKey>> FindKey(std::string_view source, std::string_view key);
  Result<std::optional<std::string>> FindBody(const Uuid& uuid);
  // Gives the row its seq and position, and stores it: with others at once, at the latest in
  // Commit. The row must stay where it is until then.
  Status Append(QueueRow& row);
  Status AddKey(std::string_view source, std::string_view key, std::string_view fingerprint,
                const std::vector<Uuid>& uuids);
  Status ChangeCheckpoint(std::string_view source, const CheckpointChange& change);
  Status MoveCursor(std::int64_t seq, std::int64_t position, std::int64_t now_ms);
  Status Settle(const SettledTrigger& settled);

  // A trigger that may be delivered again or discarded.
  struct Candidate {
    std::int64_t seq = 0, bytes = 0, accepted_ms = 0;
    TriggerState state = TriggerState::kQueued;
    std::string api_version, protocol, source;
    TriggerSummary summary() const { return {api_version, protocol, source, accepted_ms}; }
  };
  // Kept triggers with after < seq <= upto, in order; `among`: not more than needed has to be
  // looked at to find all of that state.
  Result<std::vector<Candidate>> Candidates(std::int64_t after, std::int64_t upto,
                                            std::optional<TriggerState> among, std::size_t limit);
  Result<std::optional<Candidate>> FindCandidate(const Uuid& uuid);
  Status AddRedelivery(const Candidate& candidate);
  Status Discard(const Candidate& candidate, std::string_view by, std::int64_t now_ms);

  // One step of trimming: at most 500 triggers of history past the limits, and as many discarded
  // ones. True: there is more to trim.
  struct HistoryLimits {
    std::int64_t settled_before_ms = 0, max_triggers = 0, max_bytes = 0;
  };
  static constexpr std::int64_t kTrimStep = 500;
  Result<bool> Trim(const HistoryLimits& limits);
  // After an error of kFull: gives the reserve back to the disk, folds the log into the file, lets
  // history go for free pages, and takes the reserve again. True: the transaction that failed is
  // worth another try.
  bool MakeRoom();
  // kFull while the file must not grow (there is no reserve) and has hardly any free pages: they
  // are for what is settled.
  Status CheckRoom();
  // Of the log; a transaction should not be larger.
  std::int64_t log_bytes() const noexcept { return log_bytes_; }
  // What counts against max_bytes: all that is on disk, history included.
  std::int64_t kept_bytes() const noexcept { return KeptBytes(ends_); }
  // Whether there is anything that could become too old.
  bool has_history() const noexcept {
    return ends_.trimmed < std::min(ends_.cursor, ends_.last_seq - 1) || ends_.discarded > 0;
  }

 private:
  QueueStore(QueueOptions options, std::optional<QueueLock> lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}
  enum class Check { kQuick, kNone };
  Status OpenDatabase(Check check);
  Status FoldLog();
  Status Reopen();
  void ReopenAfter(const Error& error);
  Status Prepare();
  Status ReadEnds();
  static std::int64_t KeptBytes(const QueueEnds& ends) noexcept {
    return ends.last_position - ends.trimmed_position + ends.undeliverable_bytes +
           ends.discarded_bytes;
  }
  bool HoldReserve();
  std::int64_t FreePages();
  Status ReadState(QueueEnds& ends);
  Status RepairTrimmed(QueueEnds& ends);
  Result<std::int64_t> SourceId(std::string_view source);
  Status StoreAppended();
  Candidate ReadCandidate(const Statement& row) const;
  Status Unlist(const Candidate& candidate);
  Result<bool> TrimLog(const HistoryLimits& limits, bool all);
  Result<bool> TrimDiscarded(const HistoryLimits& limits, bool all);

  const QueueOptions options_;
  const std::optional<QueueLock> lock_;
  std::shared_ptr<SharedDatabase> shared_;
  std::unique_lock<std::mutex> transaction_;  // held between Begin and Commit or Rollback
  std::optional<DiskReserve> reserve_;        // not in memory
  bool may_grow_ = true;  // the file; the reserve is there to fold the log into it
  std::int64_t log_bytes_ = 0, page_size_ = 0, most_pages_ = 0;
  bool reopen_ = false;
  bool fold_first_ = false;  // before anything is committed
  std::string repaired_;
  bool store_repair_ = false;  // with the next commit
  QueueEnds ends_;             // committed
  QueueEnds pending_;          // as the open transaction will leave it
  std::vector<std::pair<const QueueRow*, std::int64_t>> appended_;  // not yet stored, and source id
  std::map<std::string, std::int64_t, std::less<>> source_ids_;
  std::int64_t settlement_seq_ = -1, settlement_ms_ = 0;  // the newest row of settlements

  struct Statements {
    Statement begin, commit, rollback;
    Statement find_key, find_body, find_source, add_source;
    Statement append, append_many, add_key, set_checkpoint, forget_checkpoint;
    Statement move_cursor, add_settlement, drop_settlement, add_undeliverable;
    Statement oldest_settlement, position_at, trim, trim_settlements, trim_keys, move_trimmed;
    Statement candidates, listed_candidates, discarded_candidates, find_candidate;
    Statement add_redelivery, end_redelivery, drop_listed, drop_trigger;
    Statement add_discarded, oldest_discarded, drop_discarded;
    Statement add_deferred, end_deferred;
  } sql_;
};

// The reading side, on a connection of its own. Thread-safe.
class QueueReader {
 public:
  static Result<std::unique_ptr<QueueReader>> Open(const QueueOptions& options,
                                                   const QueueStore& store);

  // Rows with after < seq <= upto in order, at most `limit`, and no more after `max_bytes` of
  // bodies.
  Result<std::vector<QueueRow>> Rows(std::int64_t after, std::int64_t upto, std::size_t limit,
                                     std::size_t max_bytes);
  // Redeliveries with after < number <= upto in the order of asking, at most `limit`.
  struct Redelivery {
    std::int64_t number = 0, bytes = 0;
    AcceptedTrigger trigger;
  };
  Result<std::vector<Redelivery>> Redeliveries(std::int64_t after, std::int64_t upto,
                                               std::size_t limit, std::size_t max_bytes);
  Result<std::vector<DeferredKey>> DeferredKeys();
  // Deferred triggers of one routing key with after < seq <= upto in order, at most `limit`.
  Result<std::vector<Redelivery>> Deferred(std::string_view routing_key, std::int64_t after,
                                           std::int64_t upto, std::size_t limit,
                                           std::size_t max_bytes);
  // When the oldest deferred trigger was accepted, in ms since 1970; 0 when there is none.
  Result<std::int64_t> OldestDeferredMs();
  Result<TriggerRecord> Find(const Uuid& uuid);
  Result<TriggerPage> List(const TriggerFilter& filter, std::size_t limit, std::int64_t before);
  Result<std::optional<std::string>> Checkpoint(std::string_view source, std::string_view key);
  Result<std::vector<std::pair<std::string, std::string>>> Checkpoints(std::string_view source);

 private:
  explicit QueueReader(std::shared_ptr<SharedDatabase> shared) : shared_(std::move(shared)) {}
  Status Prepare();
  Status FillState(TriggerRecord& record);
  Status MarkListed(std::vector<QueueRow>& rows);
  Status ReadRow(const Statement& row, QueueRow& read);
  Status ReadTrigger(const Statement& row, AcceptedTrigger& trigger);
  Result<std::vector<Redelivery>> ReadAll(Statement& statement, std::size_t max_bytes);
  Result<std::string_view> SourceName(std::int64_t id);

  std::shared_ptr<SharedDatabase> shared_;
  std::map<std::int64_t, std::string> sources_;  // a name never changes; as many as the file has
  Statement rows_, listed_, source_, redeliveries_, deferred_, deferred_keys_, oldest_deferred_,
      find_, list_, list_listed_, list_discarded_, cursor_, undeliverable_, discarded_,
      queued_again_, settled_, checkpoint_, checkpoints_;
};

// `error`, with the file's name and what to do about it.
Error ExplainQueueError(const std::string& path, Error error);
// The same, for those who use the open queue: whatever its disk has, it is no fault of theirs that
// would end them, so kPermanent becomes kUnavailable.
Error ExplainOpenQueueError(const std::string& path, Error error);

}  // namespace tower

#endif  // CORE_QUEUE_STORE_H_
