#include "core/queue/handover.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tower {
namespace {

constexpr auto kSettleDelay = std::chrono::milliseconds(50);
constexpr Handover::Clock::duration kSettleEarly = std::chrono::milliseconds(40);
constexpr auto kRetryDelay = std::chrono::seconds(1);
constexpr auto kMaintenanceEvery = std::chrono::seconds(60);

Error Full() {
  return {ErrorCode::kFull,
          "the queue is full (queue.max-bytes); it empties as the broker takes messages and as "
          "undeliverable triggers are delivered again or discarded"};
}

Error Closed() { return {ErrorCode::kStopped, "the queue is closed"}; }

Error StopRequested() { return {ErrorCode::kStopped, "stop requested"}; }

}  // namespace

Handover::Handover(const QueueEnds& ends, std::uint64_t max_bytes, Logger log)
    : max_bytes_(max_bytes), log_(std::move(log)), backlog_(ends) {}

// --- Callers -------------------------------------------------------------------------------------

Status Handover::CheckSize(const PutRequest& request) const {
  if (request.bytes <= static_cast<std::int64_t>(max_bytes_)) return Ok();
  return Error{ErrorCode::kInvalid,
               "the batch is larger than the whole queue may be (queue.max-bytes)"};
}

bool Handover::HasRoom(std::int64_t bytes) const {
  return backlog_.bytes() + put_bytes_ + bytes <= static_cast<std::int64_t>(max_bytes_);
}

// Refuses, and remembers it: a queue that has just refused something and is nearly full counts as
// full.
bool Handover::FindRoom(std::int64_t bytes) {
  if (HasRoom(bytes)) return true;
  if (full_ || HasRoom(Reserve())) return false;
  full_ = true;
  log_.Warn("queue is full: new triggers are refused",
            {{"max_bytes", max_bytes_}, {"undeliverable", backlog_.undeliverable()}});
  return false;
}

void Handover::RecordRoom() {
  if (!full_ || !HasRoom(Reserve())) return;
  full_ = false;
  log_.Info("queue accepts triggers again");
}

std::int64_t Handover::Reserve() const { return static_cast<std::int64_t>(max_bytes_ / 16); }

// True: the writer is to be woken, once mutex_ is free for it.
bool Handover::Enqueue(PutRequest& request) {
  puts_.push_back(&request);
  put_bytes_ += request.bytes;
  return std::exchange(writer_idle_, false);
}

Status Handover::WaitForRoom(std::unique_lock<std::mutex>& lock, const PutRequest& request,
                             const std::stop_token& stop) {
  const auto done = [&] { return closing_ || HasRoom(request.bytes); };
  while (true) {
    if (stop.stop_requested()) return StopRequested();
    if (closing_) return Closed();
    if (FindRoom(request.bytes)) return Ok();
    const auto deadline = request.options.deadline;
    if (deadline && Clock::now() >= *deadline) {
      return Full();
    }
    if (deadline) {
      room_.wait_until(lock, stop, *deadline, done);
    } else {
      room_.wait(lock, stop, done);
    }
  }
}

Status Handover::Put(PutRequest& request, const std::stop_token& stop) {
  if (auto fits = CheckSize(request); !fits) return fits;
  bool wake = false;
  {
    std::unique_lock lock(mutex_);
    if (auto room = WaitForRoom(lock, request, stop); !room) return room;
    wake = Enqueue(request);
  }
  if (wake) writer_wake_.notify_one();
  return Ok();
}

Status Handover::TryPut(std::unique_ptr<SubmittedPut>& request) {
  if (auto fits = CheckSize(*request); !fits) return fits;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return Closed();
    if (!FindRoom(request->bytes)) return Full();
    wake = Enqueue(*request.release());
  }
  if (wake) writer_wake_.notify_one();
  return Ok();
}

Status Handover::WaitToRetry(Clock::time_point until, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  room_.wait_until(lock, stop, until, [&] { return closing_; });
  return stop.stop_requested() ? Status(StopRequested()) : Ok();
}

Status Handover::Change(std::unique_ptr<BulkRequest>& request) {
  const std::lock_guard lock(mutex_);
  request->upto = backlog_.last_seq();
  if (closing_) return Closed();
  changes_.push_back(std::move(request));
  if (writer_idle_) writer_wake_.notify_one();
  return Ok();
}

bool Handover::Close() {
  const std::lock_guard lock(mutex_);
  if (closing_) return false;
  closing_ = true;
  writer_wake_.notify_one();
  room_.notify_all();
  ready_.notify_all();
  return true;
}

Handover::Snapshot Handover::Stats() {
  Snapshot snapshot;
  auto& stats = snapshot.stats;
  const std::lock_guard lock(mutex_);
  stats.depth = backlog_.depth();
  stats.deferred = backlog_.deferred();
  stats.undeliverable = backlog_.undeliverable();
  stats.bytes = static_cast<std::uint64_t>(backlog_.bytes());
  stats.health = health_ && full_ ? Full() : health_;
  stats.history = history_;
  snapshot.oldest_ms = backlog_.oldest_ms();
  snapshot.cursor = backlog_.cursor();
  return snapshot;
}

// --- The consumer --------------------------------------------------------------------------------

Handover::ToRead Handover::Take(std::size_t limit, std::vector<AcceptedTrigger>& taken) {
  const std::lock_guard lock(mutex_);
  if (backlog_.has_redeliveries()) {
    return {ToRead::Where::kRedeliveries, backlog_.redelivery_read(), backlog_.last_redelivery()};
  }
  taken = backlog_.Take(limit);
  if (!taken.empty() || !backlog_.has_rows()) return {};
  return {ToRead::Where::kLog, backlog_.read_seq(), backlog_.last_seq()};
}

std::vector<AcceptedTrigger> Handover::RecordRedeliveries(std::vector<ListedTrigger>&& rows,
                                                          std::int64_t upto) {
  const std::lock_guard lock(mutex_);
  return backlog_.RecordRedeliveries(std::move(rows), upto);
}

std::vector<AcceptedTrigger> Handover::RecordRows(std::vector<QueueRow>&& rows) {
  const std::lock_guard lock(mutex_);
  auto taken = backlog_.RecordRead(std::move(rows));
  if (backlog_.Settle({}, 0, settled_)) RecordSettled();
  return taken;
}

bool Handover::WaitUntilReady(const std::stop_token& stop,
                              std::optional<Clock::time_point> deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return closing_ || backlog_.ready(); };
  const bool go_on =
      deadline ? ready_.wait_until(lock, stop, *deadline, ready) : ready_.wait(lock, stop, ready);
  return go_on && backlog_.ready();
}

bool Handover::WakeWhenReady(Wakeup& wakeup) {
  const std::lock_guard lock(mutex_);
  if (backlog_.ready()) return true;
  wakeup_ = &wakeup;
  return false;
}

void Handover::CancelWakeup() {
  const std::lock_guard lock(mutex_);
  wakeup_ = nullptr;
}

void Handover::RecordSettled() {
  if (!settle_dirty_) {
    settle_dirty_ = true;
    settle_due_ = Clock::now() + kSettleDelay;
    if (writer_idle_) writer_wake_.notify_one();
  }
  RecordRoom();
  room_.notify_all();
}

std::uint64_t Handover::Settle(std::span<const Outcome> outcomes) {
  const auto now_ms = NowMs();
  const std::lock_guard lock(mutex_);
  if (backlog_.Settle(outcomes, now_ms, settled_)) {
    ++settle_calls_;
    RecordSettled();
  }
  return settle_calls_;
}

std::optional<std::int64_t> Handover::DeferredUpto(std::uint64_t settled) {
  const std::lock_guard lock(mutex_);
  if (settle_calls_on_disk_ < settled) return std::nullopt;
  // What lies beyond is taken from the log, if it is not listed then.
  return backlog_.read_seq();
}

void Handover::RecordDeferred(const std::vector<ListedTrigger>& rows) {
  const std::lock_guard lock(mutex_);
  backlog_.RecordDeferred(rows);
}

// --- The writer ----------------------------------------------------------------------------------

Handover::Work Handover::Wait(WriteRound& round, Changes& changes, std::int64_t max_bytes,
                              std::optional<Clock::time_point> trim_at) {
  std::unique_lock lock(mutex_);
  const auto work = WaitForWork(lock, changes, trim_at);
  if (work != Work::kCommit) return work;
  TakePuts(round.puts, max_bytes);
  std::move(changes_.begin(), changes_.end(), std::back_inserter(changes));
  changes_.clear();
  TakeSettled(round, changes);
  return work;
}

Handover::Work Handover::WaitForWork(std::unique_lock<std::mutex>& lock, const Changes& changes,
                                     std::optional<Clock::time_point> trim_at) {
  const auto maintenance = Clock::now() + kMaintenanceEvery;
  while (true) {
    if (!puts_.empty()) return Work::kCommit;
    if (closing_) return settle_dirty_ ? Work::kCommit : Work::kNone;
    if (!changes.empty() || !changes_.empty()) return Work::kCommit;
    const auto now = Clock::now();
    if ((settle_dirty_ && now >= settle_due_) || now >= maintenance) return Work::kCommit;
    if (trim_at && now >= *trim_at) return Work::kTrim;
    auto until = maintenance;
    if (settle_dirty_) until = std::min(until, settle_due_);
    if (trim_at) until = std::min(until, *trim_at);
    writer_idle_ = true;
    writer_wake_.wait_until(lock, until);
    writer_idle_ = false;
  }
}

void Handover::TakePuts(std::vector<PutRequest*>& puts, std::int64_t max_bytes) {
  if (put_bytes_ <= max_bytes) {
    puts.swap(puts_);
    return;
  }
  std::int64_t bytes = 0;
  auto end = puts_.begin();
  while (end != puts_.end() && (end == puts_.begin() || bytes + (*end)->bytes <= max_bytes)) {
    bytes += (*end++)->bytes;
  }
  puts.assign(puts_.begin(), end);
  puts_.erase(puts_.begin(), end);
}

void Handover::TakeSettled(WriteRound& round, const Changes& changes) {
  // With a commit that comes by it is cheap, and what is on disk is not repeated after a crash.
  // What a bulk change finds depends on it.
  const auto due = settle_due_ - (round.puts.empty() ? Clock::duration(0) : kSettleEarly);
  round.settle = settle_dirty_ && (closing_ || !changes.empty() || Clock::now() >= due);
  if (!round.settle) return;
  settle_dirty_ = false;
  round.cursor = backlog_.cursor();
  round.position = backlog_.cursor_position();
  round.settled.swap(settled_);
  round.settle_calls = settle_calls_;
}

void Handover::Finish(WriteRound& round, const Status& outcome, const Status& health,
                      const QueueEnds& ends, const RedeliveryTotals* changed) {
  const std::lock_guard lock(mutex_);
  for (const auto* request : round.puts) put_bytes_ -= request->bytes;
  if (outcome) {
    HandOver(round, ends, changed);
    if (round.settle) settle_calls_on_disk_ = round.settle_calls;
    round.settled.clear();
  } else if (round.settle) {
    settled_.insert(settled_.begin(), std::make_move_iterator(round.settled.begin()),
                    std::make_move_iterator(round.settled.end()));
    round.settled.clear();
    settle_dirty_ = !closing_;
    settle_due_ = Clock::now() + kRetryDelay;
  }
  RecordHealth(health);
  RecordRoom();
  room_.notify_all();
}

void Handover::HandOver(const WriteRound& round, const QueueEnds& ends,
                        const RedeliveryTotals* changed) {
  for (auto* request : round.puts) {
    if (!request->result) continue;
    for (std::size_t i = 0; i < request->rows.size(); ++i) {
      if (!request->known[i]) backlog_.Add(std::move(request->rows[i]));
    }
  }
  backlog_.SetEnd(ends.last_seq, ends.last_position);
  if (changed != nullptr) backlog_.AddRedeliveries(*changed, ends.last_redelivery);
  if (!backlog_.ready()) return;
  ready_.notify_all();
  if (wakeup_ != nullptr) {
    wakeup_->Signal();
    wakeup_ = nullptr;
  }
}

void Handover::RecordHealth(const Status& outcome) {
  if (!outcome && (health_ || health_.error().message != outcome.error().message)) {
    log_.Error("queue cannot write", {{"error", outcome.error()}});
  } else if (outcome && !health_) {
    log_.Info("queue is writable again");
  }
  health_ = outcome;
}

bool Handover::RecordHistory(const Status& outcome) {
  const std::lock_guard lock(mutex_);
  const bool recovered = outcome && !history_;
  history_ = outcome;
  return recovered;
}

void Handover::TakeChanges(Changes& changes) {
  const std::lock_guard lock(mutex_);
  std::move(changes_.begin(), changes_.end(), std::back_inserter(changes));
  changes_.clear();
}

}  // namespace tower
