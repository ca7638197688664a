#include "core/queue/reader.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/queue/file.h"

namespace tower {
namespace {

std::chrono::sys_time<std::chrono::milliseconds> TimeOf(std::int64_t ms) {
  return std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(ms));
}

// The columns of a trigger, from `seq` on, as Rows and Find select them.
constexpr std::string_view kColumns =
    "t.seq, t.uuid, t.source, t.accepted_ms, t.position, t.api_version, t.protocol, t.traceparent,"
    " t.tracestate, t.client, t.body";

constexpr std::int64_t kListScan = 4096;
constexpr std::size_t kReserve = 1024;

}  // namespace

Result<std::unique_ptr<QueueReader>> QueueReader::Open(const std::string& path,
                                                       std::shared_ptr<SharedDatabase> writer) {
  auto shared = std::move(writer);
  if (path != ":memory:") {
    auto opened = Database::Open(path, Database::Access::kReadOnly);
    if (!opened) return ExplainQueueError(path, opened.error());
    shared = std::make_shared<SharedDatabase>(std::move(*opened));
  }
  std::unique_ptr<QueueReader> reader(new QueueReader(std::move(shared)));
  if (auto prepared = reader->Prepare(); !prepared) {
    return ExplainQueueError(path, prepared.error());
  }
  return reader;
}

Status QueueReader::Prepare() {
  const std::string columns(kColumns);
  const auto among = [&columns](const std::string& list) {
    return "SELECT " + columns + " FROM " + list +
           " l CROSS JOIN triggers t ON t.seq = l.seq WHERE l.seq < ? ORDER BY l.seq DESC LIMIT ?";
  };
  const struct {
    Statement* statement;
    std::string sql;
  } all[] = {
      {&rows_, "SELECT " + columns +
                   " FROM triggers t"
                   " WHERE t.seq > ? AND t.seq <= ? ORDER BY t.seq LIMIT ?"},
      {&listed_,
       "SELECT seq, 1 FROM undeliverable WHERE seq BETWEEN ?1 AND ?2"
       " UNION ALL SELECT seq, 2 FROM redeliveries WHERE seq BETWEEN ?1 AND ?2"
       " UNION ALL SELECT seq, 3 FROM deferred WHERE seq BETWEEN ?1 AND ?2"
       " UNION ALL SELECT seq, 4 FROM discarded WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq"},
      {&redeliveries_, "SELECT " + columns +
                           ", r.number, r.bytes FROM redeliveries r"
                           " JOIN triggers t ON t.seq = r.seq"
                           " WHERE r.number > ? AND r.number <= ? ORDER BY r.number LIMIT ?"},
      {&deferred_, "SELECT " + columns +
                       ", d.seq, d.bytes FROM deferred d JOIN triggers t ON t.seq = d.seq"
                       " WHERE d.routing_key = ? AND d.seq > ? AND d.seq <= ?"
                       " ORDER BY d.seq LIMIT ?"},
      {&deferred_keys_, "SELECT routing_key, count(*) FROM deferred GROUP BY routing_key"},
      {&oldest_deferred_,
       "SELECT t.accepted_ms FROM deferred d JOIN triggers t ON t.seq = d.seq"
       " ORDER BY d.seq LIMIT 1"},
      {&list_, "SELECT " + columns +
                   " FROM triggers t"
                   " WHERE t.seq < ? ORDER BY t.seq DESC LIMIT ?"},
      {&list_listed_, among("undeliverable")},
      {&list_discarded_, among("discarded")},
      {&source_, "SELECT name FROM sources WHERE id = ?"},
      {&queued_again_,
       "SELECT 1 FROM redeliveries WHERE seq = ?1 UNION ALL SELECT 1 FROM deferred WHERE seq = ?1"},
      {&find_, "SELECT " + columns + " FROM triggers t WHERE t.uuid = ?"},
      {&cursor_, "SELECT cursor FROM state"},
      {&undeliverable_, "SELECT reason, at_ms FROM undeliverable WHERE seq = ?"},
      {&discarded_, "SELECT reason, at_ms, who FROM discarded WHERE seq = ?"},
      {&settled_, "SELECT at_ms FROM settlements WHERE seq >= ? ORDER BY seq LIMIT 1"},
      {&checkpoint_,
       "SELECT c.value FROM checkpoints c JOIN sources s ON s.id = c.source"
       " WHERE s.name = ? AND c.key = ?"},
      {&checkpoints_,
       "SELECT c.key, c.value FROM checkpoints c JOIN sources s ON s.id = c.source"
       " WHERE s.name = ? ORDER BY c.key"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = shared_->database.Prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return Ok();
}

Result<std::vector<QueueRow>> QueueReader::Rows(std::int64_t after, std::int64_t upto,
                                                std::size_t limit, std::size_t max_bytes) {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(rows_);
  rows_.Bind(after, upto, static_cast<std::int64_t>(limit));
  std::vector<QueueRow> rows;
  rows.reserve(std::min(limit, kReserve));
  std::size_t bytes = 0;
  while (bytes < max_bytes) {
    auto found = rows_.Step();
    if (!found) return found.error();
    if (!*found) break;
    if (auto read = ReadRow(rows_, rows.emplace_back()); !read) return read.error();
    bytes += rows.back().trigger.body.size();
  }
  if (auto marked = MarkListed(rows); !marked) return marked.error();
  return rows;
}

Status QueueReader::ReadRow(const Statement& row, QueueRow& read) {
  read.position = row.Int(4);
  return ReadTrigger(row, read.trigger);
}

Status QueueReader::ReadTrigger(const Statement& row, AcceptedTrigger& trigger) {
  trigger.seq = row.Int(0);
  std::array<std::uint8_t, 16> uuid{};
  const auto bytes = row.Bytes(1);
  std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), 16), uuid.begin());
  trigger.uuid = Uuid(uuid);
  auto source = SourceName(row.Int(2));
  if (!source) return source.error();
  trigger.source = *source;
  trigger.accepted_at = TimeOf(row.Int(3));
  trigger.api_version = row.Bytes(5);
  trigger.protocol = row.Bytes(6);
  trigger.traceparent = row.Bytes(7);
  trigger.tracestate = row.Bytes(8);
  trigger.client = row.Bytes(9);
  trigger.body = row.Bytes(10);
  return Ok();
}

Result<std::string_view> QueueReader::SourceName(std::int64_t id) {
  const auto known = sources_.find(id);
  if (known != sources_.end()) return std::string_view(known->second);
  StatementScope scope(source_);
  auto found = source_.Bind(id).Step();
  if (!found) return found.error();
  if (!*found) return Error{ErrorCode::kPermanent, "a source is missing"};
  return std::string_view(sources_.emplace(id, source_.Bytes(0)).first->second);
}

// Few are, so that looking each row up would cost more than one look at them all. That it is
// another statement does no harm: what is ahead of the consumer is listed, or not, since before it
// was taken.
Status QueueReader::MarkListed(std::vector<QueueRow>& rows) {
  if (rows.empty()) return Ok();
  StatementScope scope(listed_);
  listed_.Bind(rows.front().trigger.seq, rows.back().trigger.seq);
  auto row = rows.begin();
  while (true) {
    auto found = listed_.Step();
    if (!found) return found.error();
    if (!*found) return Ok();
    const auto seq = listed_.Int(0);
    row = std::find_if(row, rows.end(),
                       [seq](const QueueRow& each) { return each.trigger.seq >= seq; });
    if (row != rows.end() && row->trigger.seq == seq) {
      row->listing = static_cast<Listing>(listed_.Int(1));
    }
  }
}

Result<TriggerRecord> QueueReader::Find(const Uuid& uuid) {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(find_);
  auto found = find_.Bind(Statement::Blob{BytesOf(uuid)}).Step();
  if (!found) return found.error();
  if (!*found) {
    return Error{ErrorCode::kNotFound, "no trigger " + uuid.ToString() + " is kept here"};
  }
  TriggerRecord record;
  if (auto read = ReadTrigger(find_, record.trigger); !read) return read.error();
  // Within the same read transaction, since find_ is not yet reset.
  if (auto filled = FillState(record); !filled) return filled.error();
  return record;
}

Result<std::vector<ListedTrigger>> QueueReader::Redeliveries(std::int64_t after, std::int64_t upto,
                                                             std::size_t limit,
                                                             std::size_t max_bytes) {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(redeliveries_);
  redeliveries_.Bind(after, upto, static_cast<std::int64_t>(limit));
  return ReadAll(redeliveries_, max_bytes);
}

Result<std::vector<DeferredKey>> QueueReader::DeferredKeys() {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(deferred_keys_);
  std::vector<DeferredKey> keys;
  while (true) {
    auto found = deferred_keys_.Step();
    if (!found) return found.error();
    if (!*found) return keys;
    keys.push_back({std::string(deferred_keys_.Bytes(0)), deferred_keys_.Int(1)});
  }
}

Result<std::vector<ListedTrigger>> QueueReader::Deferred(std::string_view routing_key,
                                                         std::int64_t after, std::int64_t upto,
                                                         std::size_t limit, std::size_t max_bytes) {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(deferred_);
  deferred_.Bind(routing_key, after, upto, static_cast<std::int64_t>(limit));
  return ReadAll(deferred_, max_bytes);
}

Result<std::int64_t> QueueReader::OldestDeferredMs() {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(oldest_deferred_);
  auto found = oldest_deferred_.Step();
  if (!found) return found.error();
  return *found ? oldest_deferred_.Int(0) : 0;
}

Result<std::vector<ListedTrigger>> QueueReader::ReadAll(Statement& statement,
                                                        std::size_t max_bytes) {
  std::vector<ListedTrigger> rows;
  std::size_t bytes = 0;
  while (bytes < max_bytes) {
    auto found = statement.Step();
    if (!found) return found.error();
    if (!*found) break;
    auto& row = rows.emplace_back();
    row.number = statement.Int(11);
    row.bytes = statement.Int(12);
    if (auto read = ReadTrigger(statement, row.trigger); !read) return read.error();
    bytes += rows.back().trigger.body.size();
  }
  return rows;
}

Result<TriggerPage> QueueReader::List(const TriggerFilter& filter, std::size_t limit,
                                      std::int64_t before) {
  const std::lock_guard lock(shared_->mutex);
  auto& list = filter.state == TriggerState::kUndeliverable ? list_listed_
               : filter.state == TriggerState::kDiscarded   ? list_discarded_
                                                            : list_;
  StatementScope scope(list);
  list.Bind(before > 0 ? before : std::numeric_limits<std::int64_t>::max(), kListScan + 1);
  TriggerPage page;
  std::int64_t last = 0;
  for (std::int64_t scanned = 0;; ++scanned) {
    auto found = list.Step();
    if (!found) return found.error();
    if (!*found) return page;
    if (scanned == kListScan || page.records.size() == limit) {
      page.next = last;  // there is more
      return page;
    }
    last = list.Int(0);
    auto source = SourceName(list.Int(2));
    if (!source) return source.error();
    if (!Fits({list.Bytes(5), list.Bytes(6), *source, list.Int(3)}, filter)) continue;
    TriggerRecord record;
    if (auto read = ReadTrigger(list, record.trigger); !read) return read.error();
    if (auto filled = FillState(record); !filled) return filled.error();
    if (!filter.state || record.state == *filter.state) page.records.push_back(std::move(record));
  }
}

Status QueueReader::FillState(TriggerRecord& record) {
  const std::int64_t seq = record.trigger.seq;
  StatementScope again_scope(queued_again_);
  auto again = queued_again_.Bind(seq).Step();
  if (!again) return again.error();
  if (*again) return Ok();
  StatementScope listed_scope(undeliverable_);
  auto listed = undeliverable_.Bind(seq).Step();
  if (!listed) return listed.error();
  if (*listed) {
    record.state = TriggerState::kUndeliverable;
    record.reason = undeliverable_.Bytes(0);
    record.settled_at = TimeOf(undeliverable_.Int(1));
    return Ok();
  }
  StatementScope discarded_scope(discarded_);
  auto discarded = discarded_.Bind(seq).Step();
  if (!discarded) return discarded.error();
  if (*discarded) {
    record.state = TriggerState::kDiscarded;
    record.reason = discarded_.Bytes(0);
    record.settled_at = TimeOf(discarded_.Int(1));
    record.discarded_by = discarded_.Bytes(2);
    return Ok();
  }
  StatementScope cursor_scope(cursor_);
  auto cursor = cursor_.Step();
  if (!cursor) return cursor.error();
  if (!*cursor || cursor_.Int(0) < seq) return Ok();
  record.state = TriggerState::kPublished;
  StatementScope settled_scope(settled_);
  auto settled = settled_.Bind(seq).Step();
  if (!settled) return settled.error();
  if (*settled) record.settled_at = TimeOf(settled_.Int(0));
  return Ok();
}

Result<std::optional<std::string>> QueueReader::Checkpoint(std::string_view source,
                                                           std::string_view key) {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(checkpoint_);
  auto found = checkpoint_.Bind(source, key).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<std::string>();
  return std::optional(std::string(checkpoint_.Bytes(0)));
}

Result<std::vector<std::pair<std::string, std::string>>> QueueReader::Checkpoints(
    std::string_view source) {
  const std::lock_guard lock(shared_->mutex);
  StatementScope scope(checkpoints_);
  checkpoints_.Bind(source);
  std::vector<std::pair<std::string, std::string>> all;
  while (true) {
    auto found = checkpoints_.Step();
    if (!found) return found.error();
    if (!*found) return all;
    all.emplace_back(checkpoints_.Bytes(0), checkpoints_.Bytes(1));
  }
}

}  // namespace tower
