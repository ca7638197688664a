// Ends a blocking request from outside, whatever it is waiting for.
#ifndef CORE_HTTP_CUTTER_H_
#define CORE_HTTP_CUTTER_H_

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "core/resolver.h"
#include "core/result.h"
#include "core/wakeup.h"

namespace tower {

// At the deadline, or when stop is requested, shuts the watched socket down, again and again until
// the request has noticed. The shutdown works on a duplicate of the descriptor, so the request may
// close its own at any time. Used by the request's thread.
class HttpCutter {
 public:
  // Throws std::system_error when the process is out of descriptors or threads.
  HttpCutter(std::stop_token stop, Deadline deadline);
  ~HttpCutter();
  HttpCutter(const HttpCutter&) = delete;
  HttpCutter& operator=(const HttpCutter&) = delete;

  // From now on this socket, connected or not. Cannot fail: the descriptor was set aside before.
  void Watch(int fd);
  // Readable once the request was cut.
  int interrupt_fd() const noexcept { return interrupt_.fd(); }
  // Why the request was cut, kStopped or kTimeout; nothing while it was not.
  std::optional<Error> Cut() const;
  Deadline deadline() const noexcept { return deadline_; }

 private:
  void Run();

  const std::stop_token stop_;
  const Deadline deadline_;
  Wakeup interrupt_;
  Wakeup watched_;  // its descriptor is replaced by the socket's duplicate
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool done_ = false;
  std::optional<Error> cut_;
  std::thread thread_;
};

}  // namespace tower

#endif  // CORE_HTTP_CUTTER_H_
