#include "core/queue/queue.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "core/queue/impl.h"

namespace tower {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 4 << 20;
constexpr auto kSettleDelay = std::chrono::milliseconds(50);
constexpr auto kRetryDelay = std::chrono::seconds(1);

Error Full() {
  return {ErrorCode::kFull,
          "the queue is full (queue.max-bytes); it empties as the broker takes messages and as "
          "undeliverable triggers are delivered again or discarded"};
}

Error Closed() { return {ErrorCode::kStopped, "the queue is closed"}; }

}  // namespace

TriggerQueue::Impl::Impl(const QueueOptions& options, std::unique_ptr<QueueStore> store,
                         std::unique_ptr<QueueReader> reader, Logger log, Metrics& metrics)
    : options_(options),
      log_(std::move(log)),
      metrics_(metrics),
      commit_seconds_(metrics.GetHistogram("queue_commit_seconds",
                                           "Time to write one group of triggers to disk.")),
      trim_failures_(metrics.GetCounter("queue_trim_failures_total",
                                        "Times that history could not be trimmed.")),
      store_(std::move(store)),
      reader_(std::move(reader)),
      backlog_(store_->ends()) {
  metrics_.SetGauge("queue_depth", "Triggers accepted and not yet settled.",
                    [this] { return static_cast<double>(Stats().depth); });
  metrics_.SetGauge("queue_deferred", "Triggers that wait for a routing key the broker refuses.",
                    [this] { return static_cast<double>(Stats().deferred); });
  metrics_.SetGauge("queue_bytes", "Bytes held for triggers that are not history.",
                    [this] { return static_cast<double>(Stats().bytes); });
  metrics_.SetGauge("queue_max_bytes", "What queue_bytes may grow to before triggers are refused.",
                    [this] { return static_cast<double>(options_.max_bytes); });
  metrics_.SetGauge("queue_undeliverable", "Triggers that are listed as undeliverable.",
                    [this] { return static_cast<double>(Stats().undeliverable); });
  metrics_.SetGauge("queue_oldest_seconds", "Age of the oldest trigger not yet settled.",
                    [this] { return std::chrono::duration<double>(Stats().oldest).count(); });
  writer_ = std::jthread([this] {
    pthread_setname_np(pthread_self(), "queue-writer");
    Write();
  });
}

// A fault of the queue's disk, for those who use the queue: whatever it is, it is no fault of
// theirs that would end them.
Error TriggerQueue::Impl::Explain(const Error& error) const {
  auto explained = ExplainQueueError(options_.path, error);
  if (explained.code == ErrorCode::kPermanent) explained.code = ErrorCode::kUnavailable;
  return explained;
}

std::int64_t TriggerQueue::Impl::NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// --- Put -----------------------------------------------------------------------------------------

bool TriggerQueue::Impl::HasRoom(std::int64_t bytes) const {
  return backlog_.bytes() + pending_bytes_ + bytes <= static_cast<std::int64_t>(options_.max_bytes);
}

// Requires mutex_. Refuses, and remembers it: a queue that has just refused something and is nearly
// full counts as full.
bool TriggerQueue::Impl::FindRoom(std::int64_t bytes) {
  if (HasRoom(bytes)) return true;
  if (full_ || HasRoom(Reserve())) return false;
  full_ = true;
  log_.Warn("queue is full: nothing more is taken",
            {{"max_bytes", options_.max_bytes}, {"undeliverable", backlog_.undeliverable()}});
  return false;
}

// Requires mutex_.
void TriggerQueue::Impl::NoteRoom() {
  if (!full_ || !HasRoom(Reserve())) return;
  full_ = false;
  log_.Info("queue has room again");
}

std::int64_t TriggerQueue::Impl::Reserve() const {
  return static_cast<std::int64_t>(options_.max_bytes / 16);
}

Status TriggerQueue::Impl::CheckSize(const PutRequest& request) const {
  if (request.bytes <= static_cast<std::int64_t>(options_.max_bytes)) return Ok();
  return Error{ErrorCode::kInvalid,
               "the batch is larger than the whole queue may be (queue.max-bytes)"};
}

// Requires mutex_. True: the writer is to be woken, once mutex_ is free for it.
bool TriggerQueue::Impl::Enqueue(PutRequest& request) {
  pending_.push_back(&request);
  pending_bytes_ += request.bytes;
  return std::exchange(writer_idle_, false);
}

Status TriggerQueue::Impl::WaitForRoom(std::unique_lock<std::mutex>& lock,
                                       const PutRequest& request, const std::stop_token& stop) {
  const auto done = [&] { return closing_ || HasRoom(request.bytes); };
  while (true) {
    if (stop.stop_requested()) return Error{ErrorCode::kStopped, "stop requested"};
    if (closing_) return Closed();
    if (FindRoom(request.bytes)) return Ok();
    const auto deadline = request.options.deadline;
    if (deadline && SteadyClock::now() >= *deadline) {
      return Full();
    }
    if (deadline) {
      room_.wait_until(lock, stop, *deadline, done);
    } else {
      room_.wait(lock, stop, done);
    }
  }
}

Result<Receipt> TriggerQueue::Impl::Put(std::span<const Trigger> batch, const PutOptions& options,
                                        const std::stop_token& stop) {
  while (true) {
    WaitingPut request(batch, options);
    if (auto fits = CheckSize(request); !fits) return fits.error();
    bool wake = false;
    {
      std::unique_lock lock(mutex_);
      if (auto room = WaitForRoom(lock, request, stop); !room) return room.error();
      wake = Enqueue(request);
    }
    if (wake) writer_wake_.notify_one();
    request.Wait();
    if (request.result || request.result.error().code != ErrorCode::kFull) {
      return std::move(request.result);
    }
    // The disk is full: the same as a full queue, but nobody can tell when it has room again.
    const auto retry = SteadyClock::now() + kRetryDelay;
    if (options.deadline && *options.deadline < retry) return std::move(request.result);
    std::unique_lock lock(mutex_);
    room_.wait_until(lock, stop, retry, [&] { return closing_; });
    if (stop.stop_requested()) return Error{ErrorCode::kStopped, "stop requested"};
  }
}

std::vector<Uuid> TriggerQueue::Impl::Submit(std::unique_ptr<SubmittedPut> request) {
  auto uuids = request->uuids();
  auto accepted = CheckSize(*request);
  bool wake = false;
  if (accepted) {
    const std::lock_guard lock(mutex_);
    if (closing_) {
      accepted = Closed();
    } else if (!FindRoom(request->bytes)) {
      accepted = Full();
    } else {
      wake = Enqueue(*request.release());
    }
  }
  if (wake) writer_wake_.notify_one();
  if (request != nullptr) {
    request->result = accepted.error();
    request.release()->Finish();
  }
  return uuids;
}

// --- The consumer --------------------------------------------------------------------------------

Result<std::vector<AcceptedTrigger>> TriggerQueue::Impl::TryTake(std::size_t limit) {
  std::unique_lock lock(mutex_);
  while (backlog_.has_redeliveries()) {
    const auto after = backlog_.redelivery_read();
    const auto upto = backlog_.last_redelivery();
    lock.unlock();
    auto rows = reader_->Redeliveries(after, upto, limit, kReadBytes);
    if (!rows) return ExplainQueueError(options_.path, rows.error());
    lock.lock();
    auto again = backlog_.NoteRedeliveries(std::move(*rows), upto);
    if (!again.empty()) return again;
  }
  auto taken = backlog_.Take(limit);
  while (taken.empty() && backlog_.has_rows()) {
    const auto after = backlog_.read_seq();
    const auto upto = backlog_.last_seq();
    lock.unlock();
    auto rows = reader_->Rows(after, upto, limit, kReadBytes);
    if (!rows) return ExplainQueueError(options_.path, rows.error());
    if (rows->empty()) {
      return ExplainQueueError(options_.path, {ErrorCode::kPermanent, "rows are missing"});
    }
    lock.lock();
    taken = backlog_.NoteRead(std::move(*rows));
    if (backlog_.Settle({}, 0, new_settled_)) NoteSettled();
  }
  return taken;
}

Result<std::vector<AcceptedTrigger>> TriggerQueue::Impl::Take(
    std::size_t limit, const std::stop_token& stop,
    std::optional<SteadyClock::time_point> deadline) {
  while (true) {
    auto taken = TryTake(limit);
    if (!taken || !taken->empty()) return taken;
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closing_ || backlog_.ready(); };
    const bool go_on =
        deadline ? ready_.wait_until(lock, stop, *deadline, ready) : ready_.wait(lock, stop, ready);
    if (!go_on || !backlog_.ready()) return taken;
  }
}

bool TriggerQueue::Impl::WakeWhenReady(Wakeup& wakeup) {
  const std::lock_guard lock(mutex_);
  if (backlog_.ready()) return true;
  wakeup_ = &wakeup;
  return false;
}

void TriggerQueue::Impl::CancelWakeup() {
  const std::lock_guard lock(mutex_);
  wakeup_ = nullptr;
}

void TriggerQueue::Impl::NoteSettled() {
  if (!settle_dirty_) {
    settle_dirty_ = true;
    settle_due_ = SteadyClock::now() + kSettleDelay;
    if (writer_idle_) writer_wake_.notify_one();
  }
  NoteRoom();
  room_.notify_all();
}

std::uint64_t TriggerQueue::Impl::Settle(std::span<const Outcome> outcomes) {
  const auto now_ms = NowMs();
  const std::lock_guard lock(mutex_);
  if (backlog_.Settle(outcomes, now_ms, new_settled_)) {
    ++settle_calls_;
    NoteSettled();
  }
  return settle_calls_;
}

Result<std::vector<AcceptedTrigger>> TriggerQueue::Impl::TakeDeferred(std::string_view routing_key,
                                                                      std::int64_t after,
                                                                      std::size_t limit,
                                                                      std::uint64_t settled) {
  std::int64_t upto = 0;
  {
    const std::lock_guard lock(mutex_);
    if (settle_calls_on_disk_ < settled) return std::vector<AcceptedTrigger>();
    upto = backlog_.read_seq();  // what lies beyond is taken from the log, if it is not listed then
  }
  auto rows = reader_->Deferred(routing_key, after, upto, limit, kReadBytes);
  if (!rows) return ExplainQueueError(options_.path, rows.error());
  {
    const std::lock_guard lock(mutex_);
    backlog_.NoteDeferred(*rows);
  }
  std::vector<AcceptedTrigger> taken;
  taken.reserve(rows->size());
  for (auto& row : *rows) taken.push_back(std::move(row.trigger));
  return taken;
}

void TriggerQueue::Impl::Change(std::unique_ptr<BulkRequest> request) {
  {
    const std::lock_guard lock(mutex_);
    request->upto = backlog_.last_seq();
    if (!closing_) bulk_requests_.push_back(std::exchange(request, nullptr));
    if (writer_idle_) writer_wake_.notify_one();
  }
  if (request == nullptr) return;
  request->outcome.status = Closed();
  request->Finish();
}

QueueStats TriggerQueue::Impl::Stats() {
  QueueStats stats;
  std::int64_t oldest_ms = 0;
  std::int64_t next = 0;
  {
    const std::lock_guard lock(mutex_);
    stats.depth = backlog_.depth();
    stats.deferred = backlog_.deferred();
    stats.undeliverable = backlog_.undeliverable();
    stats.bytes = static_cast<std::uint64_t>(backlog_.bytes());
    stats.health = health_ && full_ ? Full() : health_;
    stats.history = history_;
    oldest_ms = backlog_.oldest_ms();
    next = backlog_.cursor();
  }
  if (stats.depth > 0 && oldest_ms == 0) {
    if (auto rows = reader_->Rows(next, next + 1, 1, 1); rows && !rows->empty()) {
      oldest_ms = rows->front().trigger.accepted_at.time_since_epoch().count();
    }
  }
  if (stats.deferred > 0) {
    if (auto deferred_ms = reader_->OldestDeferredMs(); deferred_ms && *deferred_ms > 0) {
      oldest_ms = oldest_ms > 0 ? std::min(oldest_ms, *deferred_ms) : *deferred_ms;
    }
  }
  if (oldest_ms > 0) {
    stats.oldest = std::chrono::milliseconds(std::max<std::int64_t>(0, NowMs() - oldest_ms));
  }
  return stats;
}

void TriggerQueue::Impl::Close() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    writer_wake_.notify_one();
    room_.notify_all();
    ready_.notify_all();
  }
  writer_.join();
  for (const auto* name : {"queue_depth", "queue_deferred", "queue_bytes", "queue_max_bytes",
                           "queue_undeliverable", "queue_oldest_seconds"}) {
    metrics_.SetGauge(name, "", nullptr);
  }
}

// --- The face ------------------------------------------------------------------------------------

TriggerQueue::TriggerQueue(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TriggerQueue::~TriggerQueue() = default;

Result<std::unique_ptr<TriggerQueue>> TriggerQueue::Open(const QueueOptions& options, Logger log,
                                                         Metrics& metrics) {
  auto store = QueueStore::Open(options);
  if (!store) return store.error();
  auto reader = QueueReader::Open(options, **store);
  if (!reader) return reader.error();
  if (const auto& repaired = (*store)->repaired(); !repaired.empty()) {
    log.Warn("queue file repaired", {{"path", options.path}, {"what", repaired}});
  }
  const auto& complete = (*store)->options();
  return std::unique_ptr<TriggerQueue>(new TriggerQueue(std::make_unique<Impl>(
      complete, std::move(*store), std::move(*reader), std::move(log), metrics)));
}

Result<Receipt> TriggerQueue::Put(std::span<const Trigger> batch, const PutOptions& options,
                                  std::stop_token stop) {
  return impl_->Put(batch, options, stop);
}
std::vector<Uuid> TriggerQueue::Submit(std::span<const Trigger> batch, const PutOptions& options,
                                       PutDone done) {
  return impl_->Submit(std::make_unique<SubmittedPut>(batch, options, std::move(done)));
}
std::vector<Uuid> TriggerQueue::SubmitTaking(std::span<Trigger> batch, const PutOptions& options,
                                             PutDone done) {
  return impl_->Submit(std::make_unique<SubmittedPut>(batch, options, std::move(done)));
}
Result<std::vector<AcceptedTrigger>> TriggerQueue::Take(
    std::size_t limit, std::stop_token stop,
    std::optional<std::chrono::steady_clock::time_point> deadline) {
  return impl_->Take(limit, stop, deadline);
}
Result<std::vector<AcceptedTrigger>> TriggerQueue::TryTake(std::size_t limit) {
  return impl_->TryTake(limit);
}
bool TriggerQueue::WakeWhenReady(Wakeup& wakeup) { return impl_->WakeWhenReady(wakeup); }
void TriggerQueue::CancelWakeup() { impl_->CancelWakeup(); }
std::uint64_t TriggerQueue::Settle(std::span<const Outcome> outcomes) {
  return impl_->Settle(outcomes);
}
Result<std::vector<DeferredKey>> TriggerQueue::DeferredKeys() const {
  return impl_->reader().DeferredKeys();
}
Result<std::vector<AcceptedTrigger>> TriggerQueue::TakeDeferred(std::string_view routing_key,
                                                                std::int64_t after,
                                                                std::size_t limit,
                                                                std::uint64_t settled) {
  return impl_->TakeDeferred(routing_key, after, limit, settled);
}
Result<TriggerRecord> TriggerQueue::Find(const Uuid& uuid) const {
  return impl_->reader().Find(uuid);
}
Result<TriggerPage> TriggerQueue::List(const TriggerFilter& filter, std::size_t limit,
                                       std::int64_t before) const {
  return impl_->reader().List(filter, limit, before);
}
void TriggerQueue::Redeliver(const Uuid& uuid, ChangeDone done) {
  impl_->Change(BulkRequest::Of(uuid, std::nullopt, std::move(done)));
}
void TriggerQueue::Discard(const Uuid& uuid, std::string_view by, ChangeDone done) {
  impl_->Change(BulkRequest::Of(uuid, std::string(by), std::move(done)));
}
void TriggerQueue::RedeliverAll(const TriggerFilter& filter, const BulkOptions& options,
                                BulkDone done) {
  impl_->Change(BulkRequest::Of(filter, options, std::nullopt, std::move(done)));
}
void TriggerQueue::DiscardAll(const TriggerFilter& filter, const BulkOptions& options,
                              std::string_view by, BulkDone done) {
  impl_->Change(BulkRequest::Of(filter, options, std::string(by), std::move(done)));
}
Result<std::optional<std::string>> TriggerQueue::Checkpoint(std::string_view source,
                                                            std::string_view key) const {
  auto value = impl_->reader().Checkpoint(source, key);
  if (!value) return impl_->Explain(value.error());
  return value;
}
Result<std::vector<std::pair<std::string, std::string>>> TriggerQueue::Checkpoints(
    std::string_view source) const {
  auto values = impl_->reader().Checkpoints(source);
  if (!values) return impl_->Explain(values.error());
  return values;
}
QueueStats TriggerQueue::Stats() const { return impl_->Stats(); }
void TriggerQueue::Close() { impl_->Close(); }

}  // namespace tower
