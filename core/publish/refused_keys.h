// Routing keys that the broker refuses (basic.nack), for example because a queue with
// `overflow: reject-publish` is full. Their triggers are deferred: they wait in the file of the
// queue. The oldest one of each key is sent after a pause, and the others follow in order once the
// broker takes it. No thread, clock or log.
#ifndef CORE_PUBLISH_REFUSED_KEYS_H_
#define CORE_PUBLISH_REFUSED_KEYS_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace tower {

struct RefusedKeyLimits {
  // Pause after the first refusal in a row; it doubles with each.
  std::chrono::milliseconds pause_min{100};
  std::chrono::milliseconds pause_max{5000};
  // A key that has not been refused for this long may have more than one message in flight. Until
  // then they are sent one by one, which keeps their order.
  std::chrono::milliseconds cooldown{10'000};
  std::size_t in_flight = 500;  // maximum messages in flight of one key
};

// One routing key that is refused. It is forgotten once none of its triggers is deferred or in
// flight and it has not been refused for RefusedKeyLimits::cooldown.
struct RefusedKey {
  using Time = std::chrono::steady_clock::time_point;

  // Its deferred triggers are read from the queue in order: where StartRead returns true, up to
  // Room() triggers with a sequence number above `read_seq` are read. OnSending is called before
  // each one is sent, and EndRead after the last one; RetryRead if there are none.

  // Returns false when nothing may be read for now. The key is due again when that has changed.
  bool StartRead();
  std::size_t Room() const noexcept { return limit - std::min(limit, in_flight); }
  void OnSending(std::int64_t seq);
  void EndRead();
  // The next read is at `at`, and begins with the oldest trigger.
  void RetryRead(Time at);

  std::int64_t deferred = 0;  // triggers that wait in the file, those in flight included
  std::size_t in_flight = 0;  // sent and not yet settled
  std::size_t limit = 1;      // maximum of in_flight
  int refusals = 0;           // in a row
  Time since{};               // the first refusal
  Time refused_at{};          // the last refusal
  Time retry_at{};            // the end of the pause after a refusal
  // When to read its triggers; Time::max(): not before something changes.
  Time due{};
  bool rewind = false;        // read from the oldest trigger on, once in_flight is 0
  std::int64_t read_seq = 0;  // of the last trigger read
  // Calls of TriggerQueue::Settle: the one that must be on disk before triggers are read, and the
  // last one with a trigger of this key.
  std::uint64_t required_settle = 0;
  std::uint64_t last_settle = 0;
};

// Not thread-safe.
class RefusedKeys {
 public:
  using Time = RefusedKey::Time;

  explicit RefusedKeys(const RefusedKeyLimits& limits) : limits_(limits) {}

  bool empty() const noexcept { return keys_.empty(); }
  std::size_t size() const noexcept { return keys_.size(); }
  std::int64_t deferred() const noexcept { return deferred_; }  // of all keys
  std::uint64_t changes() const noexcept { return changes_; }   // of what is deferred
  RefusedKey* Find(const std::string& routing_key);             // valid until ForgetIdle
  RefusedKey& Add(const std::string& routing_key, Time now);

  // A message was refused. Messages that were in flight together double the pause once.
  void OnRefused(RefusedKey& key, Time now);
  // A message was confirmed, or is undeliverable.
  void OnSettled(RefusedKey& key, Time now);
  void Defer(RefusedKey& key, std::int64_t count, Time now);
  // A deferred trigger was published or is undeliverable.
  void EndDeferred(RefusedKey& key);
  // The connection or the channel is gone: nothing is in flight any more.
  void ResetInFlight(Time now);

  // ForEachDue and ForgetIdle have nothing to do before this time; Time::max(): no key is due.
  Time due() const noexcept { return due_; }
  // Calls `each(routing_key, key)` for each key that is due, the longest due first. `each` sets
  // `key.due`; a key that is still due comes again with the next call.
  template <typename Each>
  void ForEachDue(Time now, Each each);
  // Calls `forgotten(routing_key, key)` for each key that is forgotten.
  template <typename Forgotten>
  void ForgetIdle(Time now, Forgotten forgotten);
  template <typename Each>
  void ForEach(Each each) const {
    for (const auto& [routing_key, key] : keys_) each(routing_key, key);
  }

 private:
  bool IsIdle(const RefusedKey& key, Time now) const noexcept {
    return key.deferred == 0 && key.in_flight == 0 && now - key.refused_at >= limits_.cooldown;
  }
  // When it may be read or forgotten.
  Time DueOf(const RefusedKey& key) const noexcept {
    if (key.deferred > 0) return key.due;
    return key.in_flight > 0 ? Time::max() : key.refused_at + limits_.cooldown;
  }

  const RefusedKeyLimits limits_;
  std::unordered_map<std::string, RefusedKey> keys_;
  std::int64_t deferred_ = 0;
  std::uint64_t changes_ = 0;
  Time due_ = Time::max();
};

template <typename Each>
void RefusedKeys::ForEachDue(Time now, Each each) {
  if (now < due_) return;
  std::vector<decltype(keys_)::value_type*> due;
  for (auto& entry : keys_) {
    if (entry.second.deferred > 0 && entry.second.due <= now) due.push_back(&entry);
  }
  std::sort(due.begin(), due.end(),
            [](const auto* a, const auto* b) { return a->second.due < b->second.due; });
  for (auto* entry : due) each(entry->first, entry->second);
  due_ = Time::max();
  for (const auto& [routing_key, key] : keys_) due_ = std::min(due_, DueOf(key));
}

template <typename Forgotten>
void RefusedKeys::ForgetIdle(Time now, Forgotten forgotten) {
  if (now < due_) return;
  std::erase_if(keys_, [&](auto& entry) {
    if (!IsIdle(entry.second, now)) return false;
    forgotten(entry.first, entry.second);
    return true;
  });
}

}  // namespace tower

#endif  // CORE_PUBLISH_REFUSED_KEYS_H_
