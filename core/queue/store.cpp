#include "core/queue/store.h"

#include <algorithm>
#include <iterator>

namespace tower {
namespace {

// Bytes that a row costs beyond its own: row header, integers, its entry in the index by uuid, and
// pages not quite full.
constexpr std::int64_t kRowOverhead = 256;
constexpr std::size_t kAppendTogether = 8;
constexpr std::int64_t kSettlementEveryMs = 1000;

std::string_view BytesOf(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes().data()), uuid.bytes().size()};
}

// Many rows at once: the statement's cursors stay where the last row went, which is where the next
// one goes. OR FAIL, since an error ends the whole transaction: undoing the statement alone would
// cost a copy of every page that it changes.
std::string AppendSql(std::size_t rows) {
  std::string sql = "INSERT OR FAIL INTO triggers VALUES ";
  for (std::size_t i = 0; i < rows; ++i) {
    sql += i == 0 ? "" : ", ";
    sql += "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  }
  return sql;
}

// Triggers that may be delivered again or discarded, with the lists that they are on. Their bytes
// are what SizeOf counts.
std::string CandidateSql(const std::string& from, const std::string& where) {
  return "SELECT t.seq, " + std::to_string(kRowOverhead) +
         " + length(t.body) + length(t.api_version) + length(t.protocol) + length(t.traceparent)"
         " + length(t.tracestate) + length(t.client), t.accepted_ms, t.api_version, t.protocol,"
         " s.name, coalesce(r.seq, w.seq), u.seq, d.seq FROM " +
         from +
         " JOIN sources s ON s.id = t.source LEFT JOIN redeliveries r ON r.seq = t.seq"
         " LEFT JOIN deferred w ON w.seq = t.seq LEFT JOIN undeliverable u ON u.seq = t.seq"
         " LEFT JOIN discarded d ON d.seq = t.seq WHERE " +
         where;
}

std::string CandidatesOf(const std::string& list) {
  return CandidateSql(list + " l CROSS JOIN triggers t ON t.seq = l.seq",
                      "l.seq > ? AND l.seq <= ? ORDER BY l.seq LIMIT ?");
}

}  // namespace

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t SizeOf(const AcceptedTrigger& trigger) noexcept {
  return static_cast<std::int64_t>(trigger.body.size() + trigger.api_version.size() +
                                   trigger.protocol.size() + trigger.traceparent.size() +
                                   trigger.tracestate.size() + trigger.client.size()) +
         kRowOverhead;
}

Status QueueStore::Prepare() {
  const std::string candidates =
      CandidateSql("triggers t", "t.seq > ? AND t.seq <= ? ORDER BY t.seq LIMIT ?");
  const std::string candidate = CandidateSql("triggers t", "t.uuid = ?");
  const std::string listed = CandidatesOf("undeliverable"), discarded = CandidatesOf("discarded");
  const std::string append = AppendSql(1), append_many = AppendSql(kAppendTogether);
  struct {
    Statement* statement;
    std::string_view sql;
  } const all[] = {
      {&sql_.begin, "BEGIN IMMEDIATE"},
      {&sql_.commit, "COMMIT"},
      {&sql_.rollback, "ROLLBACK"},
      {&sql_.find_key, "SELECT fingerprint, uuids FROM keys WHERE source = ? AND key = ?"},
      {&sql_.find_body, "SELECT body FROM triggers WHERE uuid = ?"},
      {&sql_.find_source, "SELECT id FROM sources WHERE name = ?"},
      {&sql_.add_source, "INSERT INTO sources(name) VALUES (?) RETURNING id"},
      {&sql_.append, append},
      {&sql_.append_many, append_many},
      {&sql_.add_key, "INSERT INTO keys VALUES (?, ?, ?, ?, ?)"},
      {&sql_.set_checkpoint, "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)"},
      {&sql_.forget_checkpoint, "DELETE FROM checkpoints WHERE source = ? AND key = ?"},
      {&sql_.move_cursor, "UPDATE state SET cursor = ?, cursor_position = ?"},
      {&sql_.add_settlement, "INSERT OR REPLACE INTO settlements VALUES (?, ?)"},
      {&sql_.drop_settlement, "DELETE FROM settlements WHERE seq = ?"},
      {&sql_.add_undeliverable, "INSERT OR REPLACE INTO undeliverable VALUES (?, ?, ?, ?)"},
      {&sql_.oldest_settlement, "SELECT seq, at_ms FROM settlements ORDER BY seq LIMIT 1"},
      {&sql_.position_at,
       "SELECT position FROM triggers WHERE seq <= ? AND seq > ? ORDER BY seq DESC LIMIT 1"},
      {&sql_.trim,
       "DELETE FROM triggers WHERE seq > ? AND seq <= ?"
       " AND seq NOT IN (SELECT seq FROM undeliverable)"
       " AND seq NOT IN (SELECT seq FROM redeliveries)"
       " AND seq NOT IN (SELECT seq FROM deferred)"
       " AND seq NOT IN (SELECT seq FROM discarded)"},
      {&sql_.trim_settlements, "DELETE FROM settlements WHERE seq <= ?"},
      {&sql_.trim_keys, "DELETE FROM keys WHERE seq <= ?"},
      {&sql_.move_trimmed, "UPDATE state SET trimmed = ?, trimmed_position = ?"},
      {&sql_.candidates, candidates},
      {&sql_.listed_candidates, listed},
      {&sql_.discarded_candidates, discarded},
      {&sql_.find_candidate, candidate},
      {&sql_.add_redelivery, "INSERT INTO redeliveries VALUES (?, ?, ?)"},
      {&sql_.drop_listed, "DELETE FROM undeliverable WHERE seq = ?"},
      {&sql_.end_redelivery, "DELETE FROM redeliveries WHERE seq = ?"},
      {&sql_.drop_trigger, "DELETE FROM triggers WHERE seq = ?"},
      {&sql_.add_discarded,
       "INSERT INTO discarded SELECT ?, seq, reason, ?, ?, bytes FROM undeliverable WHERE seq = ?"},
      {&sql_.oldest_discarded,
       "SELECT number, seq, at_ms, bytes FROM discarded ORDER BY number LIMIT ?"},
      {&sql_.drop_discarded, "DELETE FROM discarded WHERE seq = ?"},
      {&sql_.add_deferred, "INSERT OR REPLACE INTO deferred VALUES (?, ?, ?)"},
      {&sql_.end_deferred, "DELETE FROM deferred WHERE seq = ?"},
  };
  for (const auto& [statement, sql] : all) {
    const bool outside = statement == &sql_.begin || statement == &sql_.rollback;
    auto prepared = shared_->database.Prepare(
        sql, outside ? Database::Within::kAny : Database::Within::kTransaction);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return Ok();
}

Status QueueStore::Reopen() {
  const QueueEnds before = ends_;
  sql_ = Statements();
  // Unchecked: what can't be read of history must not stand in the way of what is new.
  if (auto opened = OpenDatabase(Check::kNone); !opened) return opened;
  if (ends_.last_seq < before.last_seq || ends_.cursor < before.cursor) {
    ends_ = before;
    return Error{ErrorCode::kPermanent,
                 "it lacks what was stored a moment ago: it was replaced while in use"};
  }
  reopen_ = false;
  return Ok();
}

// After an I/O error only the file itself knows what is in it. In memory there is nothing else.
void QueueStore::ReopenAfter(const Error& error) {
  if (lock_ && error.code != ErrorCode::kFull) reopen_ = true;
}

Status QueueStore::Begin() {
  if (reopen_) {
    if (auto opened = Reopen(); !opened) return opened;
  }
  if (fold_first_) {
    if (auto folded = FoldLog(); !folded) return folded;
  }
  transaction_ = std::unique_lock(shared_->mutex);
  pending_ = ends_;
  auto begun = sql_.begin.Run();
  if (!begun) {
    transaction_.unlock();
    ReopenAfter(begun.error());
  }
  return begun;
}

Status QueueStore::Commit() {
  auto committed = StoreAppended();
  if (committed && store_repair_) {
    committed = sql_.move_trimmed.Run(pending_.trimmed, pending_.trimmed_position);
  }
  if (committed) committed = sql_.commit.Run();
  if (committed) {
    store_repair_ = false;
    ends_ = pending_;
    transaction_.unlock();
    return Ok();
  }
  ReopenAfter(committed.error());
  Rollback();
  return committed;
}

void QueueStore::Rollback() {
  if (shared_->database.in_transaction()) {
    if (auto undone = sql_.rollback.Run(); !undone) ReopenAfter(undone.error());
  }
  appended_.clear();
  source_ids_.clear();
  settlement_seq_ = -1;
  if (transaction_.owns_lock()) transaction_.unlock();
}

Result<std::int64_t> QueueStore::SourceId(std::string_view source) {
  if (auto known = source_ids_.find(source); known != source_ids_.end()) return known->second;
  std::int64_t id = 0;
  {
    StatementScope scope(sql_.find_source);
    auto found = sql_.find_source.Bind(source).Step();
    if (!found) return found.error();
    if (*found) id = sql_.find_source.Int(0);
  }
  if (id == 0) {
    StatementScope scope(sql_.add_source);
    auto added = sql_.add_source.Bind(source).Step();
    if (!added) return added.error();
    id = sql_.add_source.Int(0);
  }
  source_ids_.emplace(source, id);
  return id;
}

Result<std::optional<QueueStore::KnownKey>> QueueStore::FindKey(std::string_view source,
                                                                std::string_view key) {
  auto id = SourceId(source);
  if (!id) return id.error();
  StatementScope scope(sql_.find_key);
  auto found = sql_.find_key.Bind(*id, key).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<KnownKey>();
  KnownKey known{std::string(sql_.find_key.Bytes(0)), {}};
  const auto bytes = sql_.find_key.Bytes(1);
  for (std::size_t at = 0; at + 16 <= bytes.size(); at += 16) {
    std::array<std::uint8_t, 16> uuid{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, uuid.begin());
    known.uuids.emplace_back(uuid);
  }
  return std::optional(std::move(known));
}

Result<std::optional<std::string>> QueueStore::FindBody(const Uuid& uuid) {
  if (auto stored = StoreAppended(); !stored) return stored.error();
  StatementScope scope(sql_.find_body);
  auto found = sql_.find_body.Bind(Statement::Blob{BytesOf(uuid)}).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<std::string>();
  return std::optional(std::string(sql_.find_body.Bytes(0)));
}

Status QueueStore::Append(QueueRow& row) {
  auto& trigger = row.trigger;
  auto source = SourceId(trigger.source);
  if (!source) return source.error();
  trigger.seq = pending_.last_seq + 1;
  row.position = pending_.last_position + SizeOf(trigger);
  pending_.last_seq = trigger.seq;
  pending_.last_position = row.position;
  appended_.emplace_back(&row, *source);
  return appended_.size() < kAppendTogether ? Ok() : StoreAppended();
}

Status QueueStore::StoreAppended() {
  const auto bind = [](Statement& statement, int index, const QueueRow& row, std::int64_t source) {
    const auto& trigger = row.trigger;
    return statement.BindFrom(
        index, trigger.seq, Statement::Blob{BytesOf(trigger.uuid)}, source,
        static_cast<std::int64_t>(trigger.accepted_at.time_since_epoch().count()), row.position,
        std::string_view(trigger.api_version), std::string_view(trigger.protocol),
        std::string_view(trigger.traceparent), std::string_view(trigger.tracestate),
        std::string_view(trigger.client), Statement::Blob{trigger.body});
  };
  Status stored = Ok();
  if (appended_.size() == kAppendTogether) {
    int next = 1;
    for (const auto& [row, source] : appended_) next = bind(sql_.append_many, next, *row, source);
    stored = sql_.append_many.Run();
  } else {
    for (const auto& [row, source] : appended_) {
      if (!stored) break;
      bind(sql_.append, 1, *row, source);
      stored = sql_.append.Run();
    }
  }
  appended_.clear();
  return stored;
}

Status QueueStore::AddKey(std::string_view source, std::string_view key,
                          std::string_view fingerprint, const std::vector<Uuid>& uuids) {
  auto id = SourceId(source);
  if (!id) return id.error();
  std::string bytes;
  bytes.reserve(uuids.size() * 16);
  for (const auto& uuid : uuids) bytes += BytesOf(uuid);
  return sql_.add_key.Run(*id, key, Statement::Blob{fingerprint}, Statement::Blob{bytes},
                          pending_.last_seq);
}

Status QueueStore::ChangeCheckpoint(std::string_view source, const CheckpointChange& change) {
  auto id = SourceId(source);
  if (!id) return id.error();
  if (!change.value) return sql_.forget_checkpoint.Run(*id, std::string_view(change.key));
  return sql_.set_checkpoint.Run(*id, std::string_view(change.key), Statement::Blob{*change.value});
}

Status QueueStore::MoveCursor(std::int64_t seq, std::int64_t position, std::int64_t now_ms) {
  if (auto moved = sql_.move_cursor.Run(seq, position); !moved) return moved;
  pending_.cursor = seq;
  pending_.cursor_position = position;
  const bool same_row = settlement_seq_ >= 0 && now_ms - settlement_ms_ < kSettlementEveryMs;
  if (same_row) {
    if (auto dropped = sql_.drop_settlement.Run(settlement_seq_); !dropped) return dropped;
  } else {
    settlement_ms_ = now_ms;
  }
  settlement_seq_ = seq;
  return sql_.add_settlement.Run(seq, now_ms);
}

Status QueueStore::Settle(const SettledTrigger& settled) {
  const auto seq = settled.seq, bytes = settled.bytes;
  if (settled.from == Listing::kRedelivery) {
    if (auto ended = sql_.end_redelivery.Run(seq); !ended) return ended;
    pending_.redeliveries -= 1;
    pending_.redelivery_bytes -= bytes;
  } else if (settled.from == Listing::kDeferred) {
    if (auto ended = sql_.end_deferred.Run(seq); !ended) return ended;
    pending_.deferred -= 1;
    pending_.deferred_bytes -= bytes;
  }
  const std::string_view reason = settled.reason;
  switch (settled.fate) {
    case Fate::kPublished:
      // What trimming has passed by meanwhile, it does not come back to.
      return seq <= pending_.trimmed ? sql_.drop_trigger.Run(seq) : Ok();
    case Fate::kUndeliverable:
      pending_.undeliverable += 1;
      pending_.undeliverable_bytes += bytes;
      return sql_.add_undeliverable.Run(seq, reason, settled.at_ms, bytes);
    case Fate::kDeferred:
      pending_.deferred += 1;
      pending_.deferred_bytes += bytes;
      return sql_.add_deferred.Run(seq, reason, bytes);
  }
  return Ok();
}

Result<bool> QueueStore::Trim(const HistoryLimits& limits) {
  const bool all = KeptBytes(pending_) > limits.max_bytes;
  auto more = TrimLog(limits, all);
  if (!more) return more;
  auto more_discarded = TrimDiscarded(limits, all);
  if (!more_discarded) return more_discarded;
  return *more || *more_discarded;
}

Result<bool> QueueStore::TrimLog(const HistoryLimits& limits, bool all) {
  std::int64_t target = all ? pending_.cursor : pending_.cursor - limits.max_triggers;
  if (target < pending_.cursor) {
    StatementScope scope(sql_.oldest_settlement);
    auto found = sql_.oldest_settlement.Step();
    if (!found) return found.error();
    if (*found && sql_.oldest_settlement.Int(1) < limits.settled_before_ms) {
      target = std::max(target, sql_.oldest_settlement.Int(0));
    }
  }
  // The newest row always stays: it is where the next seq and position come from.
  target = std::min({target, pending_.cursor, pending_.last_seq - 1});
  const bool more = target > pending_.trimmed + kTrimStep;
  target = std::min(target, pending_.trimmed + kTrimStep);
  if (target <= pending_.trimmed) return false;
  std::int64_t position = pending_.trimmed_position;
  {
    StatementScope scope(sql_.position_at);
    auto found = sql_.position_at.Bind(target, pending_.trimmed).Step();
    if (!found) return found.error();
    if (*found) position = sql_.position_at.Int(0);
  }
  if (auto trimmed = sql_.trim.Run(pending_.trimmed, target); !trimmed) return trimmed.error();
  if (auto trimmed = sql_.trim_settlements.Run(target); !trimmed) return trimmed.error();
  if (auto trimmed = sql_.trim_keys.Run(target); !trimmed) return trimmed.error();
  if (auto moved = sql_.move_trimmed.Run(target, position); !moved) return moved.error();
  pending_.trimmed = target;
  pending_.trimmed_position = position;
  return more;
}

// Oldest first. Only those that the log's trimming has passed: a row in the middle of the log
// stays, since the consumer counts on it.
Result<bool> QueueStore::TrimDiscarded(const HistoryLimits& limits, bool all) {
  if (pending_.discarded == 0) return false;
  std::vector<std::pair<std::int64_t, std::int64_t>> due;  // seq, bytes
  {
    StatementScope scope(sql_.oldest_discarded);
    sql_.oldest_discarded.Bind(kTrimStep);
    while (true) {
      auto found = sql_.oldest_discarded.Step();
      if (!found) return found.error();
      if (!*found) break;
      const auto seq = sql_.oldest_discarded.Int(1);
      const bool past =
          all || sql_.oldest_discarded.Int(2) < limits.settled_before_ms ||
          sql_.oldest_discarded.Int(0) <= pending_.last_discarded - limits.max_triggers;
      if (!past || seq > pending_.trimmed) break;
      due.emplace_back(seq, sql_.oldest_discarded.Int(3));
    }
  }
  for (const auto& [seq, bytes] : due) {
    if (auto dropped = sql_.drop_discarded.Run(seq); !dropped) return dropped.error();
    if (auto dropped = sql_.drop_trigger.Run(seq); !dropped) return dropped.error();
    pending_.discarded -= 1;
    pending_.discarded_bytes -= bytes;
  }
  return due.size() == static_cast<std::size_t>(kTrimStep);
}

}  // namespace tower
