#ifndef CORE_QUEUE_HISTORY_H_
#define CORE_QUEUE_HISTORY_H_

#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/queue/key_table.h"
#include "core/queue/lists.h"
#include "core/queue/log_table.h"
#include "core/queue/rows.h"
#include "core/queue/sqlite.h"

namespace tower {

// The tables `state` and `settlements`: how far the log is settled, when it was settled, and how
// far it is trimmed. History is what lies between.
class History {
 public:
  History(QueueEnds& ends, LogTable& log, KeyTable& keys, Lists& lists)
      : ends_(ends), log_(log), keys_(keys), lists_(lists) {}
  Status Prepare(Database& database);
  // Reads the cursor and how far the log is trimmed.
  static Status ReadEnds(Database& database, QueueEnds& ends);
  // Corrects a `trimmed` beyond the cursor, if the rows tell what it should be. Returns what was
  // wrong; empty if nothing was corrected.
  static Result<std::string> Repair(Database& database, QueueEnds& ends);

  Status MoveCursor(std::int64_t seq, std::int64_t position, std::int64_t now_ms);

  struct Limits {
    std::int64_t settled_before_ms = 0, max_triggers = 0, max_bytes = 0;
  };
  static constexpr std::int64_t kTrimStep = 500;
  // One step of trimming: at most kTrimStep triggers of history past the limits, and as many
  // discarded ones. True: there is more to trim.
  Result<bool> Trim(const Limits& limits);
  // Stores `trimmed` as Repair has corrected it.
  Status StoreTrimmed() { return move_trimmed_.Run(ends_.trimmed, ends_.trimmed_position); }
  // The transaction was undone.
  void Undo() { settlement_seq_ = -1; }

 private:
  Result<bool> TrimLog(const Limits& limits, bool all);

  QueueEnds& ends_;  // as the open transaction will leave it
  LogTable& log_;
  KeyTable& keys_;
  Lists& lists_;
  std::int64_t settlement_seq_ = -1, settlement_ms_ = 0;  // the newest row of settlements
  Statement move_cursor_, move_trimmed_;
  Statement add_settlement_, drop_settlement_, oldest_settlement_, trim_settlements_;
};

}  // namespace tower

#endif  // CORE_QUEUE_HISTORY_H_
