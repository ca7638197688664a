// The routes of the HTTP server, and what is counted for each of them. Labels are the patterns,
// never what a client sent.
#ifndef CORE_HTTP_ROUTES_H_
#define CORE_HTTP_ROUTES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/metrics.h"
#include "core/http/server.h"

namespace tower {

struct HttpRoute {
  std::string method;
  HttpServer::Handler handler;
  HttpRouteOptions options;
};

// All routes of one pattern.
class HttpPattern {
 public:
  HttpPattern(std::string_view pattern, Metrics& metrics);

  void Add(HttpRoute route);
  // The route for a method, GET's for HEAD; nullptr where there is none.
  const HttpRoute* Find(std::string_view method) const noexcept;
  // Whether it is this path; sets `param` where the pattern has one.
  bool Matches(std::string_view path, std::string_view& param) const noexcept;

  const std::string& text() const noexcept { return text_; }
  bool own_auth() const noexcept { return own_auth_; }          // of any of its routes
  const std::string& allow() const noexcept { return allow_; }  // "GET, HEAD, POST"

  // Counts an answer. Thread-safe; a lock is taken once for each method and status.
  void Count(std::string_view method, int status, double seconds);

 private:
  static constexpr std::size_t kMethods = 8;
  static constexpr std::size_t kStatuses = 18;
  Counter& CounterFor(std::string_view method, int status);

  const std::string text_;
  std::string before_, after_;  // of {…}; before_ is all of a pattern without
  bool has_param_ = false;
  bool own_auth_ = false;
  std::deque<HttpRoute> routes_;
  std::string allow_;
  Metrics& metrics_;
  Histogram& seconds_;
  std::array<std::atomic<Counter*>, kMethods * kStatuses> counters_{};
};

class HttpRoutes {
 public:
  explicit HttpRoutes(Metrics& metrics) : metrics_(metrics), unmatched_("unmatched", metrics) {}

  void Add(std::string_view pattern, HttpRoute route);
  // nullptr for a path that no pattern matches.
  HttpPattern* Find(std::string_view path, std::string_view& param) const noexcept;
  HttpPattern& unmatched() noexcept { return unmatched_; }  // for counting
  const std::deque<std::unique_ptr<HttpPattern>>& all() const noexcept { return patterns_; }

 private:
  Metrics& metrics_;
  HttpPattern unmatched_;
  std::deque<std::unique_ptr<HttpPattern>> patterns_;
};

}  // namespace tower

#endif  // CORE_HTTP_ROUTES_H_
