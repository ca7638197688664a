// The queue's writer: groups the puts that arrive together, changes, and what was settled, into one
// transaction and one fsync; trims history between them.
#ifndef CORE_QUEUE_WRITER_H_
#define CORE_QUEUE_WRITER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "core/base/log.h"
#include "core/base/log_limit.h"
#include "core/base/metrics.h"
#include "core/base/result.h"
#include "core/queue/handover.h"
#include "core/queue/store.h"
#include "core/queue/types.h"

namespace tower {

// A thread with the file's write connection. All that it does comes from `handover`, which must
// outlive it.
class QueueWriter {
 public:
  QueueWriter(const QueueOptions& options, std::unique_ptr<QueueStore> store, Handover& handover,
              Logger log, Metrics& metrics);
  QueueWriter(const QueueWriter&) = delete;
  QueueWriter& operator=(const QueueWriter&) = delete;

  // Waits until the writer has ended, which it does once `handover` is closed and everything is
  // written.
  void Join();

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  void Commit(WriteRound& round);
  Status Transact(const WriteRound& round, const std::vector<PutRequest*>& puts);
  Status StoreAll(const WriteRound& round, const std::vector<PutRequest*>& puts);
  Status StoreSettled(const WriteRound& round);
  void Finish(WriteRound& round, const Status& outcome, const Status& health);
  void FinishStep(const Status& outcome);
  void EndChanges();
  bool MakeRoom();
  void TrimHistory();
  Result<bool> TrimStep();
  void RecordTrimmed(const Status& outcome);

  // Constant.
  const QueueOptions options_;
  const Logger log_;
  Histogram& commit_seconds_;
  Counter& trim_failures_;
  Handover& handover_;

  // Used only by thread_.
  const std::unique_ptr<QueueStore> store_;
  Handover::Changes changes_;                 // the first one is at work
  std::optional<Clock::time_point> trim_at_;  // nothing: there is no history
  std::int64_t trim_seq_ = 0;                 // the log's end when history was trimmed last
  Clock::time_point room_at_{};               // not before, room is to be made again
  LogLimit trim_log_, room_log_;

  std::jthread thread_;
};

}  // namespace tower

#endif  // CORE_QUEUE_WRITER_H_
