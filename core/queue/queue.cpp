#include "core/queue/queue.h"

#include <algorithm>
#include <utility>

#include "core/queue/file.h"
#include "core/queue/handover.h"
#include "core/queue/reader.h"
#include "core/queue/store.h"
#include "core/queue/writer.h"

namespace tower {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 4 << 20;
constexpr auto kRetryDelay = std::chrono::seconds(1);

}  // namespace

Status CheckQueueFile(const std::string& path) { return CheckFile(path); }

Result<std::unique_ptr<TriggerQueue>> TriggerQueue::Open(const QueueOptions& options, Logger log,
                                                         Metrics& metrics) {
  auto store = QueueStore::Open(options);
  if (!store) return store.error();
  auto reader = QueueReader::Open(options.path, (*store)->shared());
  if (!reader) return reader.error();
  auto lookups = QueueReader::Open(options.path, (*store)->shared());
  if (!lookups) return lookups.error();
  if (const auto& repaired = (*store)->repaired(); !repaired.empty()) {
    log.Warn("queue file repaired", {{"path", options.path}, {"what", repaired}});
  }
  return std::unique_ptr<TriggerQueue>(
      new TriggerQueue(std::move(*store), std::move(*reader), std::move(*lookups), log, metrics));
}

TriggerQueue::TriggerQueue(std::unique_ptr<QueueStore> store, std::unique_ptr<QueueReader> reader,
                           std::unique_ptr<QueueReader> lookups, const Logger& log,
                           Metrics& metrics)
    : options_(store->options()),
      metrics_(metrics),
      handover_(std::make_unique<Handover>(store->ends(), options_.max_bytes, log)),
      writer_(std::make_unique<QueueWriter>(options_, std::move(store), *handover_, log, metrics)),
      reader_(std::move(reader)),
      lookups_(std::move(lookups)) {
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
                    [this] { return std::chrono::duration<double>(OldestAge()).count(); });
}

TriggerQueue::~TriggerQueue() { Close(); }

void TriggerQueue::Close() {
  if (!handover_->Close()) return;
  writer_->Join();
  for (const auto* name : {"queue_depth", "queue_deferred", "queue_bytes", "queue_max_bytes",
                           "queue_undeliverable", "queue_oldest_seconds"}) {
    metrics_.SetGauge(name, "", nullptr);
  }
}

// --- Callers -------------------------------------------------------------------------------------

Result<Receipt> TriggerQueue::Put(std::span<const Trigger> batch, const PutOptions& options,
                                  std::stop_token stop) {
  while (true) {
    WaitingPut request(batch, options);
    if (auto put = handover_->Put(request, stop); !put) return put.error();
    request.Wait();
    if (request.result || request.result.error().code != ErrorCode::kFull) {
      return std::move(request.result);
    }
    // The disk is full: the same as a full queue, but nobody can tell when it has room again.
    const auto retry = SteadyClock::now() + kRetryDelay;
    if (options.deadline && *options.deadline < retry) return std::move(request.result);
    if (auto waited = handover_->WaitToRetry(retry, stop); !waited) return waited.error();
  }
}

std::vector<Uuid> TriggerQueue::Submit(std::span<const Trigger> batch, const PutOptions& options,
                                       PutDone done) {
  return Submit(std::make_unique<SubmittedPut>(batch, options, std::move(done)));
}

std::vector<Uuid> TriggerQueue::SubmitByMove(std::span<Trigger> batch, const PutOptions& options,
                                             PutDone done) {
  return Submit(std::make_unique<SubmittedPut>(batch, options, std::move(done)));
}

std::vector<Uuid> TriggerQueue::Submit(std::unique_ptr<SubmittedPut> request) {
  auto uuids = request->uuids();
  if (auto put = handover_->TryPut(request); !put) {
    request->result = put.error();
    request.release()->Finish();
  }
  return uuids;
}

void TriggerQueue::Redeliver(const Uuid& uuid, ChangeDone done) {
  Change(BulkRequest::Of(uuid, std::nullopt, std::move(done)));
}

void TriggerQueue::Discard(const Uuid& uuid, std::string_view by, ChangeDone done) {
  Change(BulkRequest::Of(uuid, std::string(by), std::move(done)));
}

void TriggerQueue::RedeliverAll(const TriggerFilter& filter, const BulkOptions& options,
                                BulkDone done) {
  Change(BulkRequest::Of(filter, options, std::nullopt, std::move(done)));
}

void TriggerQueue::DiscardAll(const TriggerFilter& filter, const BulkOptions& options,
                              std::string_view by, BulkDone done) {
  Change(BulkRequest::Of(filter, options, std::string(by), std::move(done)));
}

void TriggerQueue::Change(std::unique_ptr<BulkRequest> request) {
  if (auto taken = handover_->Change(request); !taken) {
    request->outcome.status = taken;
    request->Finish();
  }
}

Result<TriggerRecord> TriggerQueue::Find(const Uuid& uuid) const { return lookups_->Find(uuid); }

Result<TriggerPage> TriggerQueue::List(const TriggerFilter& filter, std::size_t limit,
                                       std::int64_t before) const {
  return lookups_->List(filter, limit, before);
}

Result<std::optional<std::string>> TriggerQueue::Checkpoint(std::string_view source,
                                                            std::string_view key) const {
  auto value = lookups_->Checkpoint(source, key);
  if (!value) return ExplainOpenQueueError(options_.path, value.error());
  return value;
}

Result<std::vector<std::pair<std::string, std::string>>> TriggerQueue::Checkpoints(
    std::string_view source) const {
  auto values = lookups_->Checkpoints(source);
  if (!values) return ExplainOpenQueueError(options_.path, values.error());
  return values;
}

QueueStats TriggerQueue::Stats() const { return handover_->Stats().stats; }

std::chrono::milliseconds TriggerQueue::OldestAge() const {
  auto [stats, oldest_ms, cursor] = handover_->Stats();
  if (stats.depth > 0 && oldest_ms == 0) {
    if (auto rows = lookups_->Rows(cursor, cursor + 1, 1, 1); rows && !rows->empty()) {
      oldest_ms = rows->front().trigger.accepted_at.time_since_epoch().count();
    }
  }
  if (stats.deferred > 0) {
    if (auto deferred_ms = lookups_->OldestDeferredMs(); deferred_ms && *deferred_ms > 0) {
      oldest_ms = oldest_ms > 0 ? std::min(oldest_ms, *deferred_ms) : *deferred_ms;
    }
  }
  if (oldest_ms == 0) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(std::max<std::int64_t>(0, NowMs() - oldest_ms));
}

// --- The consumer --------------------------------------------------------------------------------

Result<std::vector<AcceptedTrigger>> TriggerQueue::TryTake(std::size_t limit) {
  using Where = Handover::ToRead::Where;
  while (true) {
    std::vector<AcceptedTrigger> taken;
    const auto [where, after, upto] = handover_->Take(limit, taken);
    if (where == Where::kNone) return taken;
    if (where == Where::kRedeliveries) {
      auto rows = reader_->Redeliveries(after, upto, limit, kReadBytes);
      if (!rows) return ExplainQueueError(options_.path, rows.error());
      taken = handover_->RecordRedeliveries(std::move(*rows), upto);
    } else {
      auto rows = reader_->Rows(after, upto, limit, kReadBytes);
      if (!rows) return ExplainQueueError(options_.path, rows.error());
      if (rows->empty()) {
        return ExplainQueueError(options_.path, {ErrorCode::kPermanent, "rows are missing"});
      }
      taken = handover_->RecordRows(std::move(*rows));
    }
    if (!taken.empty()) return taken;
  }
}

Result<std::vector<AcceptedTrigger>> TriggerQueue::Take(
    std::size_t limit, std::stop_token stop, std::optional<SteadyClock::time_point> deadline) {
  while (true) {
    auto taken = TryTake(limit);
    if (!taken || !taken->empty()) return taken;
    if (!handover_->WaitUntilReady(stop, deadline)) return taken;
  }
}

bool TriggerQueue::WakeWhenReady(Wakeup& wakeup) { return handover_->WakeWhenReady(wakeup); }

void TriggerQueue::CancelWakeup() { handover_->CancelWakeup(); }

std::uint64_t TriggerQueue::Settle(std::span<const Outcome> outcomes) {
  return handover_->Settle(outcomes);
}

Result<std::vector<DeferredKey>> TriggerQueue::DeferredKeys() const {
  return reader_->DeferredKeys();
}

Result<std::vector<AcceptedTrigger>> TriggerQueue::TakeDeferred(std::string_view routing_key,
                                                                std::int64_t after,
                                                                std::size_t limit,
                                                                std::uint64_t settled) {
  const auto upto = handover_->DeferredUpto(settled);
  if (!upto) return std::vector<AcceptedTrigger>();
  auto rows = reader_->Deferred(routing_key, after, *upto, limit, kReadBytes);
  if (!rows) return ExplainQueueError(options_.path, rows.error());
  handover_->RecordDeferred(*rows);
  std::vector<AcceptedTrigger> taken;
  taken.reserve(rows->size());
  for (auto& row : *rows) taken.push_back(std::move(row.trigger));
  return taken;
}

}  // namespace tower
