#include "core/queue/lists.h"

#include <algorithm>
#include <utility>

namespace tower {
namespace {

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

Status Lists::Prepare(Database& database) {
  const std::string candidates =
      CandidateSql("triggers t", "t.seq > ? AND t.seq <= ? ORDER BY t.seq LIMIT ?");
  const std::string undeliverable = CandidatesOf("undeliverable"),
                    discarded = CandidatesOf("discarded");
  const std::string candidate = CandidateSql("triggers t", "t.uuid = ?");
  return database.PrepareAll({
      {add_undeliverable_, "INSERT OR REPLACE INTO undeliverable VALUES (?, ?, ?, ?)"},
      {drop_undeliverable_, "DELETE FROM undeliverable WHERE seq = ?"},
      {add_redelivery_, "INSERT INTO redeliveries VALUES (?, ?, ?)"},
      {drop_redelivery_, "DELETE FROM redeliveries WHERE seq = ?"},
      {add_deferred_, "INSERT OR REPLACE INTO deferred VALUES (?, ?, ?)"},
      {drop_deferred_, "DELETE FROM deferred WHERE seq = ?"},
      {add_discarded_,
       "INSERT INTO discarded SELECT ?, seq, reason, ?, ?, bytes FROM undeliverable WHERE seq = ?"},
      {drop_discarded_, "DELETE FROM discarded WHERE seq = ?"},
      {oldest_discarded_,
       "SELECT number, seq, at_ms, bytes FROM discarded ORDER BY number LIMIT ?"},
      {candidates_, candidates},
      {undeliverable_candidates_, undeliverable},
      {discarded_candidates_, discarded},
      {find_candidate_, candidate},
  });
}

Status Lists::ReadEnds(Database& database, QueueEnds& ends) {
  const auto sum = [&database](const char* sql, std::int64_t& count, std::int64_t& bytes,
                               std::int64_t& last) -> Status {
    auto statement = database.Prepare(sql);
    if (!statement) return statement.error();
    auto found = statement->Step();
    if (!found) return found.error();
    count = statement->Int(0);
    bytes = statement->Int(1);
    last = std::max(last, statement->Int(2));
    return Ok();
  };
  std::int64_t unnumbered = 0;
  auto read = sum("SELECT count(*), coalesce(sum(bytes), 0), 0 FROM undeliverable",
                  ends.undeliverable, ends.undeliverable_bytes, unnumbered);
  if (!read) return read;
  read = sum("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(number), 0) FROM redeliveries",
             ends.redeliveries, ends.redelivery_bytes, ends.last_redelivery);
  if (!read) return read;
  read = sum("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(number), 0) FROM discarded",
             ends.discarded, ends.discarded_bytes, ends.last_discarded);
  if (!read) return read;
  return sum("SELECT count(*), coalesce(sum(bytes), 0), 0 FROM deferred", ends.deferred,
             ends.deferred_bytes, unnumbered);
}

Status Lists::Settle(const SettledTrigger& settled) {
  const auto seq = settled.seq, bytes = settled.bytes;
  if (settled.from == Listing::kRedelivery) {
    if (auto ended = drop_redelivery_.Run(seq); !ended) return ended;
    ends_.redeliveries -= 1;
    ends_.redelivery_bytes -= bytes;
  } else if (settled.from == Listing::kDeferred) {
    if (auto ended = drop_deferred_.Run(seq); !ended) return ended;
    ends_.deferred -= 1;
    ends_.deferred_bytes -= bytes;
  }
  const std::string_view reason = settled.reason;
  switch (settled.fate) {
    case Fate::kPublished:
      // What trimming has passed by meanwhile, it does not come back to.
      return seq <= ends_.trimmed ? log_.Drop(seq) : Ok();
    case Fate::kUndeliverable:
      ends_.undeliverable += 1;
      ends_.undeliverable_bytes += bytes;
      return add_undeliverable_.Run(seq, reason, settled.at_ms, bytes);
    case Fate::kDeferred:
      ends_.deferred += 1;
      ends_.deferred_bytes += bytes;
      return add_deferred_.Run(seq, reason, bytes);
  }
  return Ok();
}

Candidate Lists::ReadCandidate(const Statement& row) const {
  Candidate candidate;
  candidate.seq = row.Int(0);
  candidate.bytes = row.Int(1);
  candidate.accepted_ms = row.Int(2);
  candidate.api_version = row.Bytes(3);
  candidate.protocol = row.Bytes(4);
  candidate.source = row.Bytes(5);
  if (!row.IsNull(6)) {
    candidate.state = TriggerState::kQueued;  // again
  } else if (!row.IsNull(7)) {
    candidate.state = TriggerState::kUndeliverable;
  } else if (!row.IsNull(8)) {
    candidate.state = TriggerState::kDiscarded;
  } else if (candidate.seq <= ends_.cursor) {
    candidate.state = TriggerState::kPublished;
  }
  return candidate;
}

Result<std::vector<Candidate>> Lists::Candidates(std::int64_t after, std::int64_t upto,
                                                 std::optional<TriggerState> among,
                                                 std::size_t limit) {
  if (auto stored = log_.Flush(); !stored) return stored.error();
  auto& statement = among == TriggerState::kUndeliverable ? undeliverable_candidates_
                    : among == TriggerState::kDiscarded   ? discarded_candidates_
                                                          : candidates_;
  StatementScope scope(statement);
  statement.Bind(after, upto, static_cast<std::int64_t>(limit));
  std::vector<Candidate> candidates;
  while (true) {
    auto found = statement.Step();
    if (!found) return found.error();
    if (!*found) return candidates;
    candidates.push_back(ReadCandidate(statement));
  }
}

Result<std::optional<Candidate>> Lists::FindCandidate(const Uuid& uuid) {
  if (auto stored = log_.Flush(); !stored) return stored.error();
  StatementScope scope(find_candidate_);
  auto found = find_candidate_.Bind(Statement::Blob{BytesOf(uuid)}).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<Candidate>();
  return std::optional(ReadCandidate(find_candidate_));
}

// Takes the trigger off the list that it is on.
Status Lists::Unlist(const Candidate& candidate) {
  if (candidate.state == TriggerState::kUndeliverable) {
    ends_.undeliverable -= 1;
    ends_.undeliverable_bytes -= candidate.bytes;
    return drop_undeliverable_.Run(candidate.seq);
  }
  if (candidate.state == TriggerState::kDiscarded) {
    ends_.discarded -= 1;
    ends_.discarded_bytes -= candidate.bytes;
    return drop_discarded_.Run(candidate.seq);
  }
  return Ok();
}

Status Lists::AddRedelivery(const Candidate& candidate) {
  const auto number = ends_.last_redelivery + 1;
  if (auto added = add_redelivery_.Run(number, candidate.seq, candidate.bytes); !added) {
    return added;
  }
  ends_.last_redelivery = number;
  ends_.redeliveries += 1;
  ends_.redelivery_bytes += candidate.bytes;
  return Unlist(candidate);
}

Status Lists::Discard(const Candidate& candidate, std::string_view by, std::int64_t now_ms) {
  const auto number = ends_.last_discarded + 1;
  if (auto added = add_discarded_.Run(number, by, now_ms, candidate.seq); !added) return added;
  ends_.last_discarded = number;
  ends_.discarded += 1;
  ends_.discarded_bytes += candidate.bytes;
  return Unlist(candidate);
}

Result<bool> Lists::TrimDiscarded(bool all, std::int64_t before_ms, std::int64_t max_triggers,
                                  std::int64_t limit) {
  if (ends_.discarded == 0) return false;
  std::vector<std::pair<std::int64_t, std::int64_t>> due;  // seq, bytes
  {
    StatementScope scope(oldest_discarded_);
    oldest_discarded_.Bind(limit);
    while (true) {
      auto found = oldest_discarded_.Step();
      if (!found) return found.error();
      if (!*found) break;
      const auto seq = oldest_discarded_.Int(1);
      const bool past = all || oldest_discarded_.Int(2) < before_ms ||
                        oldest_discarded_.Int(0) <= ends_.last_discarded - max_triggers;
      if (!past || seq > ends_.trimmed) break;
      due.emplace_back(seq, oldest_discarded_.Int(3));
    }
  }
  for (const auto& [seq, bytes] : due) {
    if (auto dropped = drop_discarded_.Run(seq); !dropped) return dropped.error();
    if (auto dropped = log_.Drop(seq); !dropped) return dropped.error();
    ends_.discarded -= 1;
    ends_.discarded_bytes -= bytes;
  }
  return due.size() == static_cast<std::size_t>(limit);
}

}  // namespace tower
