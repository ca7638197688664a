#ifndef CORE_QUEUE_LOG_TABLE_H_
#define CORE_QUEUE_LOG_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/queue/rows.h"
#include "core/queue/source_table.h"
#include "core/queue/sqlite.h"

namespace tower {

// The table `triggers`: the log.
class LogTable {
 public:
  LogTable(QueueEnds& ends, SourceTable& sources) : ends_(ends), sources_(sources) {}
  Status Prepare(Database& database);
  // Reads where the log ends.
  static Status ReadEnds(Database& database, QueueEnds& ends);

  Result<std::optional<std::string>> FindBody(const Uuid& uuid);
  // Gives the row its seq and position, and stores it: with others at once, at the latest in
  // Flush. The row must stay where it is until then.
  Status Append(QueueRow& row);
  Status Flush();
  // The transaction was undone.
  void Undo() { appended_.clear(); }

  // The position of the newest row with after < seq <= upto; nothing if there is none.
  Result<std::optional<std::int64_t>> PositionAt(std::int64_t after, std::int64_t upto);
  // Deletes rows with after < seq <= upto that are on no list.
  Status Trim(std::int64_t after, std::int64_t upto) { return trim_.Run(after, upto); }
  Status Drop(std::int64_t seq) { return drop_.Run(seq); }

 private:
  QueueEnds& ends_;  // as the open transaction will leave it
  SourceTable& sources_;
  std::vector<std::pair<const QueueRow*, std::int64_t>> appended_;  // not yet stored, and source id
  Statement append_, append_many_, find_body_, position_at_, trim_, drop_;
};

}  // namespace tower

#endif  // CORE_QUEUE_LOG_TABLE_H_
