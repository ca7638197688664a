#include "core/publish/outbox.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tower {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMaxRefusedTimeout = std::chrono::hours(1);

bool BySeq(const Outgoing& a, const Outgoing& b) { return a.trigger.seq < b.trigger.seq; }

}  // namespace

Outbox::Outbox(const OutboxOptions& options)
    : confirm_timeout_(options.confirm_timeout),
      max_limit_(static_cast<std::size_t>(std::max<std::int64_t>(options.window, 1))),
      limit_(max_limit_),
      refused_keys_([&] {
        auto limits = options.refused;
        limits.in_flight =
            std::clamp<std::size_t>(limits.in_flight, 1, std::max<std::size_t>(max_limit_ / 2, 1));
        return limits;
      }()),
      refused_timeout_(options.confirm_timeout) {}

// The key of the trigger if it is refused, else null. Costs nothing while no key is.
RefusedKey* Outbox::FindRefusedKey(const AcceptedTrigger& trigger) {
  if (refused_keys_.empty()) return nullptr;
  AssignRoutingKey(routing_key_, trigger.api_version, trigger.protocol);
  return refused_keys_.Find(routing_key_);
}

bool Outbox::DeferNext(Time now) {
  const AcceptedTrigger& trigger = waiting_.front().trigger;
  RefusedKey* key = FindRefusedKey(trigger);
  if (key == nullptr) return false;
  Defer(trigger, *key, now);
  waiting_.pop_front();
  return true;
}

void Outbox::OnSent(std::uint64_t tag, Outgoing&& message, Time now) {
  message.sent_at = now;
  if (window_.size() == 0) {
    answered_at_ = now;
    if (refused_keys_.deferred() == 0) progress_at_ = now;
  }
  window_.Add(tag, std::move(message));
}

void Outbox::GiveUp(const Outgoing& message, std::string reason, Time now) {
  UpdateRefusedKey(message, now);
  outcomes_.push_back(
      {.seq = message.trigger.seq, .fate = Fate::kUndeliverable, .reason = std::move(reason)});
}

void Outbox::OnConfirmed(std::uint64_t tag, bool multiple, Time now,
                         const MessageSettled& settled) {
  progress_at_ = answered_at_ = now;
  refused_timeout_ = confirm_timeout_;
  window_.Settle(tag, multiple, [&](const Outgoing& message) {
    limit_ = std::min(limit_ + 1, max_limit_);
    settled(message);
    if (message.returned) {
      GiveUp(message, "unroutable", now);
      return;
    }
    UpdateRefusedKey(message, now);
    outcomes_.push_back({.seq = message.trigger.seq});
  });
}

std::size_t Outbox::OnRefused(std::uint64_t tag, bool multiple, Time now,
                              const KeyRefused& refused) {
  answered_at_ = now;
  std::size_t count = 0;
  window_.Settle(tag, multiple, [&](const Outgoing& message) {
    ++count;
    AssignRoutingKey(routing_key_, message.trigger.api_version, message.trigger.protocol);
    RefusedKey* key = refused_keys_.Find(routing_key_);
    if (key == nullptr) {
      key = &refused_keys_.Add(routing_key_, now);
      key->in_flight = window_.Count(routing_key_) + 1;  // with this one
      refused(routing_key_);
    }
    refused_keys_.OnRefused(*key, now);
    if (!message.deferred) Defer(message.trigger, *key, now);
  });
  return count;
}

std::optional<Outgoing> Outbox::OnChannelClosed(Time now) {
  std::vector<Outgoing> unknown = window_.TakeAll();
  if (unknown.size() == 1) return std::move(unknown.front());
  limit_ = std::max<std::size_t>(unknown.size() / 2, 1);
  Requeue(std::move(unknown), now);
  return std::nullopt;
}

Outbox::Progress Outbox::CheckProgress(Time now) {
  if (window_.size() > 0 && now - answered_at_ > confirm_timeout_) return Progress::kSilent;
  if (refused_keys_.deferred() == 0 || now - progress_at_ <= refused_timeout_) return Progress::kOk;
  refused_timeout_ = std::min(refused_timeout_ * 2, kMaxRefusedTimeout);
  return Progress::kRefused;
}

void Outbox::AddDeferred(const std::string& routing_key, std::int64_t count, Time now) {
  refused_keys_.Defer(refused_keys_.Add(routing_key, now), count, now);
}

void Outbox::OnSettled(std::uint64_t settled) {
  outcomes_.clear();
  for (const auto& routing_key : settling_) {
    if (auto* key = refused_keys_.Find(routing_key); key != nullptr) key->last_settle = settled;
  }
  settling_.clear();
}

// REQUIRES: `key` is that of `routing_key_`.
void Outbox::Defer(const AcceptedTrigger& trigger, RefusedKey& key, Time now) {
  refused_keys_.Defer(key, 1, now);
  outcomes_.push_back({.seq = trigger.seq, .fate = Fate::kDeferred, .reason = routing_key_});
  settling_.push_back(routing_key_);
}

// The message is published or given up: its routing key, if refused, makes progress.
void Outbox::UpdateRefusedKey(const Outgoing& message, Time now) {
  RefusedKey* key = FindRefusedKey(message.trigger);
  if (key == nullptr) return;
  refused_keys_.OnSettled(*key, now);
  if (message.deferred) refused_keys_.EndDeferred(*key);
  settling_.push_back(routing_key_);
}

// Deferred messages stay deferred. Messages of a key that has come to be refused since they were
// sent join them: later triggers of the key may be among the deferred ones already.
void Outbox::Requeue(std::vector<Outgoing> messages, Time now) {
  refused_keys_.ResetInFlight(now);
  std::erase_if(messages, [&](const Outgoing& message) {
    if (message.deferred) return true;
    RefusedKey* key = FindRefusedKey(message.trigger);
    if (key != nullptr) Defer(message.trigger, *key, now);
    return key != nullptr;
  });
  if (messages.empty()) return;
  waiting_.insert(waiting_.begin(), std::make_move_iterator(messages.begin()),
                  std::make_move_iterator(messages.end()));
  std::sort(waiting_.begin(), waiting_.end(), BySeq);
}

}  // namespace tower
