// How long to wait before something that failed is tried again.
#ifndef CORE_BASE_BACKOFF_H_
#define CORE_BASE_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace tower {

// Between half of a time that doubles with each failure and all of it, so that what failed together
// does not come back together. Not thread-safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds lowest, std::chrono::milliseconds highest)
      : lowest_(std::min(lowest, highest)), highest_(highest), next_(lowest_) {}

  void Reset() { next_ = lowest_; }
  void Exhaust() { next_ = highest_; }  // nothing is gained by trying soon
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
