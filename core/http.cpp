// cpp-httplib is the server: it parses requests, dispatches, reads bodies and writes answers.
// Before it stands a guard for what its releases leave open: http_listener (accept errors, the cap
// on connections), http_connection (deadlines of whole requests), http_head and http_chunks
// (framing). Of its classes, only Server's process_request and hooks, and Stream, are used, which
// are the same in 0.41.0 and 0.53.1.
#include "core/http.h"

#include <httplib.h>

#include <algorithm>
#include <exception>
#include <new>

#include "core/http_connection.h"
#include "core/http_head.h"
#include "core/http_listener.h"
#include "core/http_routes.h"
#include "core/http_tokens.h"

namespace tower {
namespace {

constexpr std::string_view kTooLarge = "the body is larger than server.max-body";
constexpr std::size_t kKeptBody = 65536;  // memory that a connection keeps for its next body

// One request and its answer, on the stack of the thread that serves the connection.
struct Exchange {
  HttpConnection& connection;
  const HttpPeer& peer;
  HttpHead head = {};
  std::optional<HttpRefusal> refusal = {};  // of the guard
  HttpPattern* pattern = nullptr;
  const HttpRoute* route = nullptr;  // set when the request may be handled
  HttpRequest request = {};
  std::string body = {};
  int status = 0;
  bool close = false;   // after the answer
  bool unread = false;  // the client may still be sending
};

// What cpp-httplib reads a request from and writes the answer to.
class ExchangeStream final : public httplib::Stream {
 public:
  explicit ExchangeStream(const Exchange& exchange) : exchange_(exchange) {}

  // A refused request is not shown to cpp-httplib; it still answers it.
  void Begin() { refused_ = exchange_.refusal ? "GET / HTTP/1.1\r\n\r\n" : ""; }

  bool is_readable() const override { return false; }
  bool wait_readable() const override { return true; }
  bool wait_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    if (!exchange_.refusal) return exchange_.connection.Read(to, size);
    size = std::min(size, refused_.size());
    std::copy_n(refused_.data(), size, to);
    refused_.remove_prefix(size);
    return static_cast<ssize_t>(size);
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    return exchange_.connection.Write({bytes, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }
  time_t duration() const override { return 0; }

 private:
  const Exchange& exchange_;
  std::string_view refused_;
};

// RFC 9112, section 3.2.2: `GET http://host/path` means /path.
std::string_view PathOf(std::string_view path) {
  if (path.starts_with('/')) return path;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!path.starts_with(scheme)) continue;
    const auto slash = path.find('/', scheme.size());
    return slash == std::string_view::npos ? "/" : path.substr(slash);
  }
  return path;
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

HttpResponse Retryable(std::string_view detail) {
  auto response = Problem(503, detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

void Render(HttpResponse from, httplib::Response& to) {
  to.status = from.status;
  to.body = std::move(from.body);
  to.headers.clear();
  if (!to.body.empty()) to.headers.emplace("Content-Type", std::move(from.content_type));
  for (auto& [name, value] : from.headers) to.headers.emplace(name, std::move(value));
}

}  // namespace

class HttpServer::Impl final : private httplib::Server {
 public:
  Impl(HttpServerOptions options, Logger log, Metrics& metrics)
      : options_(std::move(options)), log_(std::move(log)), routes_(metrics) {
    SetHooks();
  }

  Status Start();
  HttpRoutes& routes() noexcept { return routes_; }
  HttpListener* listener() noexcept { return listener_.get(); }

 private:
  using Reader = httplib::ContentReader;

  void SetHooks();
  void Serve(HttpPeer& peer) noexcept;
  bool Process(Exchange& exchange, ExchangeStream& stream);

  // Each is an answer where the request must not go further.
  std::optional<HttpResponse> Admit(Exchange& exchange, const httplib::Request& from) const;
  std::optional<HttpResponse> CheckToken(const HttpHead& head, HttpRequest& request) const;
  std::optional<HttpResponse> CheckBody(const HttpHead& head, const HttpRoute& route,
                                        HttpRequest& request) const;
  HttpResponse Run(const Exchange& exchange) const;
  HttpResponse ReadAndRun(Exchange& exchange, const Reader& reader) const;

  static thread_local Exchange* current_;  // of this thread

  const HttpServerOptions options_;
  const Logger log_;
  HttpRoutes routes_;
  std::optional<HttpTokens> tokens_;
  std::unique_ptr<HttpListener> listener_;  // last: its threads use all of the above
};

thread_local Exchange* HttpServer::Impl::current_ = nullptr;

Status HttpServer::Impl::Start() {
  if (!options_.tokens_file.empty()) {
    auto tokens = HttpTokens::Load(options_.tokens_file);
    if (!tokens) return tokens.error();
    tokens_ = std::move(*tokens);
  }
  listener_ = std::make_unique<HttpListener>(
      HttpListener::Options{options_.host, static_cast<int>(options_.port),
                            static_cast<std::size_t>(options_.max_connections),
                            !tokens_ && !options_.allow_anonymous},
      [this](HttpPeer& peer) { Serve(peer); }, log_);
  return listener_->Start();
}

void HttpServer::Impl::SetHooks() {
  set_payload_max_length(options_.max_body + kKeptBody);  // ReadAndRun knows the limit itself
  // Before the client is told to go on with its body: 100, or the status of the answer.
  set_expect_100_continue_handler([this](const httplib::Request& from, httplib::Response& to) {
    auto refused = Admit(*current_, from);
    if (!refused) return 100;
    Render(std::move(*refused), to);
    return to.status;
  });
  set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
    auto& exchange = *current_;
    if (exchange.route == nullptr) {
      if (auto refused = Admit(exchange, from)) {
        Render(std::move(*refused), to);
        return HandlerResponse::Handled;
      }
    }
    if (!exchange.route->options.content_types.empty()) return HandlerResponse::Unhandled;
    Render(Run(exchange), to);
    return HandlerResponse::Handled;
  });
  const auto handle = [this](const httplib::Request&, httplib::Response& to, const Reader& reader) {
    Render(ReadAndRun(*current_, reader), to);
  };
  Post(".*", handle);  // what comes here was routed by Admit
  Put(".*", handle);
  Patch(".*", handle);
  Delete(".*", handle);
  set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (!to.body.empty()) return;
    Render(Problem(to.status, "the request could not be read"), to);
    current_->close = current_->unread = true;
  });
  set_post_routing_handler([this](const httplib::Request&, httplib::Response& to) {
    auto& exchange = *current_;
    exchange.status = to.status;
    if (exchange.refusal || !exchange.connection.EndBody()) exchange.unread = true;
    if (exchange.unread || !exchange.head.keep_alive || listener_->draining())
      exchange.close = true;
    to.headers.erase("Keep-Alive");
    to.headers.erase("Accept-Ranges");
    to.headers.erase("Connection");
    if (exchange.close) to.headers.emplace("Connection", "close");
    if (!to.has_header("Content-Length")) {  // so after a WebSocket handshake that leads nowhere
      to.headers.emplace("Content-Length", std::to_string(to.body.size()));
    }
  });
}

void HttpServer::Impl::Serve(HttpPeer& peer) noexcept {
  try {
    HttpConnection connection(peer.fd, options_.idle_timeout, options_.request_timeout, peer.busy);
    Exchange exchange{connection, peer};
    ExchangeStream stream(exchange);
    if (peer.over_limit) {
      exchange.refusal = HttpRefusal{503, "there are server.max-connections connections already"};
      if (Process(exchange, stream)) connection.Linger();
      return;
    }
    while (connection.ReadHead(exchange.head, exchange.refusal)) {
      if (!Process(exchange, stream)) return;
      if (exchange.unread) connection.Linger();
      if (exchange.close) return;
      connection.Finish();
      peer.busy.store(false);  // before the look at draining: Drain looks the other way round
      if (listener_->draining()) return;
    }
  } catch (const std::exception& error) {
    log_.Error("a connection was given up", {{"exception", error.what()}});
  }
}

// False: the answer could not be sent.
bool HttpServer::Impl::Process(Exchange& exchange, ExchangeStream& stream) {
  static const std::string kNoAddress;
  exchange.pattern = &routes_.unmatched();
  exchange.route = nullptr;
  exchange.status = 500;
  exchange.close = exchange.unread = false;
  stream.Begin();
  current_ = &exchange;
  bool ignored = false;  // Exchange::close says it
  const bool sent = process_request(stream, kNoAddress, 0, kNoAddress, 0, false, ignored,
                                    [](httplib::Request& request) { request.ranges.clear(); });
  current_ = nullptr;
  const auto began = exchange.connection.began();
  const auto end = HttpConnection::Clock::now();
  const auto took = began == HttpConnection::Clock::time_point{} ? end - end : end - began;
  exchange.pattern->Count(exchange.refusal ? "other" : exchange.head.method, exchange.status,
                          std::chrono::duration<double>(took).count());
  return sent;
}

std::optional<HttpResponse> HttpServer::Impl::Admit(Exchange& exchange,
                                                    const httplib::Request& from) const {
  if (exchange.refusal) {
    const auto& [status, detail] = *exchange.refusal;
    return status == 503 ? Retryable(detail) : Problem(status, detail);
  }
  auto& request = exchange.request;
  request = HttpRequest{};
  request.head_ = &exchange.head;
  request.path = PathOf(from.path);
  request.peer = exchange.peer.address;
  request.method = exchange.head.method == "HEAD" ? "GET" : exchange.head.method;
  request.query.assign(from.params.begin(), from.params.end());

  auto* pattern = routes_.Find(request.path, request.param);
  if (pattern != nullptr) exchange.pattern = pattern;
  const auto* route = pattern != nullptr ? pattern->Find(request.method) : nullptr;
  if (route == nullptr || !route->options.open) {
    if (auto refused = CheckToken(exchange.head, request)) return refused;
  }
  if (pattern == nullptr) return Problem(404, "there is nothing at this path");
  if (route == nullptr) {
    auto response = Problem(405, "the method is not one of " + pattern->allow());
    response.headers.emplace_back("Allow", pattern->allow());
    return response;
  }
  if (!route->options.open && listener_->draining()) return Retryable("control-tower is stopping");
  if (!route->options.content_types.empty()) {
    if (auto refused = CheckBody(exchange.head, *route, request)) return refused;
  }
  exchange.route = route;
  return std::nullopt;
}

std::optional<HttpResponse> HttpServer::Impl::CheckToken(const HttpHead& head,
                                                         HttpRequest& request) const {
  if (!tokens_) return std::nullopt;
  const auto given = head.Find("Authorization");
  if (const auto name = given ? tokens_->Check(*given) : std::nullopt) {
    request.client = *name;
    return std::nullopt;
  }
  auto response =
      Problem(401, "send `Authorization: Bearer TOKEN` with a token that is known here");
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"control-tower\"");
  return response;
}

std::optional<HttpResponse> HttpServer::Impl::CheckBody(const HttpHead& head,
                                                        const HttpRoute& route,
                                                        HttpRequest& request) const {
  const auto& types = route.options.content_types;
  if (head.Count("Content-Encoding") > 0) {
    return Problem(415, "send the body without Content-Encoding");
  }
  const auto* type = FindMediaType(head.Find("Content-Type").value_or(""), types);
  if (type == nullptr) {
    return Problem(415, "Content-Type must be one of " + Joined(types) + ", in UTF-8");
  }
  if (!head.content_length && !head.chunked) {
    return Problem(411, "send Content-Length, or the body as chunks");
  }
  if (head.content_length.value_or(0) > options_.max_body) return Problem(413, kTooLarge);
  request.content_type = *type;
  return std::nullopt;
}

HttpResponse HttpServer::Impl::ReadAndRun(Exchange& exchange, const Reader& reader) const {
  auto& body = exchange.body;
  body.clear();
  if (body.capacity() > kKeptBody) body.shrink_to_fit();
  bool too_large = false;
  const bool complete = reader([&](const char* bytes, std::size_t size) {
    too_large = size > options_.max_body - body.size();
    if (!too_large) body.append(bytes, size);
    return !too_large;
  });
  if (too_large) return Problem(413, kTooLarge);
  if (exchange.connection.late()) return Problem(408, "the body did not arrive in time");
  if (!complete) return Problem(400, "the body did not arrive as its headers say");
  exchange.request.body = body;
  return Run(exchange);
}

HttpResponse HttpServer::Impl::Run(const Exchange& exchange) const {
  try {
    return exchange.route->handler(exchange.request);
  } catch (const std::bad_alloc&) {
    log_.Error("out of memory while answering", {{"route", exchange.pattern->text()}});
    return Retryable("out of memory");
  } catch (const std::exception& error) {
    log_.Error("a request failed",
               {{"route", exchange.pattern->text()}, {"exception", error.what()}});
    return Problem(500, "something went wrong here; the log says what");
  }
}

HttpServer::HttpServer(HttpServerOptions options, Logger log, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(log), metrics)) {}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Route(std::string_view method, std::string_view pattern, Handler handler,
                       HttpRouteOptions options) {
  impl_->routes().Add(pattern, {std::string(method), std::move(handler), std::move(options)});
}

Status HttpServer::Start() { return impl_->Start(); }

int HttpServer::port() const noexcept { return impl_->listener()->port(); }

void HttpServer::Drain(std::chrono::milliseconds grace) {
  if (auto* listener = impl_->listener()) listener->Drain(grace);
}

bool HttpServer::draining() const noexcept {
  auto* listener = impl_->listener();
  return listener != nullptr && listener->draining();
}

void HttpServer::Stop() {
  if (auto* listener = impl_->listener()) listener->Stop();
}

std::optional<std::string_view> HttpRequest::Header(std::string_view name) const {
  return head_->Find(name);
}

std::size_t HttpRequest::HeaderCount(std::string_view name) const { return head_->Count(name); }

bool HttpRequest::HasQuery(std::string_view name) const {
  return std::any_of(query.begin(), query.end(),
                     [name](const auto& parameter) { return parameter.first == name; });
}

}  // namespace tower
