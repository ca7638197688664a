#include "core/queue/log_table.h"

#include <cstddef>
#include <string_view>

namespace tower {
namespace {

constexpr std::size_t kAppendTogether = 8;

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

}  // namespace

Status LogTable::Prepare(Database& database) {
  const std::string append = AppendSql(1), append_many = AppendSql(kAppendTogether);
  return database.PrepareAll({
      {append_, append},
      {append_many_, append_many},
      {find_body_, "SELECT body FROM triggers WHERE uuid = ?"},
      {position_at_,
       "SELECT position FROM triggers WHERE seq <= ? AND seq > ? ORDER BY seq DESC LIMIT 1"},
      {trim_,
       "DELETE FROM triggers WHERE seq > ? AND seq <= ?"
       " AND seq NOT IN (SELECT seq FROM undeliverable)"
       " AND seq NOT IN (SELECT seq FROM redeliveries)"
       " AND seq NOT IN (SELECT seq FROM deferred)"
       " AND seq NOT IN (SELECT seq FROM discarded)"},
      {drop_, "DELETE FROM triggers WHERE seq = ?"},
  });
}

Status LogTable::ReadEnds(Database& database, QueueEnds& ends) {
  auto last = database.Prepare("SELECT seq, position FROM triggers ORDER BY seq DESC LIMIT 1");
  if (!last) return last.error();
  auto found = last->Step();
  if (!found) return found.error();
  if (*found) {
    ends.last_seq = last->Int(0);
    ends.last_position = last->Int(1);
  }
  return Ok();
}

Result<std::optional<std::string>> LogTable::FindBody(const Uuid& uuid) {
  if (auto stored = Flush(); !stored) return stored.error();
  StatementScope scope(find_body_);
  auto found = find_body_.Bind(Statement::Blob{BytesOf(uuid)}).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<std::string>();
  return std::optional(std::string(find_body_.Bytes(0)));
}

Status LogTable::Append(QueueRow& row) {
  auto& trigger = row.trigger;
  auto source = sources_.IdOf(trigger.source);
  if (!source) return source.error();
  trigger.seq = ends_.last_seq + 1;
  row.position = ends_.last_position + SizeOf(trigger);
  ends_.last_seq = trigger.seq;
  ends_.last_position = row.position;
  appended_.emplace_back(&row, *source);
  return appended_.size() < kAppendTogether ? Ok() : Flush();
}

Status LogTable::Flush() {
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
    for (const auto& [row, source] : appended_) next = bind(append_many_, next, *row, source);
    stored = append_many_.Run();
  } else {
    for (const auto& [row, source] : appended_) {
      if (!stored) break;
      bind(append_, 1, *row, source);
      stored = append_.Run();
    }
  }
  appended_.clear();
  return stored;
}

Result<std::optional<std::int64_t>> LogTable::PositionAt(std::int64_t after, std::int64_t upto) {
  StatementScope scope(position_at_);
  auto found = position_at_.Bind(upto, after).Step();
  if (!found) return found.error();
  return *found ? std::optional(position_at_.Int(0)) : std::nullopt;
}

}  // namespace tower
