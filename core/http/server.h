// The HTTP server: sockets, limits, bearer tokens, routes. README.md ("HTTP") describes it for
// clients.
//
// A request is checked in this order, and its body is read only after all checks passed: the head
// is well-formed; no page of another site sends it (core/http/access.h); the token is valid; path
// and method are known; Content-Encoding, Content-Type and the length are acceptable; the route
// accepts it (before_body). Every response with a status of 400 or above is
// application/problem+json (RFC 9457).
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
  std::int64_t port = 8000;               // 0 chooses a free port
  std::uint64_t max_body = 1U << 20;      // bytes
  std::uint64_t max_memory = 128U << 20;  // bytes of all requests and responses in progress
  std::int64_t max_connections = 1024;
  std::int64_t max_connections_per_address = 512;
  std::chrono::milliseconds request_timeout{10'000};  // from a request's first byte to its last
  std::chrono::milliseconds idle_timeout{75'000};     // between two requests
  std::string tokens_file;       // empty: no tokens, and the server listens on loopback only
  bool allow_anonymous = false;  // listen on any address even without tokens
  std::vector<std::string> allowed_hosts;  // names that Host may contain (core/http/access.h)
};

struct HttpRouteOptions {
  bool open = false;  // needs no token, and is answered while draining
  // Accepted content types of the body, lower case. Empty: no body is read. "*/*": any content type
  // or none.
  std::vector<std::string> content_types;
  // Needs no token: the handler authenticates the client, and answers 400 or above if that fails.
  bool own_auth = false;
  bool health = false;  // is answered on connections beyond the limits, too
  // Called with a request whose body has not arrived yet; a response refuses the request. It is not
  // called for every request: the body may arrive together with the head.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> before_body = {};
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // `metrics` outlives the server.
  HttpServer(HttpServerOptions options, Logger log, Metrics& metrics);
  ~HttpServer();  // Stop()

  // Adds a route; to be called before Start. `pattern` is a path in which one segment may be
  // {name}. A route for GET also answers HEAD. Handlers run concurrently on the few threads that
  // serve all connections: a handler must not block, but Defer its response. An exception becomes a
  // 500 without details.
  void Route(std::string_view method, std::string_view pattern, Handler handler,
             HttpRouteOptions options = {});

  // The patterns, each with its methods ("GET, HEAD"), in the order in which they were added.
  std::vector<std::pair<std::string, std::string>> Routes() const;

  // Reads the tokens, binds, and starts to serve. kInvalid: the options contradict each other or
  // the tokens cannot be read. kUnavailable: the address is in use. The message names the option.
  Status Start();
  int port() const noexcept;  // after Start

  // Reloads the tokens for later requests. On an error the previous tokens stay in force.
  // Thread-safe after Start.
  Status ReloadTokens();

  // Finishes the requests in progress and closes idle connections, for at most `grace`. During this
  // time new requests get 503, except on open routes, and every response closes its connection.
  // Thread-safe.
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
