#include "core/queue/history.h"

#include <algorithm>

namespace tower {
namespace {

constexpr std::int64_t kSettlementEveryMs = 1000;

}  // namespace

Status History::Prepare(Database& database) {
  return database.PrepareAll({
      {move_cursor_, "UPDATE state SET cursor = ?, cursor_position = ?"},
      {move_trimmed_, "UPDATE state SET trimmed = ?, trimmed_position = ?"},
      {add_settlement_, "INSERT OR REPLACE INTO settlements VALUES (?, ?)"},
      {drop_settlement_, "DELETE FROM settlements WHERE seq = ?"},
      {oldest_settlement_, "SELECT seq, at_ms FROM settlements ORDER BY seq LIMIT 1"},
      {trim_settlements_, "DELETE FROM settlements WHERE seq <= ?"},
  });
}

Status History::ReadEnds(Database& database, QueueEnds& ends) {
  auto state =
      database.Prepare("SELECT cursor, cursor_position, trimmed, trimmed_position FROM state");
  if (!state) return state.error();
  auto found = state->Step();
  if (!found) return found.error();
  if (!*found) return Error{ErrorCode::kPermanent, "the queue's state is missing"};
  ends.cursor = state->Int(0);
  ends.cursor_position = state->Int(1);
  ends.trimmed = state->Int(2);
  ends.trimmed_position = state->Int(3);
  return Ok();
}

// A control-tower of old could store how far it had trimmed, on a full disk, though the rest of
// that transaction was undone: cursor and triggers are as before. The log begins where its first
// trigger is, unless there is a gap behind the cursor: then more is wrong.
Result<std::string> History::Repair(Database& database, QueueEnds& ends) {
  auto first = database.Prepare(
      "SELECT seq, position FROM triggers WHERE seq NOT IN (SELECT seq FROM undeliverable)"
      " AND seq NOT IN (SELECT seq FROM redeliveries) AND seq NOT IN (SELECT seq FROM deferred)"
      " AND seq NOT IN (SELECT seq FROM discarded)"
      " ORDER BY seq LIMIT 1");
  if (!first) return first.error();
  auto found = first->Step();
  if (!found) return found.error();
  if (!*found || first->Int(0) - 1 > ends.cursor) return std::string();
  auto repaired = "history was marked as trimmed up to trigger " + std::to_string(ends.trimmed) +
                  ", though the cursor is at " + std::to_string(ends.cursor);
  ends.trimmed = first->Int(0) - 1;
  ends.trimmed_position = std::min(ends.cursor_position, first->Int(1));
  return repaired;
}

Status History::MoveCursor(std::int64_t seq, std::int64_t position, std::int64_t now_ms) {
  if (auto moved = move_cursor_.Run(seq, position); !moved) return moved;
  ends_.cursor = seq;
  ends_.cursor_position = position;
  const bool same_row = settlement_seq_ >= 0 && now_ms - settlement_ms_ < kSettlementEveryMs;
  if (same_row) {
    if (auto dropped = drop_settlement_.Run(settlement_seq_); !dropped) return dropped;
  } else {
    settlement_ms_ = now_ms;
  }
  settlement_seq_ = seq;
  return add_settlement_.Run(seq, now_ms);
}

Result<bool> History::Trim(const Limits& limits) {
  const bool all = ends_.kept_bytes() > limits.max_bytes;
  auto more = TrimLog(limits, all);
  if (!more) return more;
  auto more_discarded =
      lists_.TrimDiscarded(all, limits.settled_before_ms, limits.max_triggers, kTrimStep);
  if (!more_discarded) return more_discarded;
  return *more || *more_discarded;
}

Result<bool> History::TrimLog(const Limits& limits, bool all) {
  std::int64_t target = all ? ends_.cursor : ends_.cursor - limits.max_triggers;
  if (target < ends_.cursor) {
    StatementScope scope(oldest_settlement_);
    auto found = oldest_settlement_.Step();
    if (!found) return found.error();
    if (*found && oldest_settlement_.Int(1) < limits.settled_before_ms) {
      target = std::max(target, oldest_settlement_.Int(0));
    }
  }
  // The newest row always stays: it is where the next seq and position come from.
  target = std::min({target, ends_.cursor, ends_.last_seq - 1});
  const bool more = target > ends_.trimmed + kTrimStep;
  target = std::min(target, ends_.trimmed + kTrimStep);
  if (target <= ends_.trimmed) return false;
  const auto found = log_.PositionAt(ends_.trimmed, target);
  if (!found) return found.error();
  const auto position = found->value_or(ends_.trimmed_position);
  if (auto trimmed = log_.Trim(ends_.trimmed, target); !trimmed) return trimmed.error();
  if (auto trimmed = trim_settlements_.Run(target); !trimmed) return trimmed.error();
  if (auto trimmed = keys_.Trim(target); !trimmed) return trimmed.error();
  if (auto moved = move_trimmed_.Run(target, position); !moved) return moved.error();
  ends_.trimmed = target;
  ends_.trimmed_position = position;
  return more;
}

}  // namespace tower
