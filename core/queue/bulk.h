// Triggers that are to be published again, or discarded, as the queue's writer sees them.
#ifndef CORE_QUEUE_BULK_H_
#define CORE_QUEUE_BULK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/queue/lists.h"
#include "core/queue/rows.h"
#include "core/queue/types.h"

namespace tower {

// One call of Redeliver, Discard, RedeliverAll or DiscardAll. A bulk change is done in steps of a
// few thousand triggers, one a transaction: first all that fit are counted, then they are changed.
class BulkRequest {
 public:
  // Of one trigger, or of all that fit. `discard_by`: who discards them; nothing: they are to be
  // redelivered.
  static std::unique_ptr<BulkRequest> Of(const Uuid& uuid, std::optional<std::string> discard_by,
                                         ChangeDone done);
  static std::unique_ptr<BulkRequest> Of(const TriggerFilter& filter, const BulkOptions& options,
                                         std::optional<std::string> discard_by, BulkDone done);

  // One step, within the open transaction. What is the request's own error is kept; an
  // error returned is the transaction's.
  Status StoreStep(Lists& lists, std::int64_t now_ms);
  // The step's transaction has ended so. True: the request is done, Finish is to be called.
  bool EndStep(const Status& committed);
  // Tells the caller.
  void Finish() { done_(outcome); }

  BulkOutcome outcome;
  std::int64_t upto = 0;       // no trigger behind this seq is meant
  RedeliveryTotals step = {};  // what the last step changed, once it is committed

 private:
  BulkRequest() = default;
  Status StoreOne(Lists& lists, std::int64_t now_ms);
  Status Change(Lists& lists, const Candidate& candidate, std::int64_t now_ms);
  bool Fits(const Candidate& candidate) const;
  Status CheckConfirmed() const;

  std::optional<Uuid> uuid_;  // else all that fit filter_
  TriggerFilter filter_;
  BulkOptions options_;
  std::optional<std::string> discard_by_;
  BulkDone done_;
  bool counted_ = false;    // the changes have begun
  std::int64_t after_ = 0;  // all up to this seq was looked at, in counting or in changing
  std::int64_t step_after_ = 0;
  bool step_last_ = false;  // the last step came to the end of what it looks at
  std::int64_t step_matched_ = 0, step_changed_ = 0;
  Status step_fault_ = Ok();  // the request's own
};

}  // namespace tower

#endif  // CORE_QUEUE_BULK_H_
