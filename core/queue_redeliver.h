// Triggers that are to be published again, as the queue's writer sees them.
#ifndef CORE_QUEUE_REDELIVER_H_
#define CORE_QUEUE_REDELIVER_H_

#include <cstdint>
#include <optional>

#include "core/queue_store.h"

namespace tower {

// One call of Redeliver or RedeliverAll; done in steps.
struct RedeliverRequest {
  std::optional<Uuid> uuid;  // else all that fit `filter`
  TriggerFilter filter;
  RedeliverDone done;
  std::int64_t after = 0;  // all up to this seq was looked at
  bool finished = false;
  Result<std::int64_t> count = 0;
  // Of the last step, once it is committed.
  RedeliveryTotals step = {};
};

// Looks at a few thousand triggers at most, within the store's open transaction. A uuid that is not
// known is the request's own error, in `count`; an error returned is the transaction's.
Status StoreRedeliveries(QueueStore& store, RedeliverRequest& request);

}  // namespace tower

#endif  // CORE_QUEUE_REDELIVER_H_
