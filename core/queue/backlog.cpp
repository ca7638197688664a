#include "core/queue/backlog.h"

#include <algorithm>
#include <utility>

namespace tower {
namespace {

constexpr std::size_t kHandoverRows = 8192;
constexpr std::int64_t kHandoverBytes = 8 << 20;

std::int64_t MsOf(const AcceptedTrigger& trigger) {
  return static_cast<std::int64_t>(trigger.accepted_at.time_since_epoch().count());
}

}  // namespace

Backlog::Backlog(const QueueEnds& ends)
    : last_seq_(ends.last_seq),
      last_position_(ends.last_position),
      cursor_(ends.cursor),
      cursor_position_(ends.cursor_position),
      undeliverable_(ends.undeliverable),
      undeliverable_bytes_(ends.undeliverable_bytes),
      read_seq_(ends.cursor),
      lagging_(ends.cursor < ends.last_seq),
      redeliveries_(ends.redeliveries),
      redelivery_bytes_(ends.redelivery_bytes),
      last_redelivery_(ends.last_redelivery),
      deferred_(ends.deferred),
      deferred_bytes_(ends.deferred_bytes) {}

void Backlog::AddRedeliveries(const RedeliveryTotals& totals, std::int64_t last_number) {
  redeliveries_ += totals.count;
  redelivery_bytes_ += totals.bytes;
  undeliverable_ -= totals.listed;
  undeliverable_bytes_ -= totals.listed_bytes;
  last_redelivery_ = last_number;
}

std::vector<AcceptedTrigger> Backlog::RecordRedeliveries(std::vector<ListedTrigger>&& rows,
                                                         std::int64_t upto) {
  std::vector<AcceptedTrigger> taken;
  taken.reserve(rows.size());
  if (rows.empty()) redelivery_read_ = upto;  // numbers have gaps
  for (auto& row : rows) {
    redelivery_read_ = row.number;
    taken_[row.trigger.seq] = {Listing::kRedelivery, row.bytes};
    taken.push_back(std::move(row.trigger));
  }
  return taken;
}

void Backlog::RecordDeferred(const std::vector<ListedTrigger>& rows) {
  for (const auto& row : rows) taken_[row.trigger.seq] = {Listing::kDeferred, row.bytes};
}

void Backlog::Add(QueueRow&& row) {
  // A gap: the file was opened anew, and has rows of a commit that seemed to fail.
  const std::int64_t handed = handover_.empty() ? read_seq_ : handover_.back().trigger.seq;
  lagging_ = lagging_ || row.trigger.seq != handed + 1 || handover_.size() >= kHandoverRows ||
             handover_bytes_ > kHandoverBytes;
  if (lagging_) return;
  handover_bytes_ += static_cast<std::int64_t>(row.trigger.body.size());
  handover_.push_back(std::move(row));
}

void Backlog::SetEnd(std::int64_t last_seq, std::int64_t last_position) {
  // More than what was added: the same as the gap above.
  const std::int64_t handed = handover_.empty() ? read_seq_ : handover_.back().trigger.seq;
  lagging_ = lagging_ || handed < last_seq;
  last_seq_ = last_seq;
  last_position_ = last_position;
}

void Backlog::RecordTaken(const QueueRow& row) {
  const auto& trigger = row.trigger;
  const bool settled = row.listing != Listing::kNone;
  in_flight_.push_back({trigger.seq, row.position, SizeOf(trigger), MsOf(trigger), settled});
  if (!settled) ++unsettled_;
  read_seq_ = trigger.seq;
}

std::vector<AcceptedTrigger> Backlog::Take(std::size_t limit) {
  std::vector<AcceptedTrigger> taken;
  taken.reserve(std::min(limit, handover_.size()));
  while (!handover_.empty() && taken.size() < limit) {
    auto& row = handover_.front();
    RecordTaken(row);
    handover_bytes_ -= static_cast<std::int64_t>(row.trigger.body.size());
    taken.push_back(std::move(row.trigger));
    handover_.pop_front();
  }
  return taken;
}

std::vector<AcceptedTrigger> Backlog::RecordRead(std::vector<QueueRow>&& rows) {
  std::vector<AcceptedTrigger> taken;
  taken.reserve(rows.size());
  for (auto& row : rows) {
    RecordTaken(row);
    if (row.listing == Listing::kNone) taken.push_back(std::move(row.trigger));
  }
  if (read_seq_ == last_seq_) lagging_ = false;
  return taken;
}

bool Backlog::AdvanceCursor() {
  const auto before = cursor_;
  while (!in_flight_.empty() && in_flight_.front().settled) {
    cursor_ = in_flight_.front().seq;
    cursor_position_ = in_flight_.front().position;
    in_flight_.pop_front();
  }
  return cursor_ != before;
}

// Numbers have gaps only where rows were left out, so most stand where counting says.
std::deque<Backlog::InFlight>::iterator Backlog::FindInFlight(std::int64_t seq) {
  if (in_flight_.empty()) return in_flight_.end();
  const auto guess = static_cast<std::size_t>(seq - in_flight_.front().seq);
  if (guess < in_flight_.size() && in_flight_[guess].seq == seq) {
    return in_flight_.begin() + static_cast<std::ptrdiff_t>(guess);
  }
  return std::lower_bound(
      in_flight_.begin(), in_flight_.end(), seq,
      [](const InFlight& each, std::int64_t number) { return each.seq < number; });
}

// The trigger leaves the list that it was on, and comes to the one of its fate.
void Backlog::Count(const SettledTrigger& settled) {
  const auto add = [&settled](std::int64_t& count, std::int64_t& bytes, int sign) {
    count += sign;
    bytes += sign * settled.bytes;
  };
  if (settled.from == Listing::kRedelivery) add(redeliveries_, redelivery_bytes_, -1);
  if (settled.from == Listing::kDeferred) add(deferred_, deferred_bytes_, -1);
  if (settled.fate == Fate::kUndeliverable) add(undeliverable_, undeliverable_bytes_, 1);
  if (settled.fate == Fate::kDeferred) add(deferred_, deferred_bytes_, 1);
}

bool Backlog::Settle(std::span<const Outcome> outcomes, std::int64_t now_ms,
                     std::vector<SettledTrigger>& settled) {
  const auto before = settled.size();
  for (const auto& outcome : outcomes) {
    if (const auto taken = taken_.find(outcome.seq); taken != taken_.end()) {
      const auto [from, bytes] = taken->second;
      taken_.erase(taken);
      settled.push_back({outcome.seq, from, outcome.fate, outcome.reason, now_ms, bytes});
      Count(settled.back());
      continue;
    }
    const auto entry = FindInFlight(outcome.seq);
    if (entry == in_flight_.end() || entry->seq != outcome.seq || entry->settled) continue;
    entry->settled = true;
    --unsettled_;
    if (outcome.fate == Fate::kPublished) continue;
    settled.push_back(
        {outcome.seq, Listing::kNone, outcome.fate, outcome.reason, now_ms, entry->bytes});
    Count(settled.back());
  }
  return AdvanceCursor() || settled.size() > before;
}

std::int64_t Backlog::oldest_ms() const noexcept {
  if (!in_flight_.empty()) return in_flight_.front().accepted_ms;
  return handover_.empty() ? 0 : MsOf(handover_.front().trigger);
}

}  // namespace tower
