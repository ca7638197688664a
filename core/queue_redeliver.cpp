#include "core/queue_redeliver.h"

#include <utility>

namespace tower {
namespace {

constexpr std::size_t kStep = 2000;

bool IsWanted(const QueueStore::Candidate& candidate, const RedeliverRequest& request) {
  if (candidate.state == TriggerState::kQueued) return false;
  return request.uuid || Fits(candidate.state, candidate.api_version, candidate.protocol,
                              candidate.source, request.filter);
}

}  // namespace

bool Fits(TriggerState state, std::string_view api_version, std::string_view protocol,
          std::string_view source, const TriggerFilter& filter) {
  const auto is = [](std::string_view wanted, std::string_view value) {
    return wanted.empty() || wanted == value;
  };
  return (!filter.state || *filter.state == state) && is(filter.api_version, api_version) &&
         is(filter.protocol, protocol) && is(filter.source, source);
}

Status StoreRedeliveries(QueueStore& store, RedeliverRequest& request) {
  request.step = {};
  const bool listed_only = request.filter.state == TriggerState::kUndeliverable;
  auto candidates = request.uuid ? store.FindCandidate(*request.uuid)
                                 : store.Candidates(request.after, listed_only, kStep);
  if (!candidates) return candidates.error();
  request.finished = request.uuid || candidates->size() < kStep;
  if (request.uuid && candidates->empty()) {
    request.count =
        Error{ErrorCode::kNotFound, "no trigger " + request.uuid->ToString() + " is kept here"};
  }
  for (const auto& candidate : *candidates) {
    request.after = candidate.seq;
    if (!IsWanted(candidate, request)) continue;
    if (auto added = store.AddRedelivery(candidate); !added) return added;
    request.step.count += 1;
    request.step.bytes += candidate.bytes;
    if (candidate.state != TriggerState::kUndeliverable) continue;
    request.step.listed += 1;
    request.step.listed_bytes += candidate.bytes;
  }
  return Ok();
}

}  // namespace tower
