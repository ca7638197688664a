// The listening socket, a thread that accepts, and a thread for each connection.
#ifndef CORE_HTTP_LISTENER_H_
#define CORE_HTTP_LISTENER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/result.h"
#include "core/wakeup.h"

namespace tower {

// A connection, as the listener keeps it.
struct HttpPeer {
  int fd = -1;
  std::string address;             // of the client, without port
  bool over_limit = false;         // there are max_connections without this one
  std::atomic<bool> busy = false;  // a request has begun and its answer is not yet written
  bool earlier = false;            // it was there when Drain began; guarded by the listener
};

class HttpListener {
 public:
  struct Options {
    std::string host;
    int port = 0;
    std::size_t max_connections = 1024;
    bool loopback_only = true;
  };

  // `serve` has the connection to itself until it returns; then it is closed. Called from many
  // threads; must not throw.
  HttpListener(Options options, std::function<void(HttpPeer&)> serve, Logger log);
  ~HttpListener();  // Stop()
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // Binds, listens, and starts the thread. kInvalid: the address is not a loopback address, though
  // it must be; kUnavailable: it can't be had.
  Status Start();
  int port() const noexcept { return port_; }

  // From now on `draining` is true, and connections between two requests are ended; `serve` should
  // return after the answer at hand. New connections are still accepted. Waits until every
  // connection of before is gone, or the time is over. Thread-safe.
  void Drain(std::chrono::milliseconds grace);
  bool draining() const noexcept { return draining_.load(); }

  // Ends accepting, cuts every connection and joins all threads. Idempotent.
  void Stop();

 private:
  using Peers = std::list<std::unique_ptr<HttpPeer>>;

  Status Open();
  void AcceptLoop();
  bool AcceptOne();
  bool Reopen();
  bool Pause(std::chrono::milliseconds time);  // false: stop
  void Dispatch(std::unique_ptr<HttpPeer> peer);
  bool AddWorker();
  void JoinFinished();
  void Work(std::list<std::thread>::iterator self);
  void Close(Peers::iterator peer);

  // Constant after Start.
  const Options options_;
  const std::function<void(HttpPeer&)> serve_;
  const Logger log_;
  int port_ = 0;
  // Used only by accept_thread_ once that runs.
  int listen_fd_ = -1;

  Wakeup wakeup_;  // says stop to accept_thread_
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable work_;     // there is something in waiting_, or stop
  std::condition_variable drained_;  // earlier_ became 0
  // Guarded by mutex_.
  Peers peers_;
  std::deque<Peers::iterator> waiting_;  // for a worker
  std::size_t idle_ = 0;                 // workers
  std::size_t earlier_ = 0;              // connections of before Drain
  std::list<std::thread> workers_;
  std::list<std::thread> finished_;  // to be joined

  std::thread accept_thread_;
};

}  // namespace tower

#endif  // CORE_HTTP_LISTENER_H_
