#include "core/http_client/client.h"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <system_error>
#include <utility>

#include "core/base/build_info.h"
#include "core/base/encode.h"
#include "core/base/wakeup.h"
#include "core/http_client/exchange.h"
#include "core/http_client/policy.h"
#include "core/net/stream.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Error Unavailable(std::string message) { return {ErrorCode::kUnavailable, std::move(message)}; }

std::string Numeric(const SocketAddress& address) {
  std::array<char, NI_MAXHOST> text{};
  if (getnameinfo(address.get(), address.size, text.data(), text.size(), nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return {};
  }
  return text.data();
}

bool IsRedirect(const HttpReply& reply) {
  constexpr std::array kRedirects = {301, 302, 303, 307, 308};
  return std::find(kRedirects.begin(), kRedirects.end(), reply.status) != kRedirects.end() &&
         reply.Header("Location");
}

// The headers of each request: the client's own, then the given ones.
Result<std::string> HeadersOf(const HttpHeaders& given) {
  HttpHeaders ours = {{"User-Agent", "control-tower/" + std::string(GetBuildInfo().version)},
                      {"Accept", "*/*"},
                      {"Accept-Encoding", "identity"}};
  for (const auto& [name, value] : given) {
    if (auto fits = CheckHttpHeader(name, value); !fits) return fits.error();
    std::erase_if(ours, [&name = name](const auto& header) {
      return EqualsIgnoringCase(header.first, name);
    });
  }
  std::string text;
  for (const HttpHeaders* headers : std::initializer_list<const HttpHeaders*>{&ours, &given}) {
    for (const auto& [name, value] : *headers) text += name + ": " + value + "\r\n";
  }
  return text;
}

// The request with the target exactly as in the URL.
std::string RequestFor(const HttpUrl& url, const std::string& headers) {
  std::string request = "GET " + url.target + " HTTP/1.1\r\nHost: ";
  request += url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  if (url.port != (url.tls ? 443 : 80)) request += ":" + std::to_string(url.port);
  return request + "\r\n" + headers + "\r\n";
}

// Whether an idle connection can be used again: nothing arrived except internal messages of TLS.
bool IsIdle(NetStream& stream) {
  pollfd ready{stream.fd(), POLLIN, 0};
  if (poll(&ready, 1, 0) == 0 && !stream.HasBuffered()) return true;
  char byte = 0;
  const auto got = stream.Read(&byte, 1);
  return got && *got == 0;
}

}  // namespace

struct HttpClient::Impl {
  HttpClientOptions options;
  HttpDenyList deny;
  HttpPolicy policy;
  Resolver resolver;
  // The connection to the last origin, if it is open.
  NetStream stream;
  HttpUrl origin;

  Result<HttpReply> Ask(const HttpUrl& url, const std::string& request,
                        const RequestDeadline& deadline);
  Result<std::vector<SocketAddress>> Addresses(const HttpUrl& url, const RequestDeadline& deadline);
  Result<HttpReply> Fresh(const HttpUrl& url, const std::string& request,
                          const RequestDeadline& deadline);
  Status Connect(const HttpUrl& url, const SocketAddress& address, const TlsClient* tls,
                 const RequestDeadline& deadline, bool& distrusted);
  Result<HttpReply> Exchange(const std::string& request, const RequestDeadline& deadline,
                             bool& begun);
};

Result<std::unique_ptr<HttpClient>> HttpClient::Make(std::string_view url,
                                                     HttpClientOptions options) {
  const auto parsed = HttpUrl::Parse(url);
  if (!parsed) return parsed.error();
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->policy = CurrentHttpPolicy();
  auto deny = HttpDenyList::Parse(impl->policy.deny);
  if (!deny) return Annotate("http.deny", deny.error());
  impl->deny = std::move(*deny);
  if (parsed->tls) {
    if (auto bundle = HttpCaBundle(impl->policy); !bundle) return bundle.error();
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<HttpReply> HttpClient::Get(const std::string& url, const HttpHeaders& headers,
                                  const std::stop_token& stop) try {
  if (stop.stop_requested()) return Error{ErrorCode::kStopped, "interrupted"};
  auto at = HttpUrl::Parse(url);
  if (!at) return at.error();
  const auto sent = HeadersOf(headers);
  if (!sent) return sent.error();
  const StopEvent interrupt(stop);
  const RequestDeadline deadline{stop, interrupt.fd(),
                                 steady_clock::now() + impl_->options.timeout};
  for (int redirects = 0;; ++redirects) {
    auto reply = impl_->Ask(*at, RequestFor(*at, *sent), deadline);
    if (!reply) return Annotate("GET " + at->WithoutQuery(), reply.error());
    if (!IsRedirect(*reply)) return reply;
    auto next = at->Resolve(*reply->Header("Location"));
    if (!next || !next->SameOrigin(*at)) {
      return Error{ErrorCode::kPermanent,
                   "GET " + at->WithoutQuery() + ": redirected to another origin" +
                       (next ? ", to " + next->WithoutQuery() : "") +
                       "; set the URL to the final one if that is to be trusted"};
    }
    if (redirects >= impl_->options.max_redirects) {
      return Unavailable("GET " + at->WithoutQuery() + ": too many redirects");
    }
    at = std::move(next);
  }
} catch (const std::system_error& error) {
  return Unavailable(error.what());
}

Result<HttpReply> HttpClient::Impl::Ask(const HttpUrl& url, const std::string& request,
                                        const RequestDeadline& deadline) {
  if (!stream.is_open() || !origin.SameOrigin(url) || !IsIdle(stream)) {
    return Fresh(url, request, deadline);
  }
  bool begun = false;
  auto reply = Exchange(request, deadline, begun);
  // The service may have closed the idle connection. A GET can be repeated safely.
  if (!reply && !begun && deadline.Check()) return Fresh(url, request, deadline);
  return reply;
}

// Resolves the allowed addresses of a host. If one of them is denied, the host is refused, because
// a mix of allowed and denied addresses indicates an attack.
Result<std::vector<SocketAddress>> HttpClient::Impl::Addresses(const HttpUrl& url,
                                                               const RequestDeadline& deadline) {
  auto resolved = resolver.Resolve(url.host, static_cast<std::uint16_t>(url.port), deadline.at,
                                   deadline.interrupt_fd);
  if (!resolved) {
    if (auto left = deadline.Check(); !left) return left.error();
    return resolved.error();
  }
  for (const auto& address : *resolved) {
    if (!deny.Denies(address)) continue;
    return Error{ErrorCode::kPermanent,
                 "the address " + Numeric(address) + " is denied by http.deny"};
  }
  return resolved;
}

Result<HttpReply> HttpClient::Impl::Fresh(const HttpUrl& url, const std::string& request,
                                          const RequestDeadline& deadline) {
  stream.Close();
  const auto addresses = Addresses(url, deadline);
  if (!addresses) return addresses.error();
  std::shared_ptr<const TlsClient> tls;
  if (url.tls) {
    auto loaded = TlsClient::Load(
        {.ca_file = policy.ca_file, .cert = {}, .key = {}, .prefix = "http.", .url = "the URL"});
    if (!loaded) return loaded.error();
    tls = std::move(*loaded);
  }
  origin = url;
  Result<HttpReply> reply = Unavailable("the host has no address");
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    // Limits the time for one address, so that the others are tried too.
    const auto left = deadline.at - steady_clock::now();
    RequestDeadline share = deadline;
    share.at = steady_clock::now() + left / static_cast<int>(addresses->size() - i);
    bool distrusted = false, begun = false;
    const auto connected = Connect(url, (*addresses)[i], tls.get(), share, distrusted);
    reply = connected ? Exchange(request, deadline, begun) : Result<HttpReply>(connected.error());
    if (!connected) stream.Close();
    if (auto time = deadline.Check(); !reply && !time) return time.error();
    if (reply || begun || distrusted) break;
  }
  return reply;
}

// Sets `distrusted` if the certificate is not accepted; then other addresses need not be tried.
Status HttpClient::Impl::Connect(const HttpUrl& url, const SocketAddress& address,
                                 const TlsClient* tls, const RequestDeadline& deadline,
                                 bool& distrusted) {
  const auto left = std::chrono::ceil<milliseconds>(deadline.at - steady_clock::now());
  const auto fd =
      ConnectTo(address, deadline.at, std::max(left, milliseconds(1)), deadline.interrupt_fd);
  if (!fd && fd.error().code == ErrorCode::kTimeout) {
    return Unavailable(url.host + " does not answer");
  }
  if (!fd) return Unavailable("can't connect to " + url.host + ": " + fd.error().message);
  auto opened = stream.Open(*fd, url.host, tls, deadline.at, deadline.interrupt_fd);
  if (opened) return Ok();
  distrusted = opened.error().code == ErrorCode::kPermanent;
  return Unavailable(opened.error().message);
}

// Sets `begun` if a part of the reply has arrived.
Result<HttpReply> HttpClient::Impl::Exchange(const std::string& request,
                                             const RequestDeadline& deadline, bool& begun) {
  HttpClientExchange exchange(stream, deadline, options.max_body);
  auto reply = exchange.Run(request);
  begun = exchange.begun();
  if (!exchange.reusable()) stream.Close();
  return reply;
}

}  // namespace tower
