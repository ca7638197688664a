#include "core/queue/bulk.h"

#include <utility>

namespace tower {
namespace {

constexpr std::size_t kStep = 2000;

}  // namespace

std::unique_ptr<BulkRequest> BulkRequest::Of(const Uuid& uuid,
                                             std::optional<std::string> discard_by,
                                             ChangeDone done) {
  std::unique_ptr<BulkRequest> request(new BulkRequest());
  request->uuid_ = uuid;
  request->discard_by_ = std::move(discard_by);
  request->done_ = [done = std::move(done)](const BulkOutcome& became) {
    done(became.status ? Result<std::int64_t>(became.changed) : became.status.error());
  };
  return request;
}

std::unique_ptr<BulkRequest> BulkRequest::Of(const TriggerFilter& filter,
                                             const BulkOptions& options,
                                             std::optional<std::string> discard_by, BulkDone done) {
  std::unique_ptr<BulkRequest> request(new BulkRequest());
  request->filter_ = filter;
  request->options_ = options;
  request->discard_by_ = std::move(discard_by);
  request->done_ = std::move(done);
  return request;
}

bool BulkRequest::Fits(const Candidate& candidate) const {
  if (candidate.state == TriggerState::kQueued) return false;
  if (discard_by_ && candidate.state != TriggerState::kUndeliverable) return false;
  if (filter_.state && *filter_.state != candidate.state) return false;
  return tower::Fits(candidate.summary(), filter_);
}

Status BulkRequest::Change(Lists& lists, const Candidate& candidate, std::int64_t now_ms) {
  step_changed_ += 1;
  if (candidate.state == TriggerState::kUndeliverable) {
    step.listed += 1;
    step.listed_bytes += candidate.bytes;
  }
  if (discard_by_) return lists.Discard(candidate, *discard_by_, now_ms);
  step.count += 1;
  step.bytes += candidate.bytes;
  return lists.AddRedelivery(candidate);
}

Status BulkRequest::StoreOne(Lists& lists, std::int64_t now_ms) {
  auto found = lists.FindCandidate(*uuid_);
  if (!found) return found.error();
  step_last_ = true;
  if (!*found) {
    step_fault_ = Error{ErrorCode::kNotFound, "no trigger " + uuid_->ToString() + " is kept here"};
    return Ok();
  }
  const auto& candidate = **found;
  if (Fits(candidate)) {
    step_matched_ = 1;
    return Change(lists, candidate, now_ms);
  }
  if (discard_by_ && candidate.state != TriggerState::kDiscarded) {
    step_fault_ = Error{ErrorCode::kConflict, "trigger " + uuid_->ToString() + " is " +
                                                  std::string(ToString(candidate.state)) +
                                                  "; only an undeliverable one can be discarded"};
  }
  return Ok();
}

Status BulkRequest::StoreStep(Lists& lists, std::int64_t now_ms) {
  step = {};
  step_matched_ = step_changed_ = 0;
  step_after_ = after_;
  if (uuid_) return StoreOne(lists, now_ms);
  // Of a list there are few; what is discarded is undeliverable until then.
  const auto among = discard_by_ ? TriggerState::kUndeliverable : filter_.state;
  auto candidates = lists.Candidates(after_, upto, among, kStep);
  if (!candidates) return candidates.error();
  step_last_ = candidates->size() < kStep;
  for (const auto& candidate : *candidates) {
    if (counted_ && outcome.changed + step_changed_ == outcome.matched) {
      step_last_ = true;
      break;
    }
    step_after_ = candidate.seq;
    if (!Fits(candidate)) continue;
    if (!counted_) {
      step_matched_ += 1;
    } else if (auto changed = Change(lists, candidate, now_ms); !changed) {
      return changed;
    }
  }
  return Ok();
}

Status BulkRequest::CheckConfirmed() const {
  const auto matched = outcome.matched;
  if (options_.confirm ? *options_.confirm == matched : matched <= kBulkUnconfirmed) return Ok();
  return Error{ErrorCode::kConflict,
               std::to_string(matched) + " triggers fit, and " +
                   (options_.confirm ? std::to_string(*options_.confirm) + " were confirmed"
                                     : "more than " + std::to_string(kBulkUnconfirmed) +
                                           " have to be confirmed by their number")};
}

bool BulkRequest::EndStep(const Status& committed) {
  if (!committed) {
    outcome.status = committed;
    return true;
  }
  after_ = step_after_;
  outcome.matched += step_matched_;
  outcome.changed += step_changed_;
  outcome.status = step_fault_;
  if (!step_last_) return false;
  if (uuid_ || counted_ || options_.dry_run) return true;
  outcome.status = CheckConfirmed();
  if (!outcome.status || outcome.matched == 0) return true;
  counted_ = true;
  after_ = 0;
  return false;
}

}  // namespace tower
