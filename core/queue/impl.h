// The inside of TriggerQueue: core/queue/queue.cpp has what callers and the consumer do,
// core/queue/writer.cpp the writer thread.
#ifndef CORE_QUEUE_IMPL_H_
#define CORE_QUEUE_IMPL_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/log_limit.h"
#include "core/queue/backlog.h"
#include "core/queue/bulk.h"
#include "core/queue/put.h"
#include "core/queue/queue.h"
#include "core/queue/store.h"

namespace tower {

class TriggerQueue::Impl {
 public:
  Impl(const QueueOptions& options, std::unique_ptr<QueueStore> store,
       std::unique_ptr<QueueReader> reader, Logger log, Metrics& metrics);
  ~Impl() { Close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<Receipt> Put(std::span<const Trigger> batch, const PutOptions& options,
                      const std::stop_token& stop);
  std::vector<Uuid> Submit(std::unique_ptr<SubmittedPut> request);
  Result<std::vector<AcceptedTrigger>> Take(
      std::size_t limit, const std::stop_token& stop,
      std::optional<std::chrono::steady_clock::time_point> deadline);
  Result<std::vector<AcceptedTrigger>> TryTake(std::size_t limit);
  bool WakeWhenReady(Wakeup& wakeup);
  void CancelWakeup();
  std::uint64_t Settle(std::span<const Outcome> outcomes);
  Result<std::vector<AcceptedTrigger>> TakeDeferred(std::string_view routing_key,
                                                    std::int64_t after, std::size_t limit,
                                                    std::uint64_t settled);
  void Change(std::unique_ptr<BulkRequest> request);
  QueueStats Stats();
  void Close();
  QueueReader& reader() { return *reader_; }
  Error Explain(const Error& error) const;

 private:
  // Milliseconds since 1970.
  static std::int64_t NowMs();
  // Put.
  Status WaitForRoom(std::unique_lock<std::mutex>& lock, const PutRequest& request,
                     const std::stop_token& stop);
  bool HasRoom(std::int64_t bytes) const;
  Status CheckSize(const PutRequest& request) const;
  bool Enqueue(PutRequest& request);
  // The writer.
  void Write();
  enum class Work { kNone, kCommit, kTrim };
  Work WaitForWork(std::unique_lock<std::mutex>& lock);
  void CommitRound(std::vector<PutRequest*>& requests);
  Status Transact(const std::vector<PutRequest*>& requests, bool settle);
  bool MakeRoom();
  void TakePending(std::vector<PutRequest*>& requests);
  Status StoreAll(const std::vector<PutRequest*>& requests, bool settle);
  Status StoreSettled();
  void TrimHistory();
  Result<bool> TrimStep();
  void NoteTrimmed(const Status& outcome);
  void EndBulk();
  void Publish(std::vector<PutRequest*>& requests, const Status& outcome, const Status& health,
               bool settle);
  void HandOver(std::vector<PutRequest*>& requests);
  void FinishBulkStep(const Status& outcome);
  void NoteHealth(const Status& outcome);
  void NoteSettled();
  bool FindRoom(std::int64_t bytes);
  void NoteRoom();
  std::int64_t Reserve() const;  // a full queue takes triggers again once it has so many bytes

  const QueueOptions options_;
  const Logger log_;
  Metrics& metrics_;
  Histogram& commit_seconds_;
  Counter& trim_failures_;

  // Used only by the writer.
  const std::unique_ptr<QueueStore> store_;
  std::optional<std::chrono::steady_clock::time_point> trim_at_;  // nothing: there is no history
  std::int64_t trim_seq_ = 0;  // the log's end when history was trimmed last
  LogLimit trim_log_, room_log_;
  std::chrono::steady_clock::time_point room_at_{};  // not before, room is to be made again
  struct {
    std::int64_t cursor = 0, position = 0;
    std::vector<SettledTrigger> triggers;
    std::uint64_t upto = 0;  // calls of Settle that this is the result of
  } settling_;
  std::deque<std::unique_ptr<BulkRequest>> bulk_;  // the first one is at work

  // Thread-safe. Closed before the store, so that the last connection folds the write-ahead log
  // into the file.
  const std::unique_ptr<QueueReader> reader_;

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable writer_wake_;
  std::condition_variable_any room_, ready_;
  std::vector<PutRequest*> pending_;
  std::int64_t pending_bytes_ = 0;
  bool writer_idle_ = false, closing_ = false;
  bool full_ = false;  // something was refused, and there is hardly more room since
  Status health_;
  Status history_;
  Backlog backlog_;
  Wakeup* wakeup_ = nullptr;
  bool settle_dirty_ = false;
  std::chrono::steady_clock::time_point settle_due_;
  std::vector<SettledTrigger> new_settled_;
  std::uint64_t settle_calls_ = 0, settle_calls_on_disk_ = 0;
  std::vector<std::unique_ptr<BulkRequest>> bulk_requests_;

  std::jthread writer_;
};

}  // namespace tower

#endif  // CORE_QUEUE_IMPL_H_
