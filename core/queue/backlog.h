// What was accepted and is not yet settled, as far as it is in memory: rows handed over to the
// consumer, what it has taken, and the cursor behind all that is settled. A plain data structure:
// no thread, no lock, no file.
#ifndef CORE_QUEUE_BACKLOG_H_
#define CORE_QUEUE_BACKLOG_H_

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "core/queue/rows.h"
#include "core/queue/types.h"

namespace tower {

class Backlog {
 public:
  explicit Backlog(const QueueEnds& ends);

  // Committed rows, in order. They stay in memory until taken while the consumer keeps up; once it
  // lags, it reads them from the file, up to last_seq().
  void Add(QueueRow&& row);
  // The log ends here now; after the rows of the same commit were added.
  void SetEnd(std::int64_t last_seq, std::int64_t last_position);

  bool ready() const noexcept { return has_rows() || has_redeliveries(); }
  // There are rows of the log to be taken.
  bool has_rows() const noexcept { return read_seq_ < last_seq_; }
  // The next rows in memory, at most `limit`. Empty while ready() means: read the file after
  // read_seq(), and RecordRead.
  std::vector<AcceptedTrigger> Take(std::size_t limit);
  // Rows that were read from the file right after read_seq(); returns those that are to be
  // published.
  std::vector<AcceptedTrigger> RecordRead(std::vector<QueueRow>&& rows);

  // Redeliveries are in the file alone: those with redelivery_read() < number <= last_redelivery()
  // are to be read, and noted.
  void AddRedeliveries(const RedeliveryTotals& totals, std::int64_t last_number);
  bool has_redeliveries() const noexcept { return redelivery_read_ < last_redelivery_; }
  std::int64_t redelivery_read() const noexcept { return redelivery_read_; }
  std::int64_t last_redelivery() const noexcept { return last_redelivery_; }
  // None: there are none up to `upto`, which was last_redelivery() when they were read; there may
  // be more by now.
  std::vector<AcceptedTrigger> RecordRedeliveries(std::vector<ListedTrigger>&& rows,
                                                  std::int64_t upto);

  // Deferred triggers that the consumer has taken from the file.
  void RecordDeferred(const std::vector<ListedTrigger>& rows);

  // Moves the cursor over the settled prefix. Appends what the cursor alone does not tell. True
  // when there is anything to store.
  bool Settle(std::span<const Outcome> outcomes, std::int64_t now_ms,
              std::vector<SettledTrigger>& settled);

  std::int64_t last_seq() const noexcept { return last_seq_; }
  std::int64_t read_seq() const noexcept { return read_seq_; }
  std::int64_t cursor() const noexcept { return cursor_; }
  std::int64_t cursor_position() const noexcept { return cursor_position_; }
  std::int64_t undeliverable() const noexcept { return undeliverable_; }
  std::int64_t deferred() const noexcept { return deferred_; }
  // Rows that are not yet taken count as unsettled, though some may stand on a list after a
  // restart.
  std::int64_t depth() const noexcept {
    return last_seq_ - read_seq_ + unsettled_ + redeliveries_ + deferred_;
  }
  // Bytes of all that is not history.
  std::int64_t bytes() const noexcept {
    return last_position_ - cursor_position_ + undeliverable_bytes_ + redelivery_bytes_ +
           deferred_bytes_;
  }
  // When the oldest unsettled trigger was accepted, in ms since 1970; 0 when that is not known in
  // memory.
  std::int64_t oldest_ms() const noexcept;

 private:
  struct InFlight {
    std::int64_t seq, position, bytes, accepted_ms;
    bool settled;
  };
  // A trigger that was taken from a list, not from the log.
  struct Taken {
    Listing from;
    std::int64_t bytes;
  };
  void Count(const SettledTrigger& settled);
  void RecordTaken(const QueueRow& row);
  bool AdvanceCursor();
  std::deque<InFlight>::iterator FindInFlight(std::int64_t seq);  // end() when it is not there

  std::int64_t last_seq_, last_position_;
  std::int64_t cursor_, cursor_position_;
  std::int64_t undeliverable_, undeliverable_bytes_;
  std::int64_t read_seq_;
  bool lagging_;  // rows behind those in handover_ are in the file only
  std::deque<QueueRow> handover_;
  std::int64_t handover_bytes_ = 0;
  std::deque<InFlight> in_flight_;
  std::int64_t unsettled_ = 0;                    // of in_flight_
  std::int64_t redeliveries_, redelivery_bytes_;  // not yet settled
  std::int64_t last_redelivery_, redelivery_read_ = 0;
  std::int64_t deferred_, deferred_bytes_;
  std::map<std::int64_t, Taken> taken_;  // by seq
};

}  // namespace tower

#endif  // CORE_QUEUE_BACKLOG_H_
