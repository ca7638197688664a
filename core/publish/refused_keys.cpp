#include "core/publish/refused_keys.h"

#include <algorithm>
#include <utility>

namespace tower {

bool RefusedKey::StartRead() {
  if (rewind) {
    if (in_flight > 0) {  // they are settled first
      due = Time::max();
      return false;
    }
    rewind = false;
    read_seq = 0;
    required_settle = last_settle;
  }
  if (Room() == 0 || deferred <= static_cast<std::int64_t>(in_flight)) {
    due = Time::max();
    return false;
  }
  return true;
}

void RefusedKey::OnSending(std::int64_t seq) {
  read_seq = seq;
  ++in_flight;
}

void RefusedKey::EndRead() {
  const bool all = deferred <= static_cast<std::int64_t>(in_flight);
  if (all || in_flight >= limit) due = Time::max();
}

void RefusedKey::RetryRead(Time at) {
  rewind = true;
  due = at;
}

RefusedKey* RefusedKeys::Find(const std::string& routing_key) {
  const auto found = keys_.find(routing_key);
  return found == keys_.end() ? nullptr : &found->second;
}

RefusedKey& RefusedKeys::Add(const std::string& routing_key, Time now) {
  auto& key = keys_[routing_key];
  key.since = key.refused_at = key.due = now;
  due_ = std::min(due_, now);
  return key;
}

void RefusedKeys::OnRefused(RefusedKey& key, Time now) {
  if (key.in_flight > 0) --key.in_flight;
  if (!std::exchange(key.rewind, true)) {
    const auto pause = limits_.pause_min * (1 << std::min(key.refusals, 10));
    key.retry_at = now + std::min(pause, limits_.pause_max);
    ++key.refusals;
  }
  key.refused_at = now;
  key.limit = 1;
  key.due = key.retry_at;
  due_ = std::min(due_, key.due);
}

void RefusedKeys::OnSettled(RefusedKey& key, Time now) {
  if (key.in_flight > 0) --key.in_flight;
  key.refusals = 0;
  if (now - key.refused_at >= limits_.cooldown) {
    key.limit = std::min(key.limit + 1, limits_.in_flight);
  }
  key.due = now;
  due_ = std::min(due_, now);
}

void RefusedKeys::Defer(RefusedKey& key, std::int64_t count, Time now) {
  key.deferred += count;
  deferred_ += count;
  ++changes_;
  // A key that waits for something to read has it now; a key that is in its pause stays there.
  if (key.due == Time::max()) key.due = now;
  due_ = std::min(due_, key.due);
}

void RefusedKeys::EndDeferred(RefusedKey& key) {
  --key.deferred;
  --deferred_;
  ++changes_;
}

void RefusedKeys::ResetInFlight(Time now) {
  for (auto& [routing_key, key] : keys_) {
    key.in_flight = 0;
    key.rewind = true;
    key.due = now;
  }
  if (!keys_.empty()) due_ = now;
}

}  // namespace tower
