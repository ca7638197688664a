// What callers, the consumer and the writer of a queue hand to one another in memory: puts and
// changes that wait to be written, outcomes that wait to be written, and committed rows that wait
// to be published. It also decides whether there is room. One lock guards all of it, since each
// decision needs more than one of these.
#ifndef CORE_QUEUE_HANDOVER_H_
#define CORE_QUEUE_HANDOVER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/log.h"
#include "core/base/result.h"
#include "core/base/wakeup.h"
#include "core/queue/backlog.h"
#include "core/queue/bulk.h"
#include "core/queue/put.h"
#include "core/queue/rows.h"
#include "core/queue/types.h"

namespace tower {

// What one transaction of the writer stores. Used only by the writer.
struct WriteRound {
  std::vector<PutRequest*> puts;
  bool settle = false;  // the rest is to be stored
  std::int64_t cursor = 0, position = 0;
  std::vector<SettledTrigger> settled;
  std::uint64_t settle_calls = 0;  // calls of Settle that this is the result of
};

// Thread-safe.
class Handover {
 public:
  using Clock = std::chrono::steady_clock;
  using Changes = std::deque<std::unique_ptr<BulkRequest>>;

  Handover(const QueueEnds& ends, std::uint64_t max_bytes, Logger log);
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // --- Callers ---

  // Waits for room, then gives the request to the writer, which calls its Finish. An error is that
  // of TriggerQueue::Put; the writer then knows nothing of the request.
  Status Put(PutRequest& request, const std::stop_token& stop);
  // The same without waiting. Takes the request, unless there is an error.
  Status TryPut(std::unique_ptr<SubmittedPut>& request);
  // Waits until then, or until the queue is closed. kStopped: stop was requested.
  Status WaitToRetry(Clock::time_point until, const std::stop_token& stop);
  // Takes the request, unless the queue is closed (kStopped).
  Status Change(std::unique_ptr<BulkRequest>& request);
  // False: it was closed before. The writer stores what is waiting, and ends.
  bool Close();

  struct Snapshot {
    QueueStats stats;
    std::int64_t oldest_ms = 0;  // when the oldest was accepted; 0: not known in memory
    std::int64_t cursor = 0;
  };
  Snapshot Stats();

  // --- The consumer ---

  // Rows that have to be read from the file.
  struct ToRead {
    enum class Where { kNone, kRedeliveries, kLog } where = Where::kNone;
    std::int64_t after = 0, upto = 0;
  };
  // kNone: `taken` has the next triggers, at most `limit`; none when there are none. Otherwise they
  // are to be read from the file and handed to RecordRedeliveries or RecordRows, which return those
  // to be published.
  ToRead Take(std::size_t limit, std::vector<AcceptedTrigger>& taken);
  std::vector<AcceptedTrigger> RecordRedeliveries(std::vector<ListedTrigger>&& rows,
                                                  std::int64_t upto);
  std::vector<AcceptedTrigger> RecordRows(std::vector<QueueRow>&& rows);
  // False: stop was requested, the deadline has passed, or the queue is closed and empty.
  bool WaitUntilReady(const std::stop_token& stop, std::optional<Clock::time_point> deadline);
  bool WakeWhenReady(Wakeup& wakeup);
  void CancelWakeup();
  std::uint64_t Settle(std::span<const Outcome> outcomes);
  // Up to which seq deferred triggers may be taken; nothing while that call of Settle is not on
  // disk.
  std::optional<std::int64_t> DeferredUpto(std::uint64_t settled);
  void RecordDeferred(const std::vector<ListedTrigger>& rows);

  // --- The writer ---

  enum class Work { kNone, kCommit, kTrim };  // kNone: the queue is closed, and all is written
  // Waits for something to do. kCommit: fills `round`, with at most `max_bytes` of puts but one at
  // least, and appends new changes to `changes`, which the writer keeps. kTrim: it is `trim_at`.
  Work Wait(WriteRound& round, Changes& changes, std::int64_t max_bytes,
            std::optional<Clock::time_point> trim_at);
  // The round's transaction has ended so. Hands what was committed to the consumer; keeps outcomes
  // that were not for the next round. `health`: what Stats reports. `ends`: of the file. `changed`:
  // by the step of a change in the transaction, if there was one.
  void Finish(WriteRound& round, const Status& outcome, const Status& health, const QueueEnds& ends,
              const RedeliveryTotals* changed);
  // What Stats reports on trimming. True: it has recovered.
  bool RecordHistory(const Status& outcome);
  // Appends the changes that no round has taken.
  void TakeChanges(Changes& changes);

 private:
  // All require mutex_, but for CheckSize.
  Status CheckSize(const PutRequest& request) const;
  Status WaitForRoom(std::unique_lock<std::mutex>& lock, const PutRequest& request,
                     const std::stop_token& stop);
  bool HasRoom(std::int64_t bytes) const;
  bool FindRoom(std::int64_t bytes);
  void RecordRoom();
  std::int64_t Reserve() const;  // a full queue takes triggers again once it has so many bytes
  bool Enqueue(PutRequest& request);
  void RecordSettled();
  Work WaitForWork(std::unique_lock<std::mutex>& lock, const Changes& changes,
                   std::optional<Clock::time_point> trim_at);
  void TakePuts(std::vector<PutRequest*>& puts, std::int64_t max_bytes);
  void TakeSettled(WriteRound& round, const Changes& changes);
  void HandOver(const WriteRound& round, const QueueEnds& ends, const RedeliveryTotals* changed);
  void RecordHealth(const Status& outcome);

  const std::uint64_t max_bytes_;
  const Logger log_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable writer_wake_;
  std::condition_variable_any room_, ready_;
  bool writer_idle_ = false, closing_ = false;

  // For the writer.
  std::vector<PutRequest*> puts_;
  std::int64_t put_bytes_ = 0;  // of puts_, and of the round under way
  std::vector<std::unique_ptr<BulkRequest>> changes_;
  bool settle_dirty_ = false;
  Clock::time_point settle_due_;
  std::vector<SettledTrigger> settled_;
  std::uint64_t settle_calls_ = 0, settle_calls_on_disk_ = 0;

  // For the consumer.
  Backlog backlog_;
  Wakeup* wakeup_ = nullptr;

  // For callers.
  bool full_ = false;  // something was refused, and there is hardly more room since
  Status health_;
  Status history_;
};

}  // namespace tower

#endif  // CORE_QUEUE_HANDOVER_H_
