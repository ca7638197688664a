// The store's side of redelivering.
#include "core/queue_store.h"

namespace tower {

QueueStore::Candidate QueueStore::ReadCandidate(const Statement& row) const {
  Candidate candidate;
  candidate.seq = row.Int(0);
  candidate.bytes = row.Int(1);
  candidate.api_version = row.Bytes(2);
  candidate.protocol = row.Bytes(3);
  candidate.source = row.Bytes(4);
  if (!row.IsNull(6)) {
    candidate.state = TriggerState::kQueued;  // again
  } else if (!row.IsNull(5)) {
    candidate.state = TriggerState::kUndeliverable;
  } else if (candidate.seq <= pending_.cursor) {
    candidate.state = TriggerState::kPublished;
  }
  return candidate;
}

Result<std::vector<QueueStore::Candidate>> QueueStore::Candidates(std::int64_t after,
                                                                  bool listed_only,
                                                                  std::size_t limit) {
  if (auto stored = StoreAppended(); !stored) return stored.error();
  auto& statement = listed_only ? sql_.listed_candidates : sql_.candidates;
  StatementScope scope(statement);
  statement.Bind(after, static_cast<std::int64_t>(limit));
  std::vector<Candidate> candidates;
  while (true) {
    auto found = statement.Step();
    if (!found) return found.error();
    if (!*found) return candidates;
    candidates.push_back(ReadCandidate(statement));
  }
}

Result<std::vector<QueueStore::Candidate>> QueueStore::FindCandidate(const Uuid& uuid) {
  if (auto stored = StoreAppended(); !stored) return stored.error();
  StatementScope scope(sql_.find_candidate);
  const std::string_view bytes(reinterpret_cast<const char*>(uuid.bytes().data()), 16);
  auto found = sql_.find_candidate.Bind(Statement::Blob{bytes}).Step();
  if (!found) return found.error();
  std::vector<Candidate> candidates;
  if (*found) candidates.push_back(ReadCandidate(sql_.find_candidate));
  return candidates;
}

Status QueueStore::AddRedelivery(const Candidate& candidate) {
  const auto number = pending_.last_redelivery + 1;
  if (auto added = sql_.add_redelivery.Run(number, candidate.seq, candidate.bytes); !added) {
    return added;
  }
  pending_.last_redelivery = number;
  pending_.redeliveries += 1;
  pending_.redelivery_bytes += candidate.bytes;
  if (candidate.state != TriggerState::kUndeliverable) return Ok();
  pending_.undeliverable -= 1;
  pending_.undeliverable_bytes -= candidate.bytes;
  return sql_.drop_listed.Run(candidate.seq);
}

Status QueueStore::EndRedelivery(const SettledRedelivery& settled) {
  const auto& entry = settled.entry;
  if (auto ended = sql_.end_redelivery.Run(entry.seq); !ended) return ended;
  pending_.redeliveries -= 1;
  pending_.redelivery_bytes -= entry.bytes;
  if (!settled.published) return AddUndeliverable(entry);
  // What trimming has passed by meanwhile, it does not come back to.
  return entry.seq <= pending_.trimmed ? sql_.drop_trigger.Run(entry.seq) : Ok();
}

}  // namespace tower
