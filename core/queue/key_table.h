#ifndef CORE_QUEUE_KEY_TABLE_H_
#define CORE_QUEUE_KEY_TABLE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/queue/rows.h"
#include "core/queue/source_table.h"
#include "core/queue/sqlite.h"

namespace tower {

// The table `keys`: idempotency keys, and the triggers that they stand for.
class KeyTable {
 public:
  KeyTable(const QueueEnds& ends, SourceTable& sources) : ends_(ends), sources_(sources) {}
  Status Prepare(Database& database);

  struct Known {
    std::string fingerprint;
    std::vector<Uuid> uuids;
  };
  Result<std::optional<Known>> Find(std::string_view source, std::string_view key);
  // The key is kept as long as the trigger that was appended last.
  Status Add(std::string_view source, std::string_view key, std::string_view fingerprint,
             const std::vector<Uuid>& uuids);
  // Forgets keys of triggers up to that one.
  Status Trim(std::int64_t upto) { return trim_.Run(upto); }

 private:
  const QueueEnds& ends_;  // of the open transaction
  SourceTable& sources_;
  Statement find_, add_, trim_;
};

}  // namespace tower

#endif  // CORE_QUEUE_KEY_TABLE_H_
