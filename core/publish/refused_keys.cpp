#include "core/publish/refused_keys.h"

#include <algorithm>
#include <utility>

namespace tower {

RefusedKey* RefusedKeys::Find(const std::string& routing_key) {
  const auto found = keys_.find(routing_key);
  return found == keys_.end() ? nullptr : &found->second;
}

RefusedKey& RefusedKeys::Add(const std::string& routing_key, Time now) {
  auto& key = keys_[routing_key];
  key.since = key.refused_at = key.next = now;
  due_ = std::min(due_, now);
  return key;
}

void RefusedKeys::Refuse(RefusedKey& key, Time now) {
  if (key.in_flight > 0) --key.in_flight;
  if (!std::exchange(key.rewind, true)) {
    const auto pause = limits_.pause_min * (1 << std::min(key.refusals, 10));
    key.resume = now + std::min(pause, limits_.pause_max);
    ++key.refusals;
  }
  key.refused_at = now;
  key.limit = 1;
  key.next = key.resume;
  due_ = std::min(due_, key.next);
}

void RefusedKeys::Take(RefusedKey& key, Time now) {
  if (key.in_flight > 0) --key.in_flight;
  key.refusals = 0;
  if (now - key.refused_at >= limits_.calm) key.limit = std::min(key.limit + 1, limits_.in_flight);
  key.next = now;
  due_ = std::min(due_, now);
}

void RefusedKeys::Defer(RefusedKey& key, std::int64_t count, Time now) {
  key.deferred += count;
  deferred_ += count;
  // What waits for something new to come has it now; what waits for its pause goes on waiting.
  if (key.next == Time::max()) key.next = now;
  due_ = std::min(due_, key.next);
}

void RefusedKeys::EndDeferred(RefusedKey& key) {
  --key.deferred;
  --deferred_;
}

void RefusedKeys::Reset(Time now) {
  for (auto& [routing_key, key] : keys_) {
    key.in_flight = 0;
    key.rewind = true;
    key.next = now;
  }
  if (!keys_.empty()) due_ = now;
}

}  // namespace tower
