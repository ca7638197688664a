// Headers and bodies are read by http_connection; cpp-httplib is given the request line and writes
// the answer. That way both hold for every release of it: no quirk in how it reads headers matters,
// and nothing but its Stream and process_request is used.
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

// One request and its answer, on the stack of the thread that serves the connection.
struct Exchange {
  HttpConnection& connection;
  const HttpPeer& peer;
  HttpHead head = {};
  std::optional<HttpRefusal> refusal = {};
  HttpPattern* pattern = nullptr;
  int status = 0;
  bool close = false;   // after the answer
  bool unread = false;  // the client may still be sending
};

// What cpp-httplib reads the request line from and writes the answer to.
class ExchangeStream final : public httplib::Stream {
 public:
  explicit ExchangeStream(HttpConnection& connection) : connection_(connection) {}

  void Begin(std::string_view request_line) {
    text_.assign(request_line).append("\r\n\r\n");
    at_ = 0;
  }

  bool is_readable() const override { return false; }
  bool wait_readable() const override { return true; }
  bool wait_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    size = std::min(size, text_.size() - at_);
    std::copy_n(text_.data() + at_, size, to);
    at_ += size;
    return static_cast<ssize_t>(size);
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    return connection_.Write({bytes, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }
  time_t duration() const override { return 0; }

 private:
  HttpConnection& connection_;
  std::string text_;
  std::size_t at_ = 0;
};

// The media type of a Content-Type header among `accepted`, or nothing. Of its parameters, a
// charset other than UTF-8 is refused.
const std::string* AcceptedType(std::string_view value, const std::vector<std::string>& accepted) {
  const auto trim = [](std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  };
  auto end = std::min(value.find(';'), value.size());
  const auto type = trim(value.substr(0, end));
  const auto found = std::find_if(accepted.begin(), accepted.end(), [type](const auto& known) {
    return SameIgnoringCase(known, type);
  });
  if (found == accepted.end()) return nullptr;
  while (end < value.size()) {
    value.remove_prefix(end + 1);
    end = std::min(value.find(';'), value.size());
    const auto parameter = trim(value.substr(0, end));
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !SameIgnoringCase(parameter.substr(0, equals), "charset")) {
      continue;
    }
    const auto charset = parameter.substr(equals + 1);
    if (!SameIgnoringCase(charset, "utf-8") && !SameIgnoringCase(charset, "\"utf-8\"")) {
      return nullptr;
    }
  }
  return &*found;
}

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

}  // namespace

class HttpServer::Impl final : private httplib::Server {
 public:
  Impl(HttpServerOptions options, Logger log, Metrics& metrics)
      : options_(std::move(options)), log_(std::move(log)), routes_(metrics) {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      Answer(*current_, request, response);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      response.headers.erase("Keep-Alive");
      response.headers.erase("Accept-Ranges");
      response.headers.erase("Connection");
      if (current_->close) response.headers.emplace("Connection", "close");
    });
  }

  Status Start() {
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

  HttpRoutes& routes() noexcept { return routes_; }
  HttpListener* listener() noexcept { return listener_.get(); }

 private:
  void Serve(HttpPeer& peer) noexcept;
  bool Process(Exchange& exchange, ExchangeStream& stream);
  void Answer(Exchange& exchange, const httplib::Request& from, httplib::Response& to);
  HttpResponse Respond(Exchange& exchange, const httplib::Request& from);
  HttpResponse Run(const HttpRoute& route, const HttpPattern& pattern, const HttpRequest& request);
  // Each is an answer where the request must not go further.
  std::optional<HttpResponse> CheckToken(const HttpHead& head, HttpRequest& request) const;
  std::optional<HttpResponse> TakeBody(Exchange& exchange, const HttpRoute& route,
                                       HttpRequest& request);

  static thread_local Exchange* current_;  // of this thread

  const HttpServerOptions options_;
  const Logger log_;
  HttpRoutes routes_;
  std::optional<HttpTokens> tokens_;
  std::unique_ptr<HttpListener> listener_;  // last: its threads use all of the above
};

thread_local Exchange* HttpServer::Impl::current_ = nullptr;

void HttpServer::Impl::Serve(HttpPeer& peer) noexcept {
  try {
    HttpConnection connection(peer.fd, options_.idle_timeout, options_.request_timeout, peer.busy);
    ExchangeStream stream(connection);
    Exchange exchange{connection, peer};
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
  exchange.status = 500;
  exchange.close = exchange.unread = false;
  stream.Begin(exchange.refusal ? "GET / HTTP/1.1" : exchange.head.request_line);
  current_ = &exchange;
  bool ignored = false;  // Exchange::close says it
  const bool sent = process_request(stream, kNoAddress, 0, kNoAddress, 0, false, ignored, nullptr);
  current_ = nullptr;
  const auto began = exchange.connection.began();
  const auto end = HttpConnection::Clock::now();
  const auto took = began == HttpConnection::Clock::time_point{} ? end - end : end - began;
  exchange.pattern->Count(exchange.refusal ? "other" : exchange.head.method, exchange.status,
                          std::chrono::duration<double>(took).count());
  return sent;
}

void HttpServer::Impl::Answer(Exchange& exchange, const httplib::Request& from,
                              httplib::Response& to) {
  auto response = Respond(exchange, from);
  if (exchange.refusal || !exchange.connection.SkipBody(exchange.head)) {
    exchange.close = exchange.unread = true;
  } else if (!exchange.head.keep_alive || listener_->draining()) {
    exchange.close = true;
  }
  exchange.status = to.status = response.status;
  to.body = std::move(response.body);
  if (!to.body.empty()) to.headers.emplace("Content-Type", std::move(response.content_type));
  for (auto& [name, value] : response.headers) to.headers.emplace(name, std::move(value));
}

HttpResponse HttpServer::Impl::Respond(Exchange& exchange, const httplib::Request& from) {
  if (exchange.refusal) {
    const auto& [status, detail] = *exchange.refusal;
    return status == 503 ? Retryable(detail) : Problem(status, detail);
  }
  HttpRequest request;
  request.head_ = &exchange.head;
  request.path = PathOf(from.path);
  request.peer = exchange.peer.address;
  request.method = exchange.head.method == "HEAD" ? "GET" : exchange.head.method;
  request.query.assign(from.params.begin(), from.params.end());

  auto* pattern = routes_.Find(request.path, request.param);
  if (pattern != nullptr) exchange.pattern = pattern;
  const auto* route = pattern != nullptr ? pattern->Find(request.method) : nullptr;
  if (route == nullptr || !route->options.open) {
    if (auto refused = CheckToken(exchange.head, request)) return std::move(*refused);
  }
  if (pattern == nullptr) return Problem(404, "there is nothing at this path");
  if (route == nullptr) {
    auto response = Problem(405, "the method is not one of " + pattern->allow());
    response.headers.emplace_back("Allow", pattern->allow());
    return response;
  }
  if (!route->options.open && listener_->draining()) return Retryable("control-tower is stopping");
  if (auto refused = TakeBody(exchange, *route, request)) return std::move(*refused);
  return Run(*route, *pattern, request);
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

std::optional<HttpResponse> HttpServer::Impl::TakeBody(Exchange& exchange, const HttpRoute& route,
                                                       HttpRequest& request) {
  const auto& types = route.options.content_types;
  if (types.empty()) return std::nullopt;
  const auto& head = exchange.head;
  if (head.Count("Content-Encoding") > 0 &&
      !SameIgnoringCase(head.Find("Content-Encoding").value_or(""), "identity")) {
    return Problem(415, "send the body without Content-Encoding");
  }
  const auto* type = AcceptedType(head.Find("Content-Type").value_or(""), types);
  if (type == nullptr) {
    return Problem(415, "Content-Type must be one of " + Joined(types) + ", in UTF-8");
  }
  if (!head.content_length && !head.chunked) {
    return Problem(411, "send Content-Length, or the body as chunks");
  }
  if (const auto refused = exchange.connection.ReadBody(head, options_.max_body)) {
    return Problem(refused->status, refused->detail);
  }
  request.content_type = *type;
  request.body = exchange.connection.body();
  return std::nullopt;
}

HttpResponse HttpServer::Impl::Run(const HttpRoute& route, const HttpPattern& pattern,
                                   const HttpRequest& request) {
  try {
    return route.handler(request);
  } catch (const std::bad_alloc&) {
    log_.Error("out of memory while answering", {{"route", pattern.text()}});
    return Retryable("out of memory");
  } catch (const std::exception& error) {
    log_.Error("a request failed", {{"route", pattern.text()}, {"exception", error.what()}});
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
