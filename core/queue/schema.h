// The format of the queue's file, version 3.
//
// One SQLite database in WAL mode with synchronous=FULL. Its application_id and user_version are
// the constants below; a file with others is refused and stays as it is. A new version changes
// user_version. Times are milliseconds since 1970, `bytes` are what SizeOf (core/queue/rows.h)
// counts, texts that are not there are empty.
//
// triggers       The log: a row for each trigger, appended in the order of acceptance.
//   seq          Its place, from 1, one more than that of the row before.
//   uuid         16 bytes, unique.
//   source       The sender, as a number in `sources`.
//   accepted_ms  When it was accepted.
//   position     Bytes of the log up to and including this row, also of rows that are trimmed by
//                now. Sizes are differences of positions; nothing is summed up or counted.
//   api_version, protocol, traceparent, tracestate, client, body: as in AcceptedTrigger.
// sources        Names of senders (name) by number (id). None is changed or deleted.
// state          One row. All triggers up to `cursor` are settled; the log is trimmed up to
//                `trimmed`. cursor_position and trimmed_position are the positions there.
// settlements    The cursor was at `seq` from `at_ms` on; at most one row a second. The first row
//                with seq >= that of a trigger tells when the trigger was settled.
// keys           Idempotency keys: what a request with (source, key) contained (fingerprint), and
//                the uuids of its triggers, 16 bytes each. `seq` is the end of the log then; the
//                key goes when trimming comes to it.
// checkpoints    What sources remember: (source, key) and value.
//
// Four lists name triggers whose state the cursor alone does not tell:
//
// undeliverable  The broker would not take it, for `reason`, at `at_ms`.
// redeliveries   It is to be published again. `number` is its place in the order of the requests.
// deferred       It waits for its routing key, which the broker refuses.
// discarded      It was undeliverable, for `reason`, until `who` gave it up at `at_ms`. `number` is
//                its place in the order of discarding.
//
// Invariants, between transactions:
// - trimmed <= cursor <= the seq of the newest row, which is never deleted: the next seq and
//   position come from it.
// - A trigger is on one list at most. Its row is there as long as it is.
// - Of the rows up to `trimmed`, only those of listed triggers are left.
// - A row on no list is queued if it lies behind the cursor, and published otherwise. Triggers on
//   `redeliveries` and `deferred` are queued.
// - The triggers, key and checkpoints of one put are stored by one transaction.
#ifndef CORE_QUEUE_SCHEMA_H_
#define CORE_QUEUE_SCHEMA_H_

#include <cstdint>

#include "core/base/result.h"
#include "core/queue/sqlite.h"

namespace tower {

inline constexpr std::int64_t kFormatVersion = 3;           // user_version
inline constexpr std::int64_t kApplicationId = 0x43747772;  // application_id: "Ctwr"

// Makes the tables in an empty database.
Status MakeTables(Database& database);
// kInvalid: the database is of another program, or of another version of the format.
Status CheckFormat(Database& database);

}  // namespace tower

#endif  // CORE_QUEUE_SCHEMA_H_
