#ifndef CORE_QUEUE_CHECKPOINT_TABLE_H_
#define CORE_QUEUE_CHECKPOINT_TABLE_H_

#include <string_view>

#include "core/base/result.h"
#include "core/queue/source_table.h"
#include "core/queue/sqlite.h"
#include "core/queue/types.h"

namespace tower {

// The table `checkpoints`: what watchers remember. QueueReader reads it.
class CheckpointTable {
 public:
  explicit CheckpointTable(SourceTable& sources) : sources_(sources) {}
  Status Prepare(Database& database);
  Status Change(std::string_view source, const CheckpointChange& change);

 private:
  SourceTable& sources_;
  Statement set_, forget_;
};

}  // namespace tower

#endif  // CORE_QUEUE_CHECKPOINT_TABLE_H_
