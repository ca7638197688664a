// A thread that serves many connections of the HTTP server: epoll(7), no call that waits, and the
// clock. A request as a whole has a deadline from its first byte, so a client that drips bytes is
// cut like one that sends none; the time until its answer is known is no part of it.
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

// One request and its answer.
struct HttpExchange {
  HttpExchange(std::uint64_t max_body, HttpMemory& memory) : reader(max_body), share(memory) {}
  using Clock = std::chrono::steady_clock;

  // Counts the memory that is held now, and `more`. False: it is too much.
  bool Hold(std::size_t more = 0) noexcept {
    return share.Set(reader.memory() + rest.capacity() + answer.capacity() + path.capacity() + more,
                     known);
  }

  HttpReader reader;
  std::string rest;           // received behind the request
  std::string peer;           // the client's address, without port
  std::string_view beyond;    // the limit that leaves only health checks to it; empty: none
  Clock::time_point began{};  // when its first byte had come

  // What the service answers.
  std::string answer;     // bytes to send
  bool interim = false;   // they are not the answer itself: the body is still to come
  bool close = false;     // after the answer
  bool deferred = false;  // the answer is held back until it is told
  HttpLater later;        // for HttpRequest::Defer; its turn counts the requests

  // Of the service.
  HttpPattern* pattern = nullptr;
  const HttpRoute* route = nullptr;  // set when the request may be handled
  HttpRequest request;
  std::string path;    // of the request, where that had to be decoded
  bool known = false;  // the client has shown who it is, or need not; also of the request before
  HttpMemory::Share share;
  std::string client;  // of the request; kept for the log at level debug alone
  int status = 0;
};

// What the loop asks for answers. Called by several threads, each with exchanges of its own; must
// not wait.
class HttpService {
 public:
  virtual ~HttpService() = default;
  // The request is complete, refused, or its head is there and its body not yet. In the last case
  // there may be no answer yet.
  virtual void Answer(HttpExchange& exchange) = 0;
  // Another answer in the place of the one that was held back.
  virtual void Replace(HttpExchange& exchange, HttpResponse&& response) = 0;
  // The answer is about to be sent.
  virtual void Count(HttpExchange& exchange, HttpExchange::Clock::time_point now) noexcept = 0;
};

// Counts the connections that are to end before the server may.
class HttpDrain {
 public:
  void Add(std::size_t count);
  void Done(std::size_t count = 1);
  // False: they were not all done within `time`.
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
  // `memory` outlives the loop, and the places of what is added do.
  HttpLoop(Options options, HttpService& service, HttpMemory& memory, Logger log);
  ~HttpLoop();  // cuts every connection; joins the thread
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  // A connection beyond a limit is for one request, and has to give way to those that come later.
  // Takes the socket, a non-blocking one. Thread-safe.
  void Add(int fd, std::string address, HttpPlaces::Place place);
  // From now on connections end with their answer; those between two requests end at once. Tells
  // `drain` of each that was there and had a request. Thread-safe.
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
    bool readable = false;      // as far as is known
    bool hung_up = false;       // the client sends no more
    bool earlier = false;       // it was there when Drain was called
    std::size_t sent = 0;       // of exchange.answer
    std::size_t discarded = 0;  // bytes, while lingering
    Clock::time_point deadline = Clock::time_point::max();
  };
  using Connections = std::unordered_map<std::uint64_t, std::unique_ptr<Connection>>;
  using Ticket = HttpLater::Ticket;
  friend struct HttpMailbox;

  void Run();
  void Wait();
  bool OpenMail();  // false: stop
  void Accept(NewConnection&& added);
  void Finish(const Ticket& ticket, std::optional<HttpResponse>&& instead);
  void BeginDrain(HttpDrain& drain);
  void CheckDeadlines();

  // Does all that can be done for a connection now.
  void Drive(std::uint64_t id);
  // Each false: nothing more can be done for the connection now, or it is gone.
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
  std::vector<std::uint64_t> again_;  // connections that have had their turn and want another
  Clock::time_point next_deadline_ = Clock::time_point::max();
  HttpDrain* drain_ = nullptr;

  std::thread thread_;
};

// What other threads have for a loop. Thread-safe. Outlives the loop where an answer is still held
// back.
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
  bool asleep = false;  // the loop waits, and has to be woken
  Wakeup wakeup;
};

}  // namespace tower

#endif  // CORE_HTTP_LOOP_H_
