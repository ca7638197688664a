// The values that go into and come out of the queue: options, triggers, outcomes, records,
// statistics. TriggerQueue (core/queue/queue.h) and its inside share them.
#ifndef CORE_QUEUE_TYPES_H_
#define CORE_QUEUE_TYPES_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"

namespace tower {

struct QueueOptions {
  std::string path = "control-tower.db";  // ":memory:": nothing survives the process
  // Of all that is kept, history included; history gives way to new triggers. 0: 1 GiB, or half of
  // the volume that `path` is on, where that is less.
  std::uint64_t max_bytes = 0;
  std::chrono::milliseconds retention = std::chrono::hours(24 * 7);  // of history
  std::int64_t max_history = 1'000'000;  // triggers kept after they were settled
};

// One change of a source's checkpoint: what a watcher remembers, under a key of its own choice.
struct CheckpointChange {
  std::string key;
  std::optional<std::string> value;  // nothing: forget the key
};

struct PutOptions {
  std::string_view source;       // the watcher's name, or "http"; at most 200 bytes
  std::string_view client = {};  // the name of the token or certificate that sent it, or empty
  std::string_view key = {};     // idempotency key within the source; empty for none
  // What the key stands for: another fingerprint under the same key is a conflict.
  std::string_view fingerprint = {};
  std::span<const CheckpointChange> checkpoints = {};
  std::string_view traceparent = {};
  std::string_view tracestate = {};
  // Of waiting for room.
  std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt;
};

// A trigger as the queue keeps it: accepted, numbered, ready to publish.
struct AcceptedTrigger {
  std::int64_t seq = 0;  // place in the queue, from 1, without gaps
  Uuid uuid;
  std::string api_version;
  std::string protocol;
  std::string source;       // the watcher's name, or "http"
  std::string client;       // the name of the token or certificate that sent it, or empty
  std::string traceparent;  // W3C Trace Context, or empty
  std::string tracestate;
  std::chrono::sys_time<std::chrono::milliseconds> accepted_at{};
  std::string body;  // JSON with uuid
};

struct Receipt {
  std::vector<Uuid> uuids;  // one for each trigger put, in order
  bool repeated = false;    // all of it was on disk already, by key or by uuid; nothing was stored
};

// Hears what Put would have returned.
using PutDone = std::function<void(Result<Receipt>)>;

// What became of a trigger at the broker.
enum class Fate {
  kPublished,
  kUndeliverable,  // listed as undeliverable
  kDeferred,       // waits in the file until TakeDeferred asks for its routing key
};

struct Outcome {
  std::int64_t seq = 0;
  Fate fate = Fate::kPublished;
  std::string reason = {};  // kUndeliverable: "unroutable", …; kDeferred: its routing key
};

// Triggers that wait for their routing key.
struct DeferredKey {
  std::string routing_key;
  std::int64_t count = 0;
};

enum class TriggerState { kQueued, kPublished, kUndeliverable, kDiscarded };
std::string_view ToString(TriggerState state) noexcept;  // "queued", "published", …
// The reverse; nothing for any other text.
std::optional<TriggerState> ParseTriggerState(std::string_view text) noexcept;

struct TriggerRecord {
  AcceptedTrigger trigger;
  TriggerState state = TriggerState::kQueued;
  std::string reason;        // of kUndeliverable; of kDiscarded: why it had been undeliverable
  std::string discarded_by;  // of kDiscarded: as Discard was told
  // When it got there; nothing while it is queued.
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> settled_at;
};

// Which triggers: all that fit every member that is set.
struct TriggerFilter {
  std::optional<TriggerState> state = std::nullopt;
  std::string api_version = {}, protocol = {}, source = {};  // empty: any
  // Of acceptance: since <= accepted_at < until.
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> since = std::nullopt;
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> until = std::nullopt;
};

struct TriggerPage {
  std::vector<TriggerRecord> records;  // newest first
  std::int64_t next = 0;               // `before` for the next page; 0 when this is the last one
};

// Hears what became of one trigger that was to be changed: 1, or 0 where it was so already.
using ChangeDone = std::function<void(Result<std::int64_t>)>;

// A bulk change of more triggers than this has to be confirmed.
inline constexpr std::int64_t kBulkUnconfirmed = 1000;

struct BulkOptions {
  bool dry_run = false;  // only counts
  // How many triggers the caller expects to fit, as a dry run told. Another number refuses the
  // change; so does none where more than kBulkUnconfirmed fit.
  std::optional<std::int64_t> confirm = std::nullopt;
};

struct BulkOutcome {
  std::int64_t matched = 0;  // triggers that fitted when the change began
  std::int64_t changed = 0;  // of them, on disk; also where `status` is an error
  Status status = Ok();      // kConflict: not confirmed, nothing was changed
};
using BulkDone = std::function<void(const BulkOutcome&)>;

struct QueueStats {
  std::int64_t depth = 0;          // accepted or to be redelivered, not yet settled
  std::int64_t deferred = 0;       // those of depth that wait for their routing key
  std::int64_t undeliverable = 0;  // listed
  std::uint64_t bytes = 0;         // depth and undeliverable, as counted against max_bytes
  Status health;                   // an error while the disk refuses, and while the queue is full
  Status history;  // an error while history can't be trimmed; no trigger is refused for it
};

}  // namespace tower

#endif  // CORE_QUEUE_TYPES_H_
