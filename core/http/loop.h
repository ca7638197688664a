// An event loop of the HTTP server: one thread that serves many connections with epoll(7) and
// non-blocking calls. Each request has one deadline from its first byte to its last, so that a
// client that sends byte by byte is disconnected like one that sends nothing; the time that the
// handler needs does not count.
#ifndef CORE_HTTP_LOOP_H_
#define CORE_HTTP_LOOP_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/wakeup.h"
#include "core/http/limits.h"
#include "core/http/message.h"
#include "core/http/reader.h"

namespace tower {

class HttpPattern;
struct HttpMailbox;
struct HttpRoute;

// One request and its response.
struct HttpExchange {
  HttpExchange(std::uint64_t max_body, HttpMemory& memory) : reader(max_body), share(memory) {}
  using Clock = std::chrono::steady_clock;

  // Accounts for the memory in use, plus `more` bytes. Returns false if a limit is exceeded.
  bool Hold(std::size_t more = 0) noexcept {
    return share.Set(reader.memory() + rest.capacity() + answer.capacity() + path.capacity() + more,
                     known);
  }

  HttpReader reader;
  std::string rest;           // bytes received after the request
  std::string peer;           // the client's address, without port
  std::string_view beyond;    // the exceeded connection limit; if not empty, only health checks
  Clock::time_point began{};  // when its first byte arrived

  // Set by the service.
  std::string answer;     // bytes to send
  bool interim = false;   // `answer` is an interim response (100): the body is still to come
  bool close = false;     // close the connection after the response
  bool deferred = false;  // the response is held back until HttpLater is called
  HttpLater later;        // for HttpRequest::Defer; its turn counts the requests

  // Used by the service only.
  HttpPattern* pattern = nullptr;
  const HttpRoute* route = nullptr;  // set if the request may be handled
  HttpRequest request;
  std::string path;    // the decoded path, if it had to be decoded
  bool known = false;  // authenticated, or no token is needed; initially that of the last request
  HttpMemory::Share share;
  std::string client;  // of the request; set only if the log level is debug
  int status = 0;
};

// Produces the responses. Called by several threads, each with its own exchanges; must not block.
class HttpService {
 public:
  virtual ~HttpService() = default;
  // Called when the request is complete or refused, and also when its head is complete but not its
  // body. In the last case the service need not answer yet.
  virtual void Answer(HttpExchange& exchange) = 0;
  // Replaces the deferred response with another one.
  virtual void Replace(HttpExchange& exchange, HttpResponse&& response) = 0;
  // Called immediately before the response is sent, so that clients already see it in the metrics.
  virtual void Count(HttpExchange& exchange, HttpExchange::Clock::time_point now) noexcept = 0;
};

// Counts the connections that a drain waits for. Thread-safe.
class HttpDrain {
 public:
  void Add(std::size_t count);
  void Done(std::size_t count = 1);
  // Returns false if not all were done within `time`.
  bool Await(std::chrono::milliseconds time);

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t count_ = 0;
};

class HttpLoop {
 public:
  struct Options {
    std::chrono::milliseconds idle, request;  // as in HttpServerOptions
    std::uint64_t max_body = 0;
  };
  // `memory`, and the HttpPlaces of the added connections, outlive the loop.
  HttpLoop(Options options, HttpService& service, HttpMemory& memory, Logger log);
  ~HttpLoop();  // closes every connection and joins the thread
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  // Adds a connection and takes ownership of its non-blocking socket. A connection beyond a limit
  // serves one request only, and is closed early if later ones need its place. Thread-safe.
  void Add(int fd, std::string address, HttpPlaces::Place place);
  // Closes connections between two requests at once, and from now on the others after their
  // response. Adds each existing connection with a request to `drain`. Thread-safe.
  void Drain(HttpDrain& drain);

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { kReading, kDeferred, kWriting, kLingering };
  struct NewConnection {
    int fd;
    std::string address;
    HttpPlaces::Place place;
  };
  struct Connection {
    Connection(std::uint64_t max_body, HttpMemory& memory, NewConnection&& added)
        : exchange(max_body, memory), fd(added.fd), place(std::move(added.place)) {
      exchange.peer = std::move(added.address);
      exchange.beyond = place.beyond();
    }
    HttpExchange exchange;
    const int fd;
    const HttpPlaces::Place place;
    std::uint64_t id = 0;
    State state = State::kReading;
    bool readable = false;      // a read may find bytes
    bool hung_up = false;       // the client has closed its side
    bool earlier = false;       // it existed when Drain was called
    std::size_t sent = 0;       // bytes of exchange.answer
    std::size_t discarded = 0;  // bytes read and ignored while lingering
    Clock::time_point deadline = Clock::time_point::max();
  };
  using Connections = std::unordered_map<std::uint64_t, std::unique_ptr<Connection>>;
  using Ticket = HttpLater::Ticket;
  friend struct HttpMailbox;

  void Run();
  void Wait();
  bool OpenMail();  // false if a stop was requested
  void Accept(NewConnection&& added);
  void Finish(const Ticket& ticket, std::optional<HttpResponse>&& instead);
  void BeginDrain(HttpDrain& drain);
  void CheckDeadlines();

  // Makes as much progress on a connection as is possible without waiting.
  void Drive(std::uint64_t id);
  // These return false if no more progress is possible now, or the connection is closed.
  bool Step(Connection& connection);
  std::size_t Read(Connection& connection);
  bool Receive(Connection& connection);
  bool Consume(Connection& connection, std::string_view bytes);
  bool Send(Connection& connection);
  bool Discard(Connection& connection);

  bool Respond(Connection& connection);
  void BeginSending(Connection& connection);
  bool EndAnswer(Connection& connection);
  void GiveWay(std::uint64_t id);
  std::chrono::milliseconds RequestTime(const Connection& connection) const;
  void SetDeadline(Connection& connection, Clock::time_point deadline);
  void Close(Connection& connection);
  void RefuseForMemory(Connection& connection);

  const Options options_;
  HttpService& service_;
  HttpMemory& memory_;
  const Logger log_;
  const std::shared_ptr<HttpMailbox> mailbox_;

  // Used only by the thread.
  const int epoll_;
  const std::unique_ptr<char[]> scratch_;
  Connections connections_;
  std::deque<std::uint64_t> beyond_;  // connections beyond a limit, the oldest first
  std::uint64_t next_id_ = 1;
  bool may_wait_ = false;
  std::vector<std::uint64_t> again_;  // connections that can make progress in the next round
  Clock::time_point next_deadline_ = Clock::time_point::max();
  HttpDrain* drain_ = nullptr;

  std::thread thread_;
};

// Messages from other threads to a loop. Thread-safe. It outlives the loop while a response is
// deferred.
struct HttpMailbox {
  struct Letters {
    std::vector<HttpLoop::NewConnection> added;
    std::vector<std::pair<HttpLater::Ticket, std::optional<HttpResponse>>> finished;
    HttpDrain* drain = nullptr;
    bool stop = false;
    bool empty() const { return added.empty() && finished.empty() && drain == nullptr && !stop; }
  };

  template <typename Write>
  static void Post(const std::shared_ptr<HttpMailbox>& box, Write write) {
    {
      const std::lock_guard lock(box->mutex);
      write(box->letters);
      if (!box->asleep) return;
      box->asleep = false;
    }
    WakeupBatch::Signal({box, &box->wakeup});
  }

  std::mutex mutex;
  Letters letters;
  bool asleep = false;  // the loop is waiting and must be woken
  Wakeup wakeup;
};

}  // namespace tower

#endif  // CORE_HTTP_LOOP_H_
