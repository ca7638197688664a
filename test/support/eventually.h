// Waiting for a condition that another thread or process brings about.
#ifndef TEST_SUPPORT_EVENTUALLY_H_
#define TEST_SUPPORT_EVENTUALLY_H_

#include <chrono>
#include <thread>

namespace tower {

// True as soon as the condition holds; false when it does not within the deadline, which is
// generous: tests share two cores with compilers and a broker.
template <typename Condition>
bool Eventually(Condition condition, std::chrono::seconds deadline = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // between two looks
  }
  return true;
}

}  // namespace tower

#endif  // TEST_SUPPORT_EVENTUALLY_H_
