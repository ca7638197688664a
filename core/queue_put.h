// One call of Put, as the queue's writer sees it.
#ifndef CORE_QUEUE_PUT_H_
#define CORE_QUEUE_PUT_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/once_event.h"
#include "core/queue_store.h"

namespace tower {

// Lives on the stack of the caller of Put, who waits for `done`.
struct PutRequest {
  PutRequest(std::span<const Trigger> batch, const PutOptions& put_options);

  const PutOptions& options;
  std::vector<QueueRow> rows;
  std::vector<bool> chosen;  // whether the sender gave the uuid
  std::vector<bool> known;   // whether the trigger was on disk before
  std::int64_t bytes = 0;    // of all rows, as SizeOf counts
  Result<Receipt> result;
  OnceEvent done;
  // Waits for `done`, then wakes those that the writer told this one to wake: it wakes one of a
  // round, which wakes two, which wake four. So the next round begins sooner.
  void Wait() noexcept;
  static void WakeAll(std::span<PutRequest* const> requests) noexcept;

 private:
  PutRequest* first_ = nullptr;
  PutRequest* second_ = nullptr;
};

// Stores the request within the store's open transaction, unless it is known already, and fills in
// `result`. A conflict is the request's own error, in `result`; an error returned is the
// transaction's.
Status StoreRequest(QueueStore& store, PutRequest& request, std::int64_t now_ms);

}  // namespace tower

#endif  // CORE_QUEUE_PUT_H_
