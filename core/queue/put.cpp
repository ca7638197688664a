#include "core/queue/put.h"

#include <set>
#include <utility>

#include "core/queue/store.h"

namespace tower {
namespace {

Error Conflict(const Uuid& uuid, std::string_view what) {
  return {ErrorCode::kConflict, "uuid " + uuid.ToString() + " " + std::string(what)};
}

// Whether the key was used before; `receipt` then has the uuids of that time.
Result<bool> FindKey(QueueStore& store, const PutOptions& options, Receipt& receipt) {
  if (options.key.empty()) return false;
  auto known = store.keys().Find(options.source, options.key);
  if (!known) return known.error();
  if (!*known) return false;
  if ((*known)->fingerprint != options.fingerprint) {
    return Error{ErrorCode::kConflict, "this idempotency key was used with other content"};
  }
  receipt.uuids = std::move((*known)->uuids);
  return true;
}

// Marks the rows whose uuid and content are on disk already.
Status FindKnownRows(QueueStore& store, PutRequest& request) {
  std::set<Uuid> seen;
  for (std::size_t i = 0; i < request.rows.size(); ++i) {
    if (!request.chosen[i]) continue;
    const auto& trigger = request.rows[i].trigger;
    if (!seen.insert(trigger.uuid).second) {
      return Conflict(trigger.uuid, "stands twice in the batch");
    }
    auto body = store.log().FindBody(trigger.uuid);
    if (!body) return body.error();
    if (!*body) continue;
    if (**body != trigger.body) return Conflict(trigger.uuid, "was used with other content");
    request.known[i] = true;
  }
  return Ok();
}

Status Append(QueueStore& store, PutRequest& request, Receipt& receipt, std::int64_t now_ms) {
  if (auto found = FindKnownRows(store, request); !found) return found;
  receipt.repeated = !request.rows.empty();
  for (std::size_t i = 0; i < request.rows.size(); ++i) {
    auto& row = request.rows[i];
    receipt.uuids.push_back(row.trigger.uuid);
    if (request.known[i]) continue;
    receipt.repeated = false;
    row.trigger.accepted_at =
        std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(now_ms));
    if (auto stored = store.log().Append(row); !stored) return stored;
  }
  const auto& options = request.options;
  if (options.key.empty()) return Ok();
  return store.keys().Add(options.source, options.key, options.fingerprint, receipt.uuids);
}

}  // namespace

PutRequest::PutRequest(std::span<const Trigger> batch, const PutOptions& put_options)
    : options(put_options), rows(batch.size()), chosen(batch.size()) {
  for (std::size_t i = 0; i < batch.size(); ++i) SetRow(i, batch[i].uuid());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& row = rows[i].trigger;
    row.api_version = batch[i].api_version();
    row.protocol = batch[i].protocol();
    row.body = batch[i].BodyWith(row.uuid);
    bytes += SizeOf(row);
  }
}

PutRequest::PutRequest(std::span<Trigger> batch, const PutOptions& put_options)
    : options(put_options), rows(batch.size()), chosen(batch.size()) {
  for (std::size_t i = 0; i < batch.size(); ++i) SetRow(i, batch[i].uuid());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& row = rows[i].trigger;
    auto& trigger = batch[i];
    row.api_version = trigger.TakeApiVersion();
    row.protocol = trigger.TakeProtocol();
    row.body = std::move(trigger).BodyWith(row.uuid);
    bytes += SizeOf(row);
  }
}

// Before the bodies are made: what is composed at the same time on several threads would else have
// its uuids in between, and each insert would land in the middle of the index.
void PutRequest::SetRow(std::size_t index, const std::optional<Uuid>& uuid) {
  auto& row = rows[index].trigger;
  chosen[index] = uuid.has_value();
  row.uuid = uuid ? *uuid : NewUuidV7();
  row.source = options.source;
  row.client = options.client;
  row.traceparent = options.traceparent;
  row.tracestate = options.tracestate;
}

void SubmittedPut::OwnOptions() {
  checkpoints_.assign(options.checkpoints.begin(), options.checkpoints.end());
  options.checkpoints = checkpoints_;
  text_.reserve(options.source.size() + options.client.size() + options.key.size() +
                options.fingerprint.size() + options.traceparent.size() +
                options.tracestate.size());
  for (auto* view : {&options.source, &options.client, &options.key, &options.fingerprint,
                     &options.traceparent, &options.tracestate}) {
    Own(*view);
  }
}

// text_ has room: what was appended before does not move.
void SubmittedPut::Own(std::string_view& view) {
  const auto at = text_.size();
  text_ += view;
  view = std::string_view(text_).substr(at);
}

std::vector<Uuid> SubmittedPut::uuids() const {
  std::vector<Uuid> all;
  all.reserve(rows.size());
  for (const auto& row : rows) all.push_back(row.trigger.uuid);
  return all;
}

void SubmittedPut::Finish() noexcept {
  const std::unique_ptr<SubmittedPut> self(this);
  done_(std::move(result));
}

Status StoreRequest(QueueStore& store, PutRequest& request, std::int64_t now_ms) {
  Receipt receipt;
  receipt.uuids.reserve(request.rows.size());
  auto repeated = FindKey(store, request.options, receipt);
  request.known.assign(request.rows.size(), repeated.value_or(false));
  Status stored = Ok();
  if (!repeated) {
    stored = repeated.error();
  } else if (*repeated) {
    receipt.repeated = true;
  } else {
    stored = Append(store, request, receipt, now_ms);
  }
  if (!stored) {
    if (stored.error().code != ErrorCode::kConflict) return stored;
    request.result = stored.error();
    return Ok();
  }
  // Also for a repeat: its source moves on all the same.
  for (const auto& change : request.options.checkpoints) {
    auto changed = store.checkpoints().Change(request.options.source, change);
    if (!changed) return changed;
  }
  request.result = std::move(receipt);
  return Ok();
}

}  // namespace tower
