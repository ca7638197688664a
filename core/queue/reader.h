// The read side of the queue's file: for a consumer that has fallen behind, and for queries.
#ifndef CORE_QUEUE_READER_H_
#define CORE_QUEUE_READER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/queue/rows.h"
#include "core/queue/sqlite.h"
#include "core/queue/types.h"

namespace tower {

// Has a connection of its own. Thread-safe.
class QueueReader {
 public:
  // A queue in memory has one connection: the reader then shares `writer`.
  static Result<std::unique_ptr<QueueReader>> Open(const std::string& path,
                                                   std::shared_ptr<SharedDatabase> writer);

  // Rows with after < seq <= upto in order, at most `limit`, and no more after `max_bytes` of
  // bodies.
  Result<std::vector<QueueRow>> Rows(std::int64_t after, std::int64_t upto, std::size_t limit,
                                     std::size_t max_bytes);
  // Redeliveries with after < number <= upto in the order of asking, at most `limit`.
  Result<std::vector<ListedTrigger>> Redeliveries(std::int64_t after, std::int64_t upto,
                                                  std::size_t limit, std::size_t max_bytes);
  Result<std::vector<DeferredKey>> DeferredKeys();
  // Deferred triggers of one routing key with after < seq <= upto in order, at most `limit`.
  Result<std::vector<ListedTrigger>> Deferred(std::string_view routing_key, std::int64_t after,
                                              std::int64_t upto, std::size_t limit,
                                              std::size_t max_bytes);
  // When the oldest deferred trigger was accepted, in ms since 1970; 0 when there is none.
  Result<std::int64_t> OldestDeferredMs();
  Result<TriggerRecord> Find(const Uuid& uuid);
  Result<TriggerPage> List(const TriggerFilter& filter, std::size_t limit, std::int64_t before);
  Result<std::optional<std::string>> Checkpoint(std::string_view source, std::string_view key);
  Result<std::vector<std::pair<std::string, std::string>>> Checkpoints(std::string_view source);

 private:
  explicit QueueReader(std::shared_ptr<SharedDatabase> shared) : shared_(std::move(shared)) {}
  Status Prepare();
  Status FillState(TriggerRecord& record);
  Status MarkListed(std::vector<QueueRow>& rows);
  Status ReadRow(const Statement& row, QueueRow& read);
  Status ReadTrigger(const Statement& row, AcceptedTrigger& trigger);
  Result<std::vector<ListedTrigger>> ReadAll(Statement& statement, std::size_t max_bytes);
  Result<std::string_view> SourceName(std::int64_t id);

  std::shared_ptr<SharedDatabase> shared_;
  std::map<std::int64_t, std::string> sources_;  // a name never changes; as many as the file has
  Statement rows_, listed_, source_, redeliveries_, deferred_, deferred_keys_, oldest_deferred_,
      find_, list_, list_listed_, list_discarded_, cursor_, undeliverable_, discarded_,
      queued_again_, settled_, checkpoint_, checkpoints_;
};

}  // namespace tower

#endif  // CORE_QUEUE_READER_H_
