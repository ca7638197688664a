// Routing keys that the broker refuses for now (basic.nack): a full queue whose overflow is
// reject-publish, for one. Their triggers are deferred: they wait in the queue's file, the oldest
// one of each key is sent from time to time, and the others follow in order once the broker takes
// it. A plain data structure: no thread, no clock, no log.
#ifndef CORE_PUBLISH_REFUSED_KEYS_H_
#define CORE_PUBLISH_REFUSED_KEYS_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tower {

// One routing key that is refused. A key is forgotten once nothing of it is deferred or on its way,
// and it has not been refused for RefusedKeyLimits::calm.
struct RefusedKey {
  using Time = std::chrono::steady_clock::time_point;
  std::int64_t deferred = 0;       // triggers that wait in the file, those on their way included
  std::size_t in_flight = 0;       // sent, without an answer
  std::size_t limit = 1;           // most in_flight
  int refusals = 0;                // in a row
  Time since{};                    // when the first of them came
  Time refused_at{};               // when the last of them came
  Time resume{};                   // not sent before, after a refusal
  Time next{};                     // when it is to be looked at again
  bool rewind = false;             // read from the oldest one on, once in_flight is 0
  std::int64_t read_seq = 0;       // up to here the file was read
  std::uint64_t settled = 0;       // the call of TriggerQueue::Settle that reading has to wait for
  std::uint64_t last_settled = 0;  // the last call that had a trigger of this key
};

struct RefusedKeyLimits {
  std::chrono::milliseconds pause_min{100};  // after the first refusal in a row; doubles with each
  std::chrono::milliseconds pause_max{5000};
  // A key that was not refused for so long may have more than one message on its way again.
  // Until then order is kept strictly, one by one.
  std::chrono::milliseconds calm{10'000};
  std::size_t in_flight = 500;  // most messages on their way of one key
};

class RefusedKeys {
 public:
  using Time = RefusedKey::Time;

  explicit RefusedKeys(const RefusedKeyLimits& limits) : limits_(limits) {}

  bool empty() const noexcept { return keys_.empty(); }
  std::size_t size() const noexcept { return keys_.size(); }
  std::int64_t deferred() const noexcept { return deferred_; }  // of all keys

  RefusedKey* Find(const std::string& routing_key);  // good until Forget
  RefusedKey& Add(const std::string& routing_key, Time now);

  // A message was refused. Escalates once for what was on its way together.
  void Refuse(RefusedKey& key, Time now);
  // A message was confirmed, or is undeliverable.
  void Take(RefusedKey& key, Time now);
  void Defer(RefusedKey& key, std::int64_t count, Time now);
  void EndDeferred(RefusedKey& key);  // one was published or is undeliverable
  // Nothing is on its way any more: the connection or the channel is gone.
  void Reset(Time now);

  // When a key is to be looked at again; Time::max() when none is.
  Time due() const noexcept { return due_; }
  // Calls `look(routing_key, key)` for each key whose time has come, in the order of their times.
  // It sets `key.next`; one that is still due is looked at again at once the next time.
  template <typename Look>
  void LookAtDue(Time now, Look look);
  // Forgets what is calm and empty; calls `forgotten(routing_key, key)` for each.
  template <typename Forgotten>
  void Forget(Time now, Forgotten forgotten);
  template <typename Each>
  void ForEach(Each each) const {
    for (const auto& [routing_key, key] : keys_) each(routing_key, key);
  }

 private:
  bool IsDone(const RefusedKey& key, Time now) const noexcept {
    return key.deferred == 0 && key.in_flight == 0 && now - key.refused_at >= limits_.calm;
  }
  // When it may be sent or forgotten.
  Time NextLook(const RefusedKey& key) const noexcept {
    if (key.deferred > 0) return key.next;
    return key.in_flight > 0 ? Time::max() : key.refused_at + limits_.calm;
  }

  const RefusedKeyLimits limits_;
  std::unordered_map<std::string, RefusedKey> keys_;
  std::int64_t deferred_ = 0;
  Time due_ = Time::max();
};

template <typename Look>
void RefusedKeys::LookAtDue(Time now, Look look) {
  if (now < due_) return;
  std::vector<decltype(keys_)::value_type*> due;
  for (auto& entry : keys_) {
    if (entry.second.deferred > 0 && entry.second.next <= now) due.push_back(&entry);
  }
  std::sort(due.begin(), due.end(),
            [](const auto* a, const auto* b) { return a->second.next < b->second.next; });
  for (auto* entry : due) look(entry->first, entry->second);
  due_ = Time::max();
  for (const auto& [routing_key, key] : keys_) due_ = std::min(due_, NextLook(key));
}

template <typename Forgotten>
void RefusedKeys::Forget(Time now, Forgotten forgotten) {
  if (now < due_) return;
  std::erase_if(keys_, [&](auto& entry) {
    if (!IsDone(entry.second, now)) return false;
    forgotten(entry.first, entry.second);
    return true;
  });
}

}  // namespace tower

#endif  // CORE_PUBLISH_REFUSED_KEYS_H_
