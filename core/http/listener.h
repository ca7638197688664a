// The listening socket, the thread that accepts connections, and the event loops that serve them.
#ifndef CORE_HTTP_LISTENER_H_
#define CORE_HTTP_LISTENER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/log.h"
#include "core/base/log_limit.h"
#include "core/base/result.h"
#include "core/base/wakeup.h"
#include "core/http/limits.h"
#include "core/http/loop.h"

namespace tower {

class HttpListener {
 public:
  struct Options {
    std::string host;
    int port = 0;
    std::size_t max_connections = 1024, max_connections_per_address = 512;
    std::uint64_t max_memory = 128U << 20U;
    bool loopback_only = true;
    HttpLoop::Options loop;
  };

  // `service` outlives the listener.
  HttpListener(Options options, HttpService& service, Logger log);
  ~HttpListener();  // Stop()
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // Binds, listens, and starts the threads. kInvalid: loopback_only is set and the address is not a
  // loopback address. kUnavailable: the address is in use or does not exist, or the system has no
  // more threads or descriptors.
  Status Start();
  int port() const noexcept { return port_; }

  // Sets draining(), closes connections between two requests at once, and the others after the
  // response in progress. New connections are still accepted. Waits until every existing connection
  // with a request is closed, or until `grace` has passed. Thread-safe.
  void Drain(std::chrono::milliseconds grace);
  bool draining() const noexcept { return draining_.load(); }

  // Stops accepting, closes every connection and joins all threads. Idempotent.
  void Stop();

 private:
  Status Open();
  void AcceptLoop();
  bool AcceptOne();
  void LogRefusal(const std::string& error);
  bool Reopen();
  bool Pause(std::chrono::milliseconds time);  // false if a stop was requested
  void Dispatch(int fd, const sockaddr_storage& address);

  // Constant after Start.
  const Options options_;
  HttpService& service_;
  const Logger log_;
  int port_ = 0;
  // Used only by accept_thread_ once that runs.
  int listen_fd_ = -1;
  std::size_t next_loop_ = 0;
  LogLimit accept_log_;

  Wakeup wakeup_;  // stops accept_thread_
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};
  HttpMemory memory_;
  std::optional<HttpPlaces> places_;  // set by Start
  HttpDrain drain_;
  std::vector<std::unique_ptr<HttpLoop>> loops_;

  std::thread accept_thread_;
};

}  // namespace tower

#endif  // CORE_HTTP_LISTENER_H_
