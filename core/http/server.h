// The HTTP server: sockets, limits, bearer tokens, routes. What a client may send and what it gets
// stands in README.md ("HTTP").
//
// A request is looked at in this order, and its body is read only when all of it passed: the head
// is well formed, no page of another site sends it (core/http/access.h), the token is good, path
// and method are known, Content-Encoding, Content-Type and the length are acceptable, the route
// wants it. Every answer of 400 and above is application/problem+json (RFC 9457).
#ifndef CORE_HTTP_SERVER_H_
#define CORE_HTTP_SERVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/result.h"
#include "core/http/message.h"

namespace tower {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::int64_t port = 8000;               // 0 picks one
  std::uint64_t max_body = 1U << 20;      // bytes
  std::uint64_t max_memory = 128U << 20;  // bytes of all requests and answers at hand
  std::int64_t max_connections = 1024;
  std::int64_t max_connections_per_address = 512;
  std::chrono::milliseconds request_timeout{10'000};  // from a request's first byte to its last
  std::chrono::milliseconds idle_timeout{75'000};     // between two requests
  std::string tokens_file;       // empty: no token is asked for, and only loopback is listened on
  bool allow_anonymous = false;  // without tokens, listen anywhere
  std::vector<std::string> allowed_hosts;  // names that are taken as Host (core/http/access.h)
};

struct HttpRouteOptions {
  bool open = false;                       // needs no token, and is answered while draining
  std::vector<std::string> content_types;  // of the body, lower case; none: no body is read;
                                           // "*/*": any, or none at all
  bool own_auth = false;                   // needs no token: the handler knows who may ask, and
                                           // answers others with 400 or above
  bool health = false;                     // is answered beyond the limits of connections, too
  // Is shown a request whose body is still to come; an answer refuses it there. The handler can't
  // count on that: a body that came with its head is there already.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> before_body = {};
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // `metrics` outlives the server.
  HttpServer(HttpServerOptions options, Logger log, Metrics& metrics);
  ~HttpServer();  // Stop()

  // Before Start. `pattern` is a path in which one segment may be {name}. A route for GET answers
  // HEAD too. Handlers run on a few threads that serve all connections, several at a time: one must
  // not wait, but Defer its answer. What it throws becomes a plain 500.
  void Route(std::string_view method, std::string_view pattern, Handler handler,
             HttpRouteOptions options = {});

  // The patterns, each with its methods ("GET, HEAD"), in the order in which they were added.
  std::vector<std::pair<std::string, std::string>> Routes() const;

  // Reads the tokens, binds, and starts to answer. kInvalid: the options don't fit together or the
  // tokens can't be read; kUnavailable: the address is taken. The message names the option.
  Status Start();
  int port() const noexcept;  // after Start

  // Reads the tokens anew: requests from now on want one of these. An error leaves those of before
  // in force. Thread-safe, once started.
  Status ReloadTokens();

  // Finishes the requests at hand and ends idle connections, for at most `grace`. Meanwhile new
  // requests get 503, but for open routes, and every answer closes its connection. Thread-safe.
  void Drain(std::chrono::milliseconds grace);
  bool draining() const noexcept;

  // Closes every connection and joins all threads. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tower

#endif  // CORE_HTTP_SERVER_H_
