// A request as a handler sees it, and its response, given at once or deferred.
#ifndef CORE_HTTP_MESSAGE_H_
#define CORE_HTTP_MESSAGE_H_

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

#include "core/json/json.h"

namespace tower {

struct HttpExchange;
struct HttpMailbox;
class JsonWriter;

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Sends a deferred response. Exactly one Send must be called, by any thread. May outlive the
// server.
class HttpLater {
 public:
  void Send() const;                      // sends the response that the handler returned
  void Send(HttpResponse instead) const;  // sends another response

 private:
  friend class HttpLoop;
  friend struct HttpExchange;
  friend struct HttpMailbox;
  struct Ticket {
    std::uint64_t connection = 0, turn = 0;
  };
  HttpLater() = default;
  HttpLater(std::shared_ptr<HttpMailbox> mailbox, Ticket ticket)
      : mailbox_(std::move(mailbox)), ticket_(ticket) {}
  void Post(std::optional<HttpResponse> instead) const;
  std::shared_ptr<HttpMailbox> mailbox_;
  Ticket ticket_;
};

// A request as a handler sees it. Its views are valid until the handler returns.
class HttpRequest {
 public:
  std::string_view method;  // GET for a HEAD request
  std::string_view path;    // percent-decoded except %2F, without the query
  std::string_view param;   // the segment that matches {…} in the route's pattern; not empty
  // The item of the route's content_types that matches. If the route accepts any type, the whole
  // header, or empty.
  std::string_view content_type;
  std::string_view body;
  std::string_view peer;    // the client's address
  std::string_view client;  // the name of its token; empty without tokens
  bool trusted = true;      // it has a valid token, or the server has no tokens
  std::vector<std::pair<std::string, std::string>> query;  // percent-decoded, in order

  // The value of a header that occurs exactly once, as sent. `name` is case-insensitive.
  std::optional<std::string_view> Header(std::string_view name) const;
  std::size_t HeaderCount(std::string_view name) const;
  // All headers in order: names as sent, values as returned by Header.
  std::vector<std::pair<std::string_view, std::string_view>> Headers() const;
  bool HasQuery(std::string_view name) const;

  // For a handler that would have to wait: the response that it returns is held back until
  // HttpLater::Send is called, which may be before the handler returns.
  HttpLater Defer() const;

 private:
  friend class HttpServer;
  HttpExchange* exchange_ = nullptr;
};

// A response of application/problem+json (RFC 9457); the title is the reason phrase of the status.
// The member `errors` lists `faults`, if there are any; `extend` may add members (section 3.2).
HttpResponse Problem(int status, std::string_view detail, const Faults& faults = {},
                     const std::function<void(JsonWriter&)>& extend = {});

// A 503 response with Retry-After (RFC 9110, section 10.2.3).
HttpResponse Unavailable(std::string_view detail,
                         std::chrono::seconds retry_after = std::chrono::seconds(1),
                         const std::function<void(JsonWriter&)>& extend = {});

HttpResponse WithHeader(HttpResponse response, std::string name, std::string value);

}  // namespace tower

#endif  // CORE_HTTP_MESSAGE_H_
