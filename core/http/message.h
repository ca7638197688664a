// A request as a handler sees it, and the answer that it gives, at once or later.
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

// Lets an answer go that was held back. To be called once, by any thread; may outlive the server.
class HttpLater {
 public:
  void Send() const;                      // the answer that the handler returned
  void Send(HttpResponse instead) const;  // another one

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

// A request, as a handler sees it. Views stay good until the handler returns.
class HttpRequest {
 public:
  std::string_view method;        // HEAD comes as GET
  std::string_view path;          // percent-decoded but for %2F, without the query
  std::string_view param;         // what stands for {…} in the route's pattern; never empty there
  std::string_view content_type;  // the one of the route's content types that came; all of the
                                  // header, or empty, where the route takes any
  std::string_view body;
  std::string_view peer;    // the client's address
  std::string_view client;  // the name of its token; empty without tokens
  bool trusted = true;      // it has shown a token, or none is asked for
  std::vector<std::pair<std::string, std::string>> query;  // percent-decoded, in its order

  // The value of a header that came exactly once, as sent. `name` in any case.
  std::optional<std::string_view> Header(std::string_view name) const;
  std::size_t HeaderCount(std::string_view name) const;
  // All of them, in the order in which they came: names as sent, values as Header has them.
  std::vector<std::pair<std::string_view, std::string_view>> Headers() const;
  bool HasQuery(std::string_view name) const;

  // For a handler that would have to wait: the answer that it returns is held back until HttpLater
  // is told, which may be before it returns.
  HttpLater Defer() const;

 private:
  friend class HttpServer;
  HttpExchange* exchange_ = nullptr;
};

// An answer of application/problem+json (RFC 9457); the title is the status in words. With
// `faults`, `errors` names each of them; `extend` may add members (section 3.2).
HttpResponse Problem(int status, std::string_view detail, const Faults& faults = {},
                     const std::function<void(JsonWriter&)>& extend = {});

// A 503 that asks the client to try again after that time (RFC 9110, section 10.2.3).
HttpResponse Unavailable(std::string_view detail,
                         std::chrono::seconds retry_after = std::chrono::seconds(1),
                         const std::function<void(JsonWriter&)>& extend = {});

HttpResponse WithHeader(HttpResponse response, std::string name, std::string value);

}  // namespace tower

#endif  // CORE_HTTP_MESSAGE_H_
