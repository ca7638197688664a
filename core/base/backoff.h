// Exponential backoff with jitter.
#ifndef CORE_BASE_BACKOFF_H_
#define CORE_BASE_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace tower {

// The delay before each retry: a random time between half of an interval and the whole interval,
// which doubles with each call of Next up to `highest`. The jitter spreads the retries of callers
// that failed at the same time. Not thread-safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds lowest, std::chrono::milliseconds highest)
      : lowest_(std::min(lowest, highest)), highest_(highest), next_(lowest_) {}

  // After a success: the next interval is the lowest.
  void Reset() { next_ = lowest_; }
  // After an error for which an early retry is pointless: the next interval is the highest.
  void Exhaust() { next_ = highest_; }
  std::chrono::milliseconds Next() {
    const auto full = next_;
    next_ = next_ > highest_ / 2 ? highest_ : next_ * 2;
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(full.count() / 2, full.count())(random_));
  }

 private:
  std::chrono::milliseconds lowest_, highest_, next_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace tower

#endif  // CORE_BASE_BACKOFF_H_
