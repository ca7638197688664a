// The queue: a log on disk with a cursor. Triggers are appended at one end, published in order, and
// trimmed at the old end once they are history; everything up to the cursor is settled.
#ifndef CORE_QUEUE_QUEUE_H_
#define CORE_QUEUE_QUEUE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/base/wakeup.h"
#include "core/queue/types.h"
#include "core/trigger/trigger.h"

namespace tower {

class BulkRequest;
class Handover;
class QueueReader;
class QueueStore;
class QueueWriter;
class SubmittedPut;

// Whether Open could succeed, as far as a look tells that changes nothing: a file of ours, or none
// in a folder that can be written to. Not in a process that has the queue open: it would give up
// SQLite's locks. The error is kInvalid and names the file.
Status CheckQueueFile(const std::string& path);

// Thread-safe but for Take, TryTake, TakeDeferred, WakeWhenReady and Settle, which belong to one
// consumer thread.
// Owns the writer thread.
class TriggerQueue {
 public:
  // Opens or makes the file, locks it against other processes, and reads the cursor. A file that is
  // damaged, of another program or of a newer version is kPermanent, and never replaced: the
  // message names it and what to do. Makes no folder.
  static Result<std::unique_ptr<TriggerQueue>> Open(const QueueOptions& options, Logger log,
                                                    Metrics& metrics);
  // Close(), if that was not called.
  ~TriggerQueue();

  // Returns once the batch and the checkpoints are on disk (one fsync shared with whoever puts at
  // the same time); all of it or nothing. `batch` may be empty when there are checkpoints. Waits
  // while the queue is full. Errors: kStopped (stop was requested before the writer had it), kFull
  // (deadline passed while full), kUnavailable (disk; retry: whether it was stored is unknown only
  // if the process dies; never kPermanent, whatever the disk has), kConflict (key or uuid known
  // with other content), kInvalid (larger than the whole queue may be).
  Result<Receipt> Put(std::span<const Trigger> batch, const PutOptions& options,
                      std::stop_token stop = {});

  // The same for a caller that must not wait. Returns the uuids that the triggers get, unless they
  // turn out to be known by key; keeps nothing of its arguments. `done` is called exactly once: by
  // the writer's thread, or by this call where the batch is refused at once (a full queue is kFull
  // at once, `deadline` is of no meaning). It must be quick, must not throw, and must not call the
  // queue.
  std::vector<Uuid> Submit(std::span<const Trigger> batch, const PutOptions& options, PutDone done);
  // The same, and takes the triggers' texts instead of copying them.
  std::vector<Uuid> SubmitByMove(std::span<Trigger> batch, const PutOptions& options, PutDone done);

  // Up to `limit` triggers past the read position, in order; waits until there is one. Empty when
  // stop was requested or the deadline passed. The read position is in memory: a restart begins at
  // the cursor.
  Result<std::vector<AcceptedTrigger>> Take(
      std::size_t limit, std::stop_token stop,
      std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt);
  // The same without waiting.
  Result<std::vector<AcceptedTrigger>> TryTake(std::size_t limit);
  // True when TryTake would find something now; else signals `wakeup` once, at the next commit.
  // `wakeup` must outlive the queue's use of it: call CancelWakeup before it is destroyed.
  bool WakeWhenReady(Wakeup& wakeup);
  void CancelWakeup();

  // Takes note of what became of triggers, in any order; the cursor moves over the settled prefix.
  // Returns at once; on disk with the next commit, within a tenth of a second. What is not on disk
  // at a crash is published again. Returns a number that TakeDeferred knows this call by, which
  // never falls.
  std::uint64_t Settle(std::span<const Outcome> outcomes);

  // The routing keys of deferred triggers that are on disk.
  Result<std::vector<DeferredKey>> DeferredKeys() const;
  // Up to `limit` deferred triggers of that routing key with seq > `after`, in order, without
  // waiting. They stay deferred until they are settled as published or undeliverable. Empty, too,
  // while the call of Settle that returned `settled` is not on disk (0: of no interest), and for
  // triggers that TryTake has not come past since the queue was opened.
  Result<std::vector<AcceptedTrigger>> TakeDeferred(std::string_view routing_key,
                                                    std::int64_t after, std::size_t limit,
                                                    std::uint64_t settled);

  // kNotFound past retention.
  Result<TriggerRecord> Find(const Uuid& uuid) const;

  // Those that are kept and fit, at most `limit`, of those older than `before` (0: of all). Looks
  // at a few thousand triggers and no more, so a page may be short, or empty, and not the last one.
  Result<TriggerPage> List(const TriggerFilter& filter, std::size_t limit,
                           std::int64_t before) const;

  // Has a trigger published again, whatever became of it: it is queued again, no longer listed, and
  // taken ahead of those in the log. One that is queued stays as it is and counts as 0. kNotFound
  // past retention. `done` is called exactly once, as Submit does, when this is on disk.
  void Redeliver(const Uuid& uuid, ChangeDone done);
  // Gives up on an undeliverable trigger: it is listed no more, counts against max_bytes no more
  // than history does, and its record stays as kDiscarded for the retention, with `by` (who asked
  // for it). It can be redelivered as long. One that is discarded stays as it is and counts as 0.
  // kConflict: it is queued or published. kNotFound past retention. `done` as of Redeliver.
  void Discard(const Uuid& uuid, std::string_view by, ChangeDone done);

  // The same for all triggers that fit and were accepted before the call: settled ones,
  // undeliverable ones. They are counted first, and the number is held against `options`; then no
  // more than were counted are changed, in the order of acceptance. Both go in steps that let puts
  // pass between them; what settles meanwhile may be among the changed, so that a filter of a time
  // that is over says best which are meant. An error midway, Close among them, ends it: what was
  // changed before stays changed, and the outcome says how many that are.
  void RedeliverAll(const TriggerFilter& filter, const BulkOptions& options, BulkDone done);
  void DiscardAll(const TriggerFilter& filter, const BulkOptions& options, std::string_view by,
                  BulkDone done);

  // A source's checkpoint, by key; all of them, sorted by key.
  Result<std::optional<std::string>> Checkpoint(std::string_view source,
                                                std::string_view key) const;
  Result<std::vector<std::pair<std::string, std::string>>> Checkpoints(
      std::string_view source) const;

  // Reads memory only.
  QueueStats Stats() const;
  // How long ago the oldest trigger that is not settled was accepted; 0 without one. Reads the
  // file.
  std::chrono::milliseconds OldestAge() const;

  // Refuses new puts with kStopped, writes what is waiting and what was settled, ends the writer
  // and closes the file. Neither trimming nor a bulk change goes on. Once.
  void Close();

 private:
  TriggerQueue(std::unique_ptr<QueueStore> store, std::unique_ptr<QueueReader> reader,
               std::unique_ptr<QueueReader> lookups, const Logger& log, Metrics& metrics);
  std::vector<Uuid> Submit(std::unique_ptr<SubmittedPut> request);
  void Change(std::unique_ptr<BulkRequest> request);

  const QueueOptions options_;
  Metrics& metrics_;
  // Each is thread-safe.
  const std::unique_ptr<Handover> handover_;
  const std::unique_ptr<QueueWriter> writer_;
  // Closed before the writer's connection, so that the last one folds the write-ahead log into the
  // file.
  const std::unique_ptr<QueueReader> reader_;   // of the publisher, which never waits for a lookup
  const std::unique_ptr<QueueReader> lookups_;  // of all others
};

}  // namespace tower

#endif  // CORE_QUEUE_QUEUE_H_
