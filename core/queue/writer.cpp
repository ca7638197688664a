// The queue's writer: groups the puts that arrive together, and what was settled, into one
// transaction and one fsync.
#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/wakeup.h"
#include "core/queue/impl.h"

namespace tower {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kRetryDelay = std::chrono::seconds(1);
constexpr SteadyClock::duration kSettleEarly = std::chrono::milliseconds(40);
constexpr auto kMaintenanceEvery = std::chrono::seconds(60);
constexpr auto kTrimDelay = std::chrono::milliseconds(100);  // after a commit
constexpr std::int64_t kTrimSteps = 32;                      // at a time, at most

}  // namespace

TriggerQueue::Impl::Work TriggerQueue::Impl::WaitForWork(std::unique_lock<std::mutex>& lock) {
  const auto maintenance = SteadyClock::now() + kMaintenanceEvery;
  while (true) {
    if (!pending_.empty()) return Work::kCommit;
    if (closing_) return settle_dirty_ ? Work::kCommit : Work::kNone;
    if (!bulk_.empty() || !bulk_requests_.empty()) return Work::kCommit;
    const auto now = SteadyClock::now();
    if ((settle_dirty_ && now >= settle_due_) || now >= maintenance) return Work::kCommit;
    if (trim_at_ && now >= *trim_at_) return Work::kTrim;
    auto until = maintenance;
    if (settle_dirty_) until = std::min(until, settle_due_);
    if (trim_at_) until = std::min(until, *trim_at_);
    writer_idle_ = true;
    writer_wake_.wait_until(lock, until);
    writer_idle_ = false;
  }
}

void TriggerQueue::Impl::Write() {
  std::vector<PutRequest*> requests;
  while (true) {
    Work work = Work::kNone;
    {
      std::unique_lock lock(mutex_);
      work = WaitForWork(lock);
      TakePending(requests);
    }
    if (work == Work::kNone) break;
    if (work == Work::kCommit) CommitRound(requests);
    requests.clear();
    if (trim_at_ && SteadyClock::now() >= *trim_at_) TrimHistory();
  }
  EndBulk();
}

// Requires mutex_. As much as the log should hold at once.
void TriggerQueue::Impl::TakePending(std::vector<PutRequest*>& requests) {
  if (pending_bytes_ <= store_->log_bytes()) {
    requests.swap(pending_);
    return;
  }
  std::int64_t bytes = 0;
  auto end = pending_.begin();
  while (end != pending_.end() &&
         (end == pending_.begin() || bytes + (*end)->bytes <= store_->log_bytes())) {
    bytes += (*end++)->bytes;
  }
  requests.assign(pending_.begin(), end);
  pending_.erase(pending_.begin(), end);
}

void TriggerQueue::Impl::CommitRound(std::vector<PutRequest*>& requests) {
  bool settle = false;
  {
    const std::lock_guard lock(mutex_);
    std::move(bulk_requests_.begin(), bulk_requests_.end(), std::back_inserter(bulk_));
    bulk_requests_.clear();
    // With a commit that comes by it is cheap, and what is on disk is not repeated after a crash.
    // What a bulk change finds depends on it.
    const auto due = settle_due_ - (requests.empty() ? SteadyClock::duration(0) : kSettleEarly);
    settle = settle_dirty_ && (closing_ || !bulk_.empty() || SteadyClock::now() >= due);
    if (settle) {
      settle_dirty_ = false;
      settling_.cursor = backlog_.cursor();
      settling_.position = backlog_.cursor_position();
      settling_.triggers.swap(new_settled_);
      settling_.upto = settle_calls_;
    }
  }
  const auto start = SteadyClock::now();
  const auto full = [](const Status& status) {
    return !status && status.error().code == ErrorCode::kFull;
  };
  Status outcome = Transact(requests, settle);
  if (full(outcome) && MakeRoom()) {
    outcome = Transact(requests, settle);
    if (outcome) room_at_ = {};
  }
  Status health = outcome;
  if (full(outcome) && !requests.empty() && settle) {
    // There is room for that, and it is what makes more.
    for (auto* request : requests) request->result = outcome.error();
    outcome = Transact({}, settle);
  }
  if (!requests.empty()) {
    commit_seconds_.Observe(std::chrono::duration<double>(SteadyClock::now() - start).count());
  }
  Publish(requests, outcome, outcome ? health : outcome, settle);
  if (!trim_at_ && store_->has_history()) {
    const bool over = store_->kept_bytes() > static_cast<std::int64_t>(options_.max_bytes);
    trim_at_ = SteadyClock::now() + (over ? SteadyClock::duration(0) : kTrimDelay);
  }
}

Status TriggerQueue::Impl::Transact(const std::vector<PutRequest*>& requests, bool settle) {
  auto outcome = store_->Begin();
  if (outcome) {
    outcome = StoreAll(requests, settle);
    if (outcome) {
      outcome = store_->Commit();
    } else {
      store_->Rollback();
    }
  }
  return outcome ? outcome : Explain(outcome.error());
}

// The disk is full: history gives way there as it does at max_bytes.
bool TriggerQueue::Impl::MakeRoom() {
  const auto now = SteadyClock::now();
  if (now < room_at_) return false;
  room_at_ = now + kRetryDelay;  // unless it helps
  const auto before = store_->ends().trimmed;
  const bool made = store_->MakeRoom();
  const auto gone = store_->ends().trimmed - before;
  if (gone > 0 && room_log_.Pass("full", now)) {
    log_.Warn("disk is full: history is deleted", {{"path", options_.path}, {"triggers", gone}});
  }
  return made;
}

Status TriggerQueue::Impl::StoreAll(const std::vector<PutRequest*>& requests, bool settle) {
  const auto now_ms = NowMs();
  if (!requests.empty()) {
    if (auto room = store_->CheckRoom(); !room) return room;
  }
  for (auto* request : requests) {
    if (auto stored = StoreRequest(*store_, *request, now_ms); !stored) return stored;
  }
  if (settle) {
    if (auto stored = StoreSettled(); !stored) return stored;
  }
  if (!bulk_.empty()) {
    if (auto stored = bulk_.front()->StoreStep(*store_, now_ms); !stored) return stored;
  }
  return Ok();
}

Status TriggerQueue::Impl::StoreSettled() {
  const auto now_ms = NowMs();
  if (settling_.cursor > store_->ends().cursor) {
    auto moved = store_->MoveCursor(settling_.cursor, settling_.position, now_ms);
    if (!moved) return moved;
  }
  for (const auto& settled : settling_.triggers) {
    if (auto stored = store_->Settle(settled); !stored) return stored;
  }
  return Ok();
}

// In transactions of its own, between those of puts: a few steps at a time, as many as keep up with
// what is put. What fails here is no fault of any trigger.
void TriggerQueue::Impl::TrimHistory() {
  const auto put = store_->ends().last_seq - std::exchange(trim_seq_, store_->ends().last_seq);
  trim_at_.reset();
  for (auto steps = std::min(1 + put / QueueStore::kTrimStep, kTrimSteps); steps > 0; --steps) {
    const auto more = TrimStep();
    NoteTrimmed(more ? Ok() : Status(more.error()));
    if (!more) {
      trim_at_ = SteadyClock::now() + kRetryDelay;
      return;
    }
    if (!*more) return;
  }
  trim_at_ = SteadyClock::now();
}

// Synced as any other: what lies unsynced in the log can be lost by a sync that fails when the log
// is folded, of which SQLite tells nobody, and with it all that is committed behind it.
Result<bool> TriggerQueue::Impl::TrimStep() {
  const QueueStore::HistoryLimits limits{NowMs() - options_.retention.count(), options_.max_history,
                                         static_cast<std::int64_t>(options_.max_bytes)};
  if (auto begun = store_->Begin(); !begun) return begun.error();
  auto more = store_->Trim(limits);
  if (!more) {
    store_->Rollback();
    return more;
  }
  if (auto committed = store_->Commit(); !committed) return committed.error();
  return more;
}

void TriggerQueue::Impl::NoteTrimmed(const Status& outcome) {
  Status history = Ok();
  if (!outcome) {
    history = Explain(outcome.error());
    trim_failures_.Add();
    if (trim_log_.Pass(history.error().message, SteadyClock::now())) {
      log_.Error("history cannot be trimmed", {{"error", history.error()}});
    }
  }
  const std::lock_guard lock(mutex_);
  if (outcome && !history_) {
    trim_log_.Reset();
    log_.Info("history is trimmed again");
  }
  history_ = history;
}

// Makes a finished transaction known: to the consumer, to those who wait for room, and to the
// callers of Put.
void TriggerQueue::Impl::Publish(std::vector<PutRequest*>& requests, const Status& outcome,
                                 const Status& health, bool settle) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto* request : requests) pending_bytes_ -= request->bytes;
    if (outcome) {
      HandOver(requests);
      if (settle) settle_calls_on_disk_ = settling_.upto;
      settling_.triggers.clear();
    } else if (settle) {
      new_settled_.insert(new_settled_.begin(), std::make_move_iterator(settling_.triggers.begin()),
                          std::make_move_iterator(settling_.triggers.end()));
      settling_.triggers.clear();
      settle_dirty_ = !closing_;
      settle_due_ = SteadyClock::now() + kRetryDelay;
    }
    NoteHealth(health);
    NoteRoom();
    room_.notify_all();
  }
  if (!outcome) {
    for (auto* request : requests) request->result = outcome.error();
  }
  {
    const WakeupBatch batch;
    for (auto* request : requests) request->Finish();  // they are gone from here on
  }
  if (!bulk_.empty()) FinishBulkStep(outcome);
}

void TriggerQueue::Impl::FinishBulkStep(const Status& outcome) {
  auto& request = *bulk_.front();
  if (!request.EndStep(outcome)) return;
  request.Finish();
  bulk_.pop_front();
}

// Of the bulk changes that Close found: each is told how far it came.
void TriggerQueue::Impl::EndBulk() {
  {
    const std::lock_guard lock(mutex_);
    std::move(bulk_requests_.begin(), bulk_requests_.end(), std::back_inserter(bulk_));
    bulk_requests_.clear();
  }
  for (const auto& request : bulk_) {
    request->EndStep(Error{ErrorCode::kStopped, "the queue is closed"});
    request->Finish();
  }
  bulk_.clear();
}

void TriggerQueue::Impl::HandOver(std::vector<PutRequest*>& requests) {
  for (auto* request : requests) {
    if (!request->result) continue;
    for (std::size_t i = 0; i < request->rows.size(); ++i) {
      if (!request->known[i]) backlog_.Add(std::move(request->rows[i]));
    }
  }
  backlog_.SetEnd(store_->ends().last_seq, store_->ends().last_position);
  if (!bulk_.empty()) {
    backlog_.AddRedeliveries(bulk_.front()->step, store_->ends().last_redelivery);
  }
  if (!backlog_.ready()) return;
  ready_.notify_all();
  if (wakeup_ != nullptr) {
    wakeup_->Signal();
    wakeup_ = nullptr;
  }
}

void TriggerQueue::Impl::NoteHealth(const Status& outcome) {
  if (!outcome && (health_ || health_.error().message != outcome.error().message)) {
    log_.Error("queue cannot write", {{"error", outcome.error()}});
  } else if (outcome && !health_) {
    log_.Info("queue is writable again");
  }
  health_ = outcome;
}

}  // namespace tower
