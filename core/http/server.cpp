// cpp-httplib dispatches requests and writes responses. The rest of the server is in this package:
// listener (accept errors, the limit on connections), loop (connections and their deadlines),
// reader, head, target and chunks (strict parsing of requests). cpp-httplib only learns whether a
// request is HEAD and sees no byte of it, because its releases differ in how they parse targets,
// headers and bodies. Only process_request and the hooks of its class Server, and its class Stream,
// are used; these are the same in 0.41.0 and 0.53.1.
#include "core/http/server.h"

#include <httplib.h>

#include <algorithm>
#include <exception>
#include <new>

#include "core/base/log_limit.h"
#include "core/base/time_text.h"
#include "core/http/access.h"
#include "core/http/head.h"
#include "core/http/listener.h"
#include "core/http/loop.h"
#include "core/http/routes.h"
#include "core/http/tokens.h"

namespace tower {
namespace {

constexpr std::string_view kTooLarge = "the body is larger than server.max-body";
constexpr std::string_view kAnyType = "*/*";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr int kRefusalsLogged = 20;  // per minute and kind

// The stream from which cpp-httplib reads a request and to which it writes the response.
class ExchangeStream final : public httplib::Stream {
 public:
  explicit ExchangeStream(HttpExchange& exchange)
      : exchange_(exchange), left_(exchange.reader.is_head() ? kHead : kGet) {}

  bool is_readable() const override { return false; }
  bool wait_readable() const override { return true; }
  bool wait_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const auto copied = left_.copy(to, size);
    left_.remove_prefix(copied);
    return static_cast<ssize_t>(copied);
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    exchange_.answer.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }
  time_t duration() const override { return 0; }

 private:
  static constexpr std::string_view kHead = "HEAD / HTTP/1.1\r\n\r\n";
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\n\r\n";
  HttpExchange& exchange_;
  std::string_view left_;
};

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// The header Date (RFC 9110, section 6.6.1).
const std::string& DateText() {
  thread_local std::chrono::sys_seconds second{};
  thread_local std::string text;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (now == second) return text;
  second = now;
  text = HttpDate(now);
  return text;
}

// Writes the headers, and adds some that forbid caching (unless the handler allows it) and content
// type sniffing.
ssize_t WriteFields(httplib::Stream& to, httplib::Headers& fields) {
  thread_local std::string text;
  text = "X-Content-Type-Options: nosniff\r\n";
  if (!fields.contains("Cache-Control")) text += "Cache-Control: no-store\r\n";
  text.append("Date: ").append(DateText()).append("\r\n");
  for (const auto& [name, value] : fields) {
    text.append(name).append(": ").append(value).append("\r\n");
  }
  text += "\r\n";
  return to.write(text.data(), text.size());
}

void Render(HttpResponse from, httplib::Response& to) {
  to.status = from.status;
  to.body = std::move(from.body);
  to.headers.clear();
  if (!to.body.empty()) to.headers.emplace("Content-Type", std::move(from.content_type));
  for (auto& [name, value] : from.headers) to.headers.emplace(name, std::move(value));
}

}  // namespace

class HttpServer::Impl final : private httplib::Server, public HttpService {
 public:
  Impl(HttpServerOptions options, Logger log, Metrics& metrics)
      : options_(std::move(options)),
        log_(std::move(log)),
        access_({!options_.tokens_file.empty(), options_.allow_anonymous, options_.host,
                 options_.allowed_hosts}),
        routes_(metrics) {
    SetHooks();
  }

  Status Start();
  Status ReloadTokens();
  HttpRoutes& routes() noexcept { return routes_; }
  HttpListener* listener() noexcept { return listener_.get(); }

 private:
  // HttpService.
  void Answer(HttpExchange& exchange) override;
  void Replace(HttpExchange& exchange, HttpResponse&& response) override;
  void Count(HttpExchange& exchange, HttpExchange::Clock::time_point now) noexcept override;

  void LogRequest(const HttpExchange& exchange, HttpExchange::Clock::duration took) const noexcept;
  void SetHooks();
  void Process(HttpExchange& exchange);
  std::optional<HttpResponse> Respond(HttpExchange& exchange);

  // These return a response if the request is refused.
  std::optional<HttpResponse> Admit(HttpExchange& exchange);
  std::optional<HttpResponse> CheckAccess(const HttpHead& head, const HttpRequest& request);
  std::optional<HttpResponse> CheckToken(const HttpHead& head, HttpRequest& request);
  std::optional<HttpResponse> CheckBody(const HttpHead& head, const HttpRoute& route,
                                        HttpRequest& request) const;
  // The name of the token in the request, or nullopt.
  std::optional<std::string_view> ClientOf(const HttpHead& head) const;
  HttpResponse Run(HttpExchange& exchange) const;
  HttpResponse Crowded(const HttpExchange& exchange, std::string_view limit);
  // Runs `call`, and returns a 500 response if it throws.
  template <typename Call>
  std::optional<HttpResponse> Guard(HttpExchange& exchange, Call call) const;

  // The exchange in process_request on this thread.
  static thread_local HttpExchange* current_;
  static thread_local HttpResponse* replacement_;

  const HttpServerOptions options_;
  const Logger log_;
  const HttpAccess access_;
  HttpRoutes routes_;
  HttpTokensInForce tokens_;
  LogQuota logged_refusals_{kRefusalsLogged};
  LogQuota logged_logins_{kRefusalsLogged};
  LogQuota logged_crowds_{1};               // per minute: one line stands for many
  std::unique_ptr<HttpListener> listener_;  // last, because its threads use the members above
};

thread_local HttpExchange* HttpServer::Impl::current_ = nullptr;
thread_local HttpResponse* HttpServer::Impl::replacement_ = nullptr;

Status HttpServer::Impl::Start() {
  if (auto read = ReloadTokens(); !read) return read;
  HttpListener::Options options;
  options.host = options_.host;
  options.port = static_cast<int>(options_.port);
  options.max_connections = static_cast<std::size_t>(options_.max_connections);
  options.max_connections_per_address =
      static_cast<std::size_t>(options_.max_connections_per_address);
  options.max_memory = options_.max_memory;
  options.loopback_only = options_.tokens_file.empty() && !options_.allow_anonymous;
  options.loop = {options_.idle_timeout, options_.request_timeout, options_.max_body};
  listener_ = std::make_unique<HttpListener>(std::move(options), *this, log_);
  return listener_->Start();
}

Status HttpServer::Impl::ReloadTokens() {
  if (options_.tokens_file.empty()) return Ok();
  auto tokens = HttpTokens::Load(options_.tokens_file);
  if (!tokens) return tokens.error();
  tokens_.Set(std::move(*tokens));
  return Ok();
}

void HttpServer::Impl::SetHooks() {
  set_pre_routing_handler([this](const httplib::Request&, httplib::Response& to) {
    auto& exchange = *current_;
    auto response =
        replacement_ != nullptr ? std::optional(std::move(*replacement_)) : Respond(exchange);
    exchange.interim = !response;
    Render(std::move(response).value_or(HttpResponse{}), to);
    return HandlerResponse::Handled;
  });
  set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (!to.body.empty()) return;
    Render(Problem(to.status, "the request could not be read"), to);
    current_->close = true;
  });
  set_header_writer(WriteFields);
  set_post_routing_handler([this](const httplib::Request&, httplib::Response& to) {
    auto& exchange = *current_;
    exchange.status = to.status;
    const auto& reader = exchange.reader;
    if (reader.refusal() || !reader.complete() || !reader.head().keep_alive ||
        !exchange.beyond.empty() || listener_->draining()) {
      exchange.close = true;
    }
    to.headers.erase("Keep-Alive");
    to.headers.erase("Accept-Ranges");
    to.headers.erase("Connection");
    if (exchange.close) to.headers.emplace("Connection", "close");
    if (!to.has_header("Content-Length")) {
      to.headers.emplace("Content-Length", std::to_string(to.body.size()));
    }
  });
}

void HttpServer::Impl::Answer(HttpExchange& exchange) {
  exchange.pattern = &routes_.unmatched();
  Process(exchange);
  // It may be large and is not needed any more.
  exchange.request.query = std::vector<std::pair<std::string, std::string>>();
  if (!exchange.interim) return;
  const auto& head = exchange.reader.head();
  const bool asks = head.minor_version > 0 && head.Count("Expect") > 0;
  exchange.answer = asks ? kContinue : "";
}

void HttpServer::Impl::Replace(HttpExchange& exchange, HttpResponse&& response) {
  const bool large = response.body.size() > HttpMemory::kFree;
  if (large && exchange.request.method == "GET" && !exchange.Hold(response.body.size())) {
    response = Crowded(exchange, exchange.share.limit());
  }
  replacement_ = &response;
  Process(exchange);
  replacement_ = nullptr;
}

void HttpServer::Impl::Process(HttpExchange& exchange) {
  static const std::string kNoAddress;
  ExchangeStream stream(exchange);
  current_ = &exchange;
  bool ignored = false;  // HttpExchange::close is used instead
  process_request(stream, kNoAddress, 0, kNoAddress, 0, false, ignored, nullptr);
  current_ = nullptr;
}

void HttpServer::Impl::Count(HttpExchange& exchange, HttpExchange::Clock::time_point now) noexcept {
  const auto took =
      exchange.began == HttpExchange::Clock::time_point{} ? now - now : now - exchange.began;
  exchange.pattern->Count(exchange.reader.refusal() ? "other" : exchange.reader.head().method,
                          exchange.status, std::chrono::duration<double>(took).count());
  if (LogShows(LogLevel::kDebug)) LogRequest(exchange, took);
}

// Logs the path without the query, which may contain a secret.
void HttpServer::Impl::LogRequest(const HttpExchange& exchange,
                                  HttpExchange::Clock::duration took) const noexcept {
  try {
    const bool read = !exchange.reader.refusal();  // a refused request may have no valid head
    const auto& head = exchange.reader.head();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    log_.Debug("request", {{"method", read ? head.method : ""},
                           {"path", read ? head.target.path : ""},
                           {"status", exchange.status},
                           {"ms", static_cast<double>(us) / 1000},
                           {"peer", exchange.peer},
                           {"client", read ? exchange.client : ""}});
  } catch (const std::bad_alloc&) {  // drop the line
  }
}

// Returns nullopt if the request is accepted, but its body has not arrived yet.
std::optional<HttpResponse> HttpServer::Impl::Respond(HttpExchange& exchange) {
  if (auto refused = Admit(exchange)) return refused;
  const bool wants_body = !exchange.route->options.content_types.empty();
  if (wants_body && !exchange.reader.complete()) return std::nullopt;
  if (wants_body) exchange.request.body = exchange.reader.body();
  auto response = Run(exchange);
  if (exchange.route->options.own_auth && response.status < 400) exchange.known = true;
  // The handler has run already, so only a large response may still be refused.
  const bool large = response.body.size() > HttpMemory::kFree;
  const bool fits = exchange.Hold(large ? response.body.size() : 0);
  const bool may_refuse = large && exchange.request.method == "GET" && !exchange.deferred;
  if (!fits && may_refuse) return Crowded(exchange, exchange.share.limit());
  return response;
}

// The response when a memory limit is exceeded.
HttpResponse HttpServer::Impl::Crowded(const HttpExchange& exchange, std::string_view limit) {
  if (const auto held_back = logged_crowds_.Pass(HttpExchange::Clock::now())) {
    log_.Warn("request refused: a limit is reached",
              {{"error", limit}, {"peer", exchange.peer}, {"held_back", *held_back}});
  }
  return Unavailable(limit);
}

std::optional<HttpResponse> HttpServer::Impl::Admit(HttpExchange& exchange) {
  exchange.route = nullptr;
  exchange.pattern = &routes_.unmatched();
  if (const auto& refusal = exchange.reader.refusal()) {
    return refusal->status == 503 ? Crowded(exchange, refusal->detail)
                                  : Problem(refusal->status, refusal->detail);
  }
  const auto& head = exchange.reader.head();
  auto& request = exchange.request;
  request = HttpRequest{};
  exchange.client.clear();
  request.exchange_ = &exchange;
  request.path = DecodeHttpPath(head.target.path, exchange.path);
  request.peer = exchange.peer;
  request.method = head.method == "HEAD" ? "GET" : head.method;
  request.query = ParseHttpQuery(head.target.query);

  auto* pattern = routes_.Find(request.path, request.param);
  if (pattern != nullptr) exchange.pattern = pattern;
  const auto* route = pattern != nullptr ? pattern->Find(request.method) : nullptr;
  if (!exchange.beyond.empty() && (route == nullptr || !route->options.health)) {
    return Crowded(exchange, exchange.beyond);
  }
  if (auto refused = CheckAccess(head, request)) return refused;
  if (request.path == "*") return HttpResponse{};  // OPTIONS *
  exchange.known = false;
  if (pattern == nullptr || !pattern->own_auth()) {
    auto refused = CheckToken(head, request);
    if (refused && (route == nullptr || !route->options.open)) return refused;
    exchange.known = !refused;
    // A copy, because the view in the request may become invalid before the response is logged.
    if (LogShows(LogLevel::kDebug)) exchange.client = request.client;
  }
  if (pattern == nullptr) return Problem(404, "there is nothing at this path");
  if (route == nullptr) {
    auto response = Problem(405, "the method is not one of " + pattern->allow());
    response.headers.emplace_back("Allow", pattern->allow());
    return response;
  }
  if (!route->options.open && listener_->draining())
    return Unavailable("control-tower is stopping");
  exchange.route = route;
  if (route->options.content_types.empty()) return std::nullopt;
  if (auto refused = CheckBody(head, *route, request)) return refused;
  const auto left = head.content_length ? *head.content_length - exchange.reader.body().size() : 0;
  if (!exchange.Hold() || !exchange.share.Fits(left)) {
    return Crowded(exchange, exchange.share.limit());
  }
  if (route->options.before_body == nullptr || exchange.reader.complete()) return std::nullopt;
  std::optional<HttpResponse> refused;
  auto failed = Guard(exchange, [&] { refused = route->options.before_body(request); });
  return failed ? failed : refused;
}

std::optional<HttpResponse> HttpServer::Impl::CheckAccess(const HttpHead& head,
                                                          const HttpRequest& request) {
  const auto refusal = access_.Check(head);
  if (!refusal) return std::nullopt;
  if (const auto held_back = logged_refusals_.Pass(HttpExchange::Clock::now())) {
    log_.Warn("request refused because of its origin",
              {{"peer", request.peer},
               {"client", ClientOf(head).value_or("")},
               {"method", head.method},
               {"path", request.path},
               {"host", head.host.text},
               {"origin", head.Find("Origin").value_or("")},
               {"status", refusal->status},
               {"held_back", *held_back}});
  }
  return Problem(refusal->status, refusal->detail);
}

std::optional<std::string_view> HttpServer::Impl::ClientOf(const HttpHead& head) const {
  const auto* tokens = tokens_.Get();
  const auto given = tokens != nullptr ? head.Find("Authorization") : std::nullopt;
  return given ? tokens->Check(*given) : std::nullopt;
}

std::optional<HttpResponse> HttpServer::Impl::CheckToken(const HttpHead& head,
                                                         HttpRequest& request) {
  if (options_.tokens_file.empty()) return std::nullopt;
  if (const auto name = ClientOf(head)) {
    request.client = *name;
    return std::nullopt;
  }
  request.trusted = false;
  if (head.Count("Authorization") > 0) {
    if (const auto held_back = logged_logins_.Pass(HttpExchange::Clock::now())) {
      log_.Warn("token refused", {{"peer", request.peer},
                                  {"method", head.method},
                                  {"path", request.path},
                                  {"held_back", *held_back}});
    }
  }
  auto response = Problem(401, "send `Authorization: Bearer TOKEN` with a valid token");
  // RFC 6750, section 3.1: no error code if the request has no bearer token.
  const auto given = head.Find("Authorization");
  const bool bearer = given && HttpTokens::IsBearer(*given);
  response.headers.emplace_back(
      "WWW-Authenticate",
      std::string("Bearer realm=\"control-tower\"") + (bearer ? ", error=\"invalid_token\"" : ""));
  return response;
}

std::optional<HttpResponse> HttpServer::Impl::CheckBody(const HttpHead& head,
                                                        const HttpRoute& route,
                                                        HttpRequest& request) const {
  const auto& types = route.options.content_types;
  if (head.Count("Content-Encoding") > 0) {
    return Problem(415, "send the body without Content-Encoding");
  }
  const auto type = head.Find("Content-Type");
  const bool any = types.front() == kAnyType;
  const auto* known = any ? nullptr : FindMediaType(type.value_or(""), types);
  if (any && !type && head.Count("Content-Type") > 0) {
    return Problem(415, "Content-Type must occur once");
  }
  if (!any && known == nullptr) {
    return Problem(415, "Content-Type must be one of " + Joined(types) + ", in UTF-8");
  }
  if (!head.content_length && !head.chunked) {
    return Problem(411, "send Content-Length or a chunked body");
  }
  if (head.content_length.value_or(0) > options_.max_body) return Problem(413, kTooLarge);
  request.content_type = known != nullptr ? *known : type.value_or("");
  return std::nullopt;
}

HttpResponse HttpServer::Impl::Run(HttpExchange& exchange) const {
  HttpResponse response;
  auto failed = Guard(exchange, [&] { response = exchange.route->handler(exchange.request); });
  return failed ? std::move(*failed) : std::move(response);
}

template <typename Call>
std::optional<HttpResponse> HttpServer::Impl::Guard(HttpExchange& exchange, Call call) const {
  try {
    call();
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    exchange.deferred = false;
    log_.Error("out of memory while answering", {{"route", exchange.pattern->text()}});
    return Unavailable("out of memory");
  } catch (const std::exception& error) {
    exchange.deferred = false;
    log_.Error("request handler failed",
               {{"route", exchange.pattern->text()}, {"error", error.what()}});
    return Problem(500, "internal error; see the log");
  }
}

HttpServer::HttpServer(HttpServerOptions options, Logger log, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(log), metrics)) {}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Route(std::string_view method, std::string_view pattern, Handler handler,
                       HttpRouteOptions options) {
  impl_->routes().Add(pattern, {std::string(method), std::move(handler), std::move(options)});
}

std::vector<std::pair<std::string, std::string>> HttpServer::Routes() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& pattern : impl_->routes().all()) {
    all.emplace_back(pattern->text(), pattern->allow());
  }
  return all;
}

Status HttpServer::Start() { return impl_->Start(); }

int HttpServer::port() const noexcept { return impl_->listener()->port(); }

Status HttpServer::ReloadTokens() { return impl_->ReloadTokens(); }

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

}  // namespace tower
