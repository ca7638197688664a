#ifndef CORE_QUEUE_LISTS_H_
#define CORE_QUEUE_LISTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/queue/log_table.h"
#include "core/queue/rows.h"
#include "core/queue/sqlite.h"
#include "core/queue/types.h"

namespace tower {

// A trigger that may be delivered again or discarded.
struct Candidate {
  std::int64_t seq = 0, bytes = 0, accepted_ms = 0;
  TriggerState state = TriggerState::kQueued;
  std::string api_version, protocol, source;
  TriggerSummary summary() const { return {api_version, protocol, source, accepted_ms}; }
};

// The tables `undeliverable`, `redeliveries`, `deferred` and `discarded`: triggers that the
// consumer does not take from the log. A trigger is on one list at most.
class Lists {
 public:
  Lists(QueueEnds& ends, LogTable& log) : ends_(ends), log_(log) {}
  Status Prepare(Database& database);
  // Reads how long the lists are. The last numbers that `ends` has are raised, never lowered.
  static Status ReadEnds(Database& database, QueueEnds& ends);

  // Moves the trigger from the list that it was taken from to the list of its fate.
  Status Settle(const SettledTrigger& settled);

  // Triggers with after < seq <= upto, in order, at most `limit`. `among` may leave out triggers of
  // other states.
  Result<std::vector<Candidate>> Candidates(std::int64_t after, std::int64_t upto,
                                            std::optional<TriggerState> among, std::size_t limit);
  Result<std::optional<Candidate>> FindCandidate(const Uuid& uuid);
  Status AddRedelivery(const Candidate& candidate);
  Status Discard(const Candidate& candidate, std::string_view by, std::int64_t now_ms);

  // Deletes at most `limit` discarded triggers, oldest first: those discarded before `before_ms`,
  // and all but the newest `max_triggers`, or with `all` every one. Stops at the first that lies
  // beyond `trimmed`: the consumer counts on rows there. True: there may be more.
  Result<bool> TrimDiscarded(bool all, std::int64_t before_ms, std::int64_t max_triggers,
                             std::int64_t limit);

 private:
  Candidate ReadCandidate(const Statement& row) const;
  Status Unlist(const Candidate& candidate);

  QueueEnds& ends_;  // as the open transaction will leave it
  LogTable& log_;
  Statement add_undeliverable_, drop_undeliverable_, add_redelivery_, drop_redelivery_;
  Statement add_deferred_, drop_deferred_, add_discarded_, drop_discarded_, oldest_discarded_;
  Statement candidates_, undeliverable_candidates_, discarded_candidates_, find_candidate_;
};

}  // namespace tower

#endif  // CORE_QUEUE_LISTS_H_
