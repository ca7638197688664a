#include <algorithm>
#include <iterator>
#include <utility>

#include "core/publisher_impl.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kIdle{1000};  // the broker's heartbeats want a look that often
constexpr milliseconds kRefusedPause{100};
constexpr milliseconds kRefusedPauseMost{5000};
constexpr std::size_t kBurst = 256;                   // messages between two looks at the broker
constexpr std::size_t kBurstBytes = 1024 * 1024;      // bytes, the same
constexpr std::size_t kMostBytes = 64 * 1024 * 1024;  // of unconfirmed bodies in memory

bool BySeq(const Outgoing& a, const Outgoing& b) { return a.trigger.seq < b.trigger.seq; }

}  // namespace

void Publisher::Impl::Turn(bool draining) {
  now_ = steady_clock::now();
  more_ = drained_ = false;
  ReleaseRefused();
  Status s = Fill();
  if (s && !(draining && Done())) {
    events_.clear();
    s = broker_->Wait(WaitTime(), wakeup_.fd(), events_);
    wakeup_.Clear();
    now_ = steady_clock::now();
    for (BrokerEvent& event : events_) Hear(event);
  }
  if (!outcomes_.empty()) {
    queue_.Settle(outcomes_);
    outcomes_.clear();
  }
  if (s && reset_) s = std::move(*reset_);
  if (s && Stalled()) s = Error{ErrorCode::kTimeout, "the broker confirms nothing any more"};
  reset_.reset();
  if (!s) Lost(s.error());
}

std::size_t Publisher::Impl::Window() const {
  return static_cast<std::size_t>(std::max<std::int64_t>(options_.window, 1));
}

bool Publisher::Impl::HasRoom() const {
  if (window_.size() >= limit_ || window_.size() + nacked_.size() >= Window()) return false;
  return window_.size() == 0 || window_.bytes() < kMostBytes;
}

bool Publisher::Impl::Stalled() const {
  return !blocked_ && window_.size() + nacked_.size() > 0 &&
         now_ - progress_at_ > options_.confirm_timeout;
}

// Sends what there is room for. A window that is three quarters full keeps the broker busy: it is
// filled up in large pieces, which costs less than one by one.
Status Publisher::Impl::Fill() {
  if (blocked_) {
    if (waiting_.empty()) TakeMore();  // so that a stop knows whether there is anything left
    return Ok();
  }
  if (window_.size() > limit_ - limit_ / 4) return Ok();
  std::size_t bytes = 0;
  for (std::size_t sent = 0; HasRoom(); ++sent) {
    if (sent == kBurst || bytes >= kBurstBytes) {
      more_ = true;
      return Ok();
    }
    if (waiting_.empty() && !TakeMore()) return Ok();
    bytes += waiting_.front().trigger.body.size();
    if (Status s = SendNext(); !s) return s;
  }
  return Ok();
}

bool Publisher::Impl::TakeMore() {
  if (now_ < take_at_) return false;
  const std::size_t room = Window() - std::min(Window(), window_.size() + nacked_.size());
  auto taken = queue_.TryTake(std::clamp<std::size_t>(room, 1, kBurst));
  if (!taken) {
    take_at_ = now_ + kIdle;
    if (take_log_.Pass(taken.error().message, now_)) {
      log_.Error("queue not readable", {{"error", taken.error()}});
    }
    return false;
  }
  for (AcceptedTrigger& trigger : *taken) waiting_.push_back({.trigger = std::move(trigger)});
  drained_ = taken->empty();
  if (drained_) more_ = queue_.WakeWhenReady(wakeup_);
  return !drained_;
}

Status Publisher::Impl::SendNext() {
  Outgoing& next = waiting_.front();
  auto tag = broker_->Publish(next.trigger);
  if (tag) {
    next.sent_at = now_;
    if (window_.size() + nacked_.size() == 0) progress_at_ = now_;
    window_.Add(*tag, std::move(next));
  } else if (tag.error().code == ErrorCode::kInvalid) {
    Undeliverable(next, invalid_, "invalid: " + tag.error().message);
  } else {
    return tag.error();
  }
  waiting_.pop_front();
  return Ok();
}

milliseconds Publisher::Impl::WaitTime() const {
  if (more_) return milliseconds(0);
  if (nacked_.empty()) return kIdle;
  return std::clamp(std::chrono::ceil<milliseconds>(nacked_until_ - now_), milliseconds(0), kIdle);
}

void Publisher::Impl::Hear(BrokerEvent& event) {
  switch (event.kind) {
    case BrokerEvent::Kind::kConfirmed:
      progress_at_ = now_;
      window_.Settle(event.tag, event.multiple, [this](Outgoing& message) { Settled(message); });
      backoff_.Reset();
      return;
    case BrokerEvent::Kind::kRefused:
      window_.Settle(event.tag, event.multiple, [this](Outgoing& message) {
        const int doublings = std::min(message.refusals, 10);
        const auto pause = std::min(kRefusedPauseMost, kRefusedPause * (1 << doublings));
        nacked_.push_back(std::move(message));
        Outgoing& again = nacked_.back();
        ++again.refusals;
        again.settled = again.returned = false;
        nacked_until_ = std::max(nacked_until_, now_ + pause);
      });
      return;
    case BrokerEvent::Kind::kReturned:
      window_.MarkReturned(event.tag);
      return;
    case BrokerEvent::Kind::kReset:
      HearReset(event);
      return;
    case BrokerEvent::Kind::kBlocked:
      SetBlocked(true, event.reason);
      return;
    case BrokerEvent::Kind::kUnblocked:
      progress_at_ = now_;
      SetBlocked(false, {});
      return;
  }
}

// The broker does not say which message made it close the channel. So what was under way is sent
// again, half as many at a time, until the channel closes with a single message under way: that one
// it was. Each confirm lets one more be under way, so that a bad message holds up thousands of
// others for a few answers of the broker only. A reason that no message has in itself (a missing
// exchange, say) ends the connection instead, which brings back the topology after a pause.
void Publisher::Impl::HearReset(const BrokerEvent& event) {
  std::vector<Outgoing> unknown = window_.TakeAll();
  if (reset_log_.Pass(event.reason, now_)) {
    log_.Warn("broker closed the channel",
              {{"reason", event.reason}, {"unconfirmed", unknown.size()}});
  }
  if (!event.message_at_fault) {
    reset_ = Error{ErrorCode::kUnavailable, event.reason};
  } else if (unknown.size() == 1) {
    Undeliverable(unknown.front(), refused_, "refused: " + event.reason);
    return;
  } else {
    limit_ = std::max<std::size_t>(unknown.size() / 2, 1);
  }
  SendAgain(std::move(unknown));
}

void Publisher::Impl::SetBlocked(bool blocked, const std::string& reason) {
  if (std::exchange(blocked_, blocked) == blocked) return;
  SetState(true, "");
  if (blocked) {
    log_.Warn("broker takes nothing", {{"reason", reason}});
  } else {
    log_.Info("broker takes messages again");
  }
}

void Publisher::Impl::Settled(Outgoing& message) {
  limit_ = std::min(limit_ + 1, Window());
  confirm_seconds_.Observe(std::chrono::duration<double>(now_ - message.sent_at).count());
  if (message.returned) {
    Undeliverable(message, unroutable_, "unroutable");
    return;
  }
  published_.Add();
  outcomes_.push_back({.seq = message.trigger.seq});
}

void Publisher::Impl::Undeliverable(const Outgoing& message, Counter& counter, std::string reason) {
  counter.Add();
  if (undeliverable_log_.Pass(reason, now_)) {
    log_.Warn("trigger undeliverable", {{"uuid", message.trigger.uuid.ToString()},
                                        {"protocol", message.trigger.protocol},
                                        {"reason", reason}});
  }
  outcomes_.push_back(
      {.seq = message.trigger.seq, .published = false, .reason = std::move(reason)});
}

void Publisher::Impl::SendAgain(std::vector<Outgoing> messages) {
  if (messages.empty()) return;
  waiting_.insert(waiting_.begin(), std::make_move_iterator(messages.begin()),
                  std::make_move_iterator(messages.end()));
  std::sort(waiting_.begin(), waiting_.end(), BySeq);
}

void Publisher::Impl::ReleaseRefused() {
  if (!nacked_.empty() && now_ >= nacked_until_) SendAgain(std::exchange(nacked_, {}));
}

}  // namespace tower
