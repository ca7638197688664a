// Reads of the queue's file for HTTP handlers, which must not wait for a disk.
#ifndef CORE_API_LOOKUPS_H_
#define CORE_API_LOOKUPS_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/http/message.h"

namespace tower {

// One thread that makes responses in the order of the requests. Thread-safe.
class Lookups {
 public:
  Lookups();
  // Finishes the response that is being made; those that wait are never sent, so the server whose
  // handlers call Answer stops first.
  ~Lookups();
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  // For a handler to return: has `answer` called on the thread, and sends what it returns. `answer`
  // must not use views of the request. With kMostWaiting requests before it, the response is a 503.
  HttpResponse Answer(const HttpRequest& request, std::function<HttpResponse()> answer);
  static constexpr std::size_t kMostWaiting = 256;

 private:
  struct Waiting {
    HttpLater later;
    std::function<HttpResponse()> answer;
  };
  void Run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Waiting> waiting_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace tower

#endif  // CORE_API_LOOKUPS_H_
