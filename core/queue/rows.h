// The values that pass between the parts of the queue: rows, and where the log begins and ends.
#ifndef CORE_QUEUE_ROWS_H_
#define CORE_QUEUE_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/uuid.h"
#include "core/queue/types.h"

namespace tower {

// Where else a row of the log stands. It is not taken from the log then.
enum class Listing : std::uint8_t { kNone, kUndeliverable, kRedelivery, kDeferred, kDiscarded };

struct QueueRow {
  AcceptedTrigger trigger;
  std::int64_t position = 0;
  Listing listing = Listing::kNone;
};

// A trigger that was read from a list. `number` is its place there.
struct ListedTrigger {
  std::int64_t number = 0, bytes = 0;
  AcceptedTrigger trigger;
};

// A trigger whose fate the cursor alone does not tell.
struct SettledTrigger {
  std::int64_t seq = 0;
  Listing from = Listing::kNone;  // it leaves that list
  Fate fate = Fate::kPublished;   // and is put on another one unless it was published
  std::string reason;             // as in Outcome
  std::int64_t at_ms = 0;
  std::int64_t bytes = 0;
};

// What a bulk change did: triggers that were made redeliveries, and those that are undeliverable no
// more.
struct RedeliveryTotals {
  std::int64_t count = 0, bytes = 0, listed = 0, listed_bytes = 0;
};

// What a filter looks at, but for the state.
struct TriggerSummary {
  std::string_view api_version, protocol, source;
  std::int64_t accepted_ms = 0;
};
bool Fits(const TriggerSummary& trigger, const TriggerFilter& filter);

// Where the log begins, stands and ends, and how long the lists are.
struct QueueEnds {
  std::int64_t last_seq = 0, last_position = 0;
  std::int64_t cursor = 0, cursor_position = 0;
  std::int64_t trimmed = 0, trimmed_position = 0;
  std::int64_t undeliverable = 0, undeliverable_bytes = 0;
  std::int64_t redeliveries = 0, redelivery_bytes = 0, last_redelivery = 0;
  std::int64_t discarded = 0, discarded_bytes = 0, last_discarded = 0;
  std::int64_t deferred = 0, deferred_bytes = 0;

  // What counts against max_bytes: all that is on disk, history included.
  std::int64_t kept_bytes() const noexcept {
    return last_position - trimmed_position + undeliverable_bytes + discarded_bytes;
  }
  // Whether there is anything that could become too old.
  bool has_history() const noexcept {
    return trimmed < std::min(cursor, last_seq - 1) || discarded > 0;
  }
};

// Bytes that a row costs beyond its own: row header, integers, its entry in the index by uuid, and
// pages not quite full.
inline constexpr std::int64_t kRowOverhead = 256;
// What a trigger counts against max_bytes: its bytes and kRowOverhead.
std::int64_t SizeOf(const AcceptedTrigger& trigger) noexcept;

// As it is stored; a view of `uuid`.
inline std::string_view BytesOf(const Uuid& uuid) noexcept {
  return {reinterpret_cast<const char*>(uuid.bytes().data()), uuid.bytes().size()};
}

// Milliseconds since 1970.
std::int64_t NowMs();

}  // namespace tower

#endif  // CORE_QUEUE_ROWS_H_
