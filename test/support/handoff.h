// What one thread tells another, or holds another up with. The other thread shares the state, so it
// may still be at it when the scope has ended: a future is ready before set_value has returned.
#ifndef TEST_SUPPORT_HANDOFF_H_
#define TEST_SUPPORT_HANDOFF_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

namespace tower {

// A value that a callback is called with, once.
template <typename T>
class Told {
 public:
  std::function<void(T)> Teller() const {
    return [promise = promise_](T value) { promise->set_value(std::move(value)); };
  }
  // Waits for it; throws when it does not come. Once.
  T Get() {
    if (future_.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      throw std::runtime_error("nothing was told");
    }
    return future_.get();
  }

 private:
  const std::shared_ptr<std::promise<T>> promise_ = std::make_shared<std::promise<T>>();
  std::future<T> future_ = promise_->get_future();
};

// Closed until Open; opens at the end of the scope, so that a test that fails leaves nobody
// waiting.
class Gate {
 public:
  Gate() = default;
  ~Gate() { Open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void Open() const { Opener()(); }
  void Wait() const { Waiter()(); }
  // The two for another thread.
  std::function<void()> Opener() const {
    return [open = open_] {
      open->store(true);
      open->notify_all();
    };
  }
  std::function<void()> Waiter() const {
    return [open = open_] { open->wait(false); };
  }

 private:
  const std::shared_ptr<std::atomic<bool>> open_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace tower

#endif  // TEST_SUPPORT_HANDOFF_H_
