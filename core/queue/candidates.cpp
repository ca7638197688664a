// The store's side of redelivering and discarding.
#include "core/queue/store.h"

namespace tower {

QueueStore::Candidate QueueStore::ReadCandidate(const Statement& row) const {
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
  } else if (candidate.seq <= pending_.cursor) {
    candidate.state = TriggerState::kPublished;
  }
  return candidate;
}

Result<std::vector<QueueStore::Candidate>> QueueStore::Candidates(std::int64_t after,
                                                                  std::int64_t upto,
                                                                  std::optional<TriggerState> among,
                                                                  std::size_t limit) {
  if (auto stored = StoreAppended(); !stored) return stored.error();
  auto& statement = among == TriggerState::kUndeliverable ? sql_.listed_candidates
                    : among == TriggerState::kDiscarded   ? sql_.discarded_candidates
                                                          : sql_.candidates;
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

Result<std::optional<QueueStore::Candidate>> QueueStore::FindCandidate(const Uuid& uuid) {
  if (auto stored = StoreAppended(); !stored) return stored.error();
  StatementScope scope(sql_.find_candidate);
  const std::string_view bytes(reinterpret_cast<const char*>(uuid.bytes().data()), 16);
  auto found = sql_.find_candidate.Bind(Statement::Blob{bytes}).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<Candidate>();
  return std::optional(ReadCandidate(sql_.find_candidate));
}

// Takes the trigger off the list that it is on.
Status QueueStore::Unlist(const Candidate& candidate) {
  if (candidate.state == TriggerState::kUndeliverable) {
    pending_.undeliverable -= 1;
    pending_.undeliverable_bytes -= candidate.bytes;
    return sql_.drop_listed.Run(candidate.seq);
  }
  if (candidate.state == TriggerState::kDiscarded) {
    pending_.discarded -= 1;
    pending_.discarded_bytes -= candidate.bytes;
    return sql_.drop_discarded.Run(candidate.seq);
  }
  return Ok();
}

Status QueueStore::AddRedelivery(const Candidate& candidate) {
  const auto number = pending_.last_redelivery + 1;
  if (auto added = sql_.add_redelivery.Run(number, candidate.seq, candidate.bytes); !added) {
    return added;
  }
  pending_.last_redelivery = number;
  pending_.redeliveries += 1;
  pending_.redelivery_bytes += candidate.bytes;
  return Unlist(candidate);
}

Status QueueStore::Discard(const Candidate& candidate, std::string_view by, std::int64_t now_ms) {
  const auto number = pending_.last_discarded + 1;
  if (auto added = sql_.add_discarded.Run(number, by, now_ms, candidate.seq); !added) return added;
  pending_.last_discarded = number;
  pending_.discarded += 1;
  pending_.discarded_bytes += candidate.bytes;
  return Unlist(candidate);
}

}  // namespace tower
