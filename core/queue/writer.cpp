#include "core/queue/writer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "core/base/wakeup.h"

namespace tower {
namespace {

constexpr auto kRetryDelay = std::chrono::seconds(1);
constexpr auto kTrimDelay = std::chrono::milliseconds(100);  // after a commit
constexpr std::int64_t kTrimSteps = 32;                      // at a time, at most

}  // namespace

QueueWriter::QueueWriter(const QueueOptions& options, std::unique_ptr<QueueStore> store,
                         Handover& handover, Logger log, Metrics& metrics)
    : options_(options),
      log_(std::move(log)),
      commit_seconds_(metrics.GetHistogram("queue_commit_seconds",
                                           "Time to write one group of triggers to disk.")),
      trim_failures_(metrics.GetCounter("queue_trim_failures_total",
                                        "Times that history could not be trimmed.")),
      handover_(handover),
      store_(std::move(store)) {
  thread_ = std::jthread([this] {
    pthread_setname_np(pthread_self(), "queue-writer");
    Run();
  });
}

void QueueWriter::Join() { thread_.join(); }

void QueueWriter::Run() {
  WriteRound round;
  while (true) {
    const auto work = handover_.Wait(round, changes_, store_->log_bytes(), trim_at_);
    if (work == Handover::Work::kNone) break;
    if (work == Handover::Work::kCommit) Commit(round);
    round.puts.clear();
    if (trim_at_ && Clock::now() >= *trim_at_) TrimHistory();
  }
  EndChanges();
}

void QueueWriter::Commit(WriteRound& round) {
  const auto start = Clock::now();
  const auto full = [](const Status& status) {
    return !status && status.error().code == ErrorCode::kFull;
  };
  Status outcome = Transact(round, round.puts);
  if (full(outcome) && MakeRoom()) {
    outcome = Transact(round, round.puts);
    if (outcome) room_at_ = {};
  }
  Status health = outcome;
  if (full(outcome) && !round.puts.empty() && round.settle) {
    // There is room for that, and it is what makes more.
    for (auto* request : round.puts) request->result = outcome.error();
    outcome = Transact(round, {});
  }
  if (!round.puts.empty()) {
    commit_seconds_.Observe(std::chrono::duration<double>(Clock::now() - start).count());
  }
  Finish(round, outcome, outcome ? health : outcome);
  if (!trim_at_ && store_->ends().has_history()) {
    const bool over = store_->ends().kept_bytes() > static_cast<std::int64_t>(options_.max_bytes);
    trim_at_ = Clock::now() + (over ? Clock::duration(0) : kTrimDelay);
  }
}

Status QueueWriter::Transact(const WriteRound& round, const std::vector<PutRequest*>& puts) {
  auto outcome = store_->Begin();
  if (outcome) {
    outcome = StoreAll(round, puts);
    if (outcome) {
      outcome = store_->Commit();
    } else {
      store_->Rollback();
    }
  }
  return outcome ? outcome : ExplainOpenQueueError(options_.path, outcome.error());
}

Status QueueWriter::StoreAll(const WriteRound& round, const std::vector<PutRequest*>& puts) {
  const auto now_ms = NowMs();
  if (!puts.empty()) {
    if (auto room = store_->CheckRoom(); !room) return room;
  }
  for (auto* request : puts) {
    if (auto stored = StoreRequest(*store_, *request, now_ms); !stored) return stored;
  }
  if (round.settle) {
    if (auto stored = StoreSettled(round); !stored) return stored;
  }
  if (!changes_.empty()) {
    if (auto stored = changes_.front()->StoreStep(store_->lists(), now_ms); !stored) return stored;
  }
  return Ok();
}

Status QueueWriter::StoreSettled(const WriteRound& round) {
  const auto now_ms = NowMs();
  if (round.cursor > store_->ends().cursor) {
    auto moved = store_->history().MoveCursor(round.cursor, round.position, now_ms);
    if (!moved) return moved;
  }
  for (const auto& settled : round.settled) {
    if (auto stored = store_->lists().Settle(settled); !stored) return stored;
  }
  return Ok();
}

// Makes a finished transaction known: to the consumer, to those who wait for room, and to the
// callers of Put.
void QueueWriter::Finish(WriteRound& round, const Status& outcome, const Status& health) {
  handover_.Finish(round, outcome, health, store_->ends(),
                   changes_.empty() ? nullptr : &changes_.front()->step);
  if (!outcome) {
    for (auto* request : round.puts) request->result = outcome.error();
  }
  {
    const WakeupBatch batch;
    for (auto* request : round.puts) request->Finish();  // they are gone from here on
  }
  if (!changes_.empty()) FinishStep(outcome);
}

void QueueWriter::FinishStep(const Status& outcome) {
  auto& request = *changes_.front();
  if (!request.EndStep(outcome)) return;
  request.Finish();
  changes_.pop_front();
}

// Of the changes that Close found: each is told how far it came.
void QueueWriter::EndChanges() {
  handover_.TakeChanges(changes_);
  for (const auto& request : changes_) {
    request->EndStep(Error{ErrorCode::kStopped, "the queue is closed"});
    request->Finish();
  }
  changes_.clear();
}

// Deletes history when the disk is full, as it does at max_bytes.
bool QueueWriter::MakeRoom() {
  const auto now = Clock::now();
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

// In transactions of its own, between those of puts: a few steps at a time, as many as keep up with
// what is put. What fails here is no fault of any trigger.
void QueueWriter::TrimHistory() {
  const auto put = store_->ends().last_seq - std::exchange(trim_seq_, store_->ends().last_seq);
  trim_at_.reset();
  for (auto steps = std::min(1 + put / History::kTrimStep, kTrimSteps); steps > 0; --steps) {
    const auto more = TrimStep();
    RecordTrimmed(more ? Ok() : Status(more.error()));
    if (!more) {
      trim_at_ = Clock::now() + kRetryDelay;
      return;
    }
    if (!*more) return;
  }
  trim_at_ = Clock::now();
}

// Synced as any other: what lies unsynced in the log can be lost by a sync that fails when the log
// is folded, of which SQLite tells nobody, and with it all that is committed behind it.
Result<bool> QueueWriter::TrimStep() {
  const History::Limits limits{NowMs() - options_.retention.count(), options_.max_history,
                               static_cast<std::int64_t>(options_.max_bytes)};
  if (auto begun = store_->Begin(); !begun) return begun.error();
  auto more = store_->history().Trim(limits);
  if (!more) {
    store_->Rollback();
    return more;
  }
  if (auto committed = store_->Commit(); !committed) return committed.error();
  return more;
}

void QueueWriter::RecordTrimmed(const Status& outcome) {
  Status history = Ok();
  if (!outcome) {
    history = ExplainOpenQueueError(options_.path, outcome.error());
    trim_failures_.Add();
    if (trim_log_.Pass(history.error().message, Clock::now())) {
      log_.Error("history cannot be trimmed", {{"error", history.error()}});
    }
  }
  if (handover_.RecordHistory(history)) {
    trim_log_.Reset();
    log_.Info("history is trimmed again");
  }
}

}  // namespace tower
