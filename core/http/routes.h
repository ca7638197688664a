// The routes of the HTTP server and their metrics. The labels are patterns, not text from clients.
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

// All routes with the same pattern.
class HttpPattern {
 public:
  HttpPattern(std::string_view pattern, Metrics& metrics);

  void Add(HttpRoute route);
  // The route for a method; for HEAD that of GET. nullptr if there is none.
  const HttpRoute* Find(std::string_view method) const noexcept;
  // Whether the pattern matches the path. Sets `param` if the pattern has a parameter.
  bool Matches(std::string_view path, std::string_view& param) const noexcept;

  const std::string& text() const noexcept { return text_; }
  bool own_auth() const noexcept { return own_auth_; }          // true if any route has it
  const std::string& allow() const noexcept { return allow_; }  // "GET, HEAD, POST"

  // Counts a response. Thread-safe; takes a lock only once for each method and status.
  void Count(std::string_view method, int status, double seconds);

 private:
  static constexpr std::size_t kMethods = 8;
  static constexpr std::size_t kStatuses = 18;
  Counter& CounterFor(std::string_view method, int status);

  const std::string text_;
  std::string before_, after_;  // the text around {…}; before_ is the whole pattern without one
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
  // Returns nullptr if no pattern matches the path.
  HttpPattern* Find(std::string_view path, std::string_view& param) const noexcept;
  HttpPattern& unmatched() noexcept { return unmatched_; }  // counts requests without a pattern
  const std::deque<std::unique_ptr<HttpPattern>>& all() const noexcept { return patterns_; }

 private:
  Metrics& metrics_;
  HttpPattern unmatched_;
  std::deque<std::unique_ptr<HttpPattern>> patterns_;
};

}  // namespace tower

#endif  // CORE_HTTP_ROUTES_H_
