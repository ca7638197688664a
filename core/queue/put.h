// One call of Put or Submit, as the queue's writer sees it.
#ifndef CORE_QUEUE_PUT_H_
#define CORE_QUEUE_PUT_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/once_event.h"
#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/queue/rows.h"
#include "core/queue/types.h"
#include "core/trigger/trigger.h"

namespace tower {

class QueueStore;

class PutRequest {
 public:
  // Of a span that is not of const, the texts are taken.
  PutRequest(std::span<const Trigger> batch, const PutOptions& put_options);
  PutRequest(std::span<Trigger> batch, const PutOptions& put_options);
  virtual ~PutRequest() = default;
  PutRequest(const PutRequest&) = delete;
  PutRequest& operator=(const PutRequest&) = delete;

  // Tells the caller that `result` is there. The request may be gone when it returns.
  virtual void Finish() noexcept = 0;

  PutOptions options;
  std::vector<QueueRow> rows;
  std::vector<bool> chosen;  // whether the sender gave the uuid
  std::vector<bool> known;   // whether the trigger was on disk before
  std::int64_t bytes = 0;    // of all rows, as SizeOf counts
  Result<Receipt> result;

 private:
  // All but its names and body.
  void SetRow(std::size_t index, const std::optional<Uuid>& uuid);
};

// Lives on the stack of a caller that waits.
class WaitingPut final : public PutRequest {
 public:
  using PutRequest::PutRequest;
  void Finish() noexcept override { done_.Set(); }
  void Wait() noexcept { done_.Wait(); }

 private:
  OnceEvent done_;
};

// Owns all that it refers to, and deletes itself once `done` was called.
class SubmittedPut final : public PutRequest {
 public:
  template <typename T>  // Trigger, or const Trigger
  SubmittedPut(std::span<T> batch, const PutOptions& put_options, PutDone done)
      : PutRequest(batch, put_options), done_(std::move(done)) {
    OwnOptions();
  }
  void Finish() noexcept override;
  std::vector<Uuid> uuids() const;

 private:
  void OwnOptions();
  void Own(std::string_view& view);
  PutDone done_;
  std::string text_;  // what the views of `options` are of
  std::vector<CheckpointChange> checkpoints_;
};

// Stores the request within the store's open transaction, unless it is known already, and fills in
// `result`. A conflict is the request's own error, in `result`; an error returned is the
// transaction's.
Status StoreRequest(QueueStore& store, PutRequest& request, std::int64_t now_ms);

}  // namespace tower

#endif  // CORE_QUEUE_PUT_H_
