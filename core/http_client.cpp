#include "core/http_client.h"

#include <httplib.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/build_info.h"
#include "core/http_client_policy.h"
#include "core/http_cutter.h"

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

// Called by OpenSSL for each certificate of the chain: keeps why one is refused.
int KeepVerdict(int fine, X509_STORE_CTX* store) {
  if (fine != 1) {
    const auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* verdict = static_cast<int*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    *verdict = X509_STORE_CTX_get_error(store);
  }
  return fine;
}

// OpenSSL itself verifies chain and host during the handshake, before a byte of the request leaves.
bool VerifyInHandshake(httplib::SSLClient& client, const std::string& host, int* verdict) {
  auto* context = static_cast<SSL_CTX*>(client.tls_context());
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return false;
  }
  SSL_CTX_set_app_data(context, verdict);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, KeepVerdict);
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return true;
  return X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size()) == 1;
}

bool IsRedirect(const HttpReply& reply) {
  constexpr std::array kRedirects = {301, 302, 303, 307, 308};
  return std::find(kRedirects.begin(), kRedirects.end(), reply.status) != kRedirects.end() &&
         reply.Header("Location");
}

}  // namespace

// One host, one of its addresses, and the connection to it.
struct Connection {
  HttpUrl origin;
  int verdict = X509_V_OK;  // why its certificate was refused
  HttpCutter* cutter = nullptr;
  std::unique_ptr<httplib::ClientImpl> client;  // last: it refers to the rest

  // Nothing where OpenSSL can't be set up.
  static std::unique_ptr<Connection> To(const HttpUrl& url, const std::string& address,
                                        const std::string& ca_file, milliseconds timeout);
};

std::unique_ptr<Connection> Connection::To(const HttpUrl& url, const std::string& address,
                                           const std::string& ca_file, milliseconds timeout) {
  auto connection = std::make_unique<Connection>();
  connection->origin = url;
  if (url.tls) {
    auto client = std::make_unique<httplib::SSLClient>(url.host, url.port);
    if (!VerifyInHandshake(*client, url.host, &connection->verdict)) return nullptr;
    client->set_ca_cert_path(ca_file);
    connection->client = std::move(client);
  } else {
    connection->client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
  }
  auto& client = *connection->client;
  client.set_hostname_addr_map({{url.host, address}});
  client.set_socket_options(
      [c = connection.get()](socket_t fd) { c->cutter->Watch(static_cast<int>(fd)); });
  client.set_tcp_nodelay(true);
  client.set_keep_alive(true);
  client.set_follow_location(false);
  client.set_decompress(false);
  client.set_path_encode(false);
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  return connection;
}

struct HttpClient::Impl {
  HttpClientOptions options;
  HttpDenyList deny;
  HttpPolicy policy;
  Resolver resolver;
  std::unique_ptr<Connection> connection;

  Result<HttpReply> Ask(const HttpUrl& url, const httplib::Headers& headers, HttpCutter& cutter);
  Result<std::vector<std::string>> Addresses(const HttpUrl& url, HttpCutter& cutter);
  Result<HttpReply> Fresh(const HttpUrl& url, const httplib::Headers& headers, HttpCutter& cutter);
  Result<HttpReply> Send(const HttpUrl& url, const httplib::Headers& headers, HttpCutter& cutter,
                         bool& connected);
  Error WhyNot(httplib::Error error) const;
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
  httplib::Headers sent = {{"Accept-Encoding", "identity"},
                           {"User-Agent", "control-tower/" + std::string(GetBuildInfo().version)}};
  for (const auto& [name, value] : headers) {
    if (auto fits = CheckHttpHeader(name, value); !fits) return fits.error();
    if (strcasecmp(name.c_str(), "User-Agent") == 0) sent.erase(name);
    sent.emplace(name, value);
  }
  HttpCutter cutter(stop, steady_clock::now() + impl_->options.timeout);
  for (int redirects = 0;; ++redirects) {
    auto reply = impl_->Ask(*at, sent, cutter);
    if (!reply) return Annotate("GET " + at->WithoutQuery(), reply.error());
    if (!IsRedirect(*reply)) return reply;
    auto next = at->Resolve(*reply->Header("Location"));
    if (!next || !next->SameOrigin(*at)) {
      return Error{ErrorCode::kPermanent,
                   "GET " + at->WithoutQuery() + ": redirected to elsewhere" +
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

Result<HttpReply> HttpClient::Impl::Ask(const HttpUrl& url, const httplib::Headers& headers,
                                        HttpCutter& cutter) {
  const bool alive =
      connection && connection->origin.SameOrigin(url) && connection->client->is_socket_open() != 0;
  if (!alive) return Fresh(url, headers, cutter);
  connection->cutter = &cutter;
  cutter.Watch(static_cast<int>(connection->client->socket()));
  bool connected = false;
  auto reply = Send(url, headers, cutter, connected);
  // The server may have closed it just now. A GET can be repeated.
  if (!reply && !connected) return Fresh(url, headers, cutter);
  return reply;
}

// The addresses that may be asked. One that is denied spoils them all: whoever mixes them with
// others is up to no good.
Result<std::vector<std::string>> HttpClient::Impl::Addresses(const HttpUrl& url,
                                                             HttpCutter& cutter) {
  const auto resolved = resolver.Resolve(url.host, static_cast<std::uint16_t>(url.port),
                                         cutter.deadline(), cutter.interrupt_fd());
  if (!resolved) return cutter.Cut().value_or(resolved.error());
  std::vector<std::string> addresses;
  for (const auto& address : *resolved) {
    const auto text = Numeric(address);
    if (deny.Denies(address)) {
      return Error{ErrorCode::kPermanent, "the address " + text + " is denied by http.deny"};
    }
    if (!text.empty()) addresses.push_back(text);
  }
  return addresses;
}

Result<HttpReply> HttpClient::Impl::Fresh(const HttpUrl& url, const httplib::Headers& headers,
                                          HttpCutter& cutter) {
  connection.reset();
  const auto addresses = Addresses(url, cutter);
  if (!addresses) return addresses.error();
  std::string ca_file;
  if (url.tls) {
    auto bundle = HttpCaBundle(policy);
    if (!bundle) return bundle.error();
    ca_file = std::move(*bundle);
  }
  Result<HttpReply> reply = Unavailable("the host has no address");
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    // No address uses up the time of those behind it.
    const auto left = std::chrono::ceil<milliseconds>(cutter.deadline() - steady_clock::now());
    const auto share = std::max(left / static_cast<int>(addresses->size() - i), milliseconds(1));
    connection = Connection::To(url, (*addresses)[i], ca_file, share);
    if (!connection) return Unavailable("set up TLS");
    connection->cutter = &cutter;
    bool connected = false;
    reply = Send(url, headers, cutter, connected);
    if (reply || connected || cutter.Cut()) break;
  }
  return reply;
}

// `connected`: the server has begun to answer, or the error would be the same at another address.
Result<HttpReply> HttpClient::Impl::Send(const HttpUrl& url, const httplib::Headers& headers,
                                         HttpCutter& cutter, bool& connected) {
  HttpReply reply;
  std::string refused;
  const auto on_head = [&](const httplib::Response& head) {
    connected = true;
    const auto encoding = head.get_header_value("Content-Encoding");
    const auto length = head.get_header_value("Content-Length");
    std::uint64_t bytes = 0;
    std::from_chars(length.data(), length.data() + length.size(), bytes);
    if (!encoding.empty() && strcasecmp(encoding.c_str(), "identity") != 0) {
      refused = "the answer is compressed, which nobody asked for";
    } else if (head.status != 304 && bytes > options.max_body) {
      refused = "the answer is too large: " + std::to_string(bytes) + " bytes";
    }
    return refused.empty();
  };
  const auto on_body = [&](const char* data, std::size_t size) {
    if (size > options.max_body - reply.body.size()) {
      refused = "the answer is too large: more than " + std::to_string(options.max_body) + " bytes";
      return false;
    }
    reply.body.append(data, size);
    return true;
  };
  auto result = connection->client->Get(url.target, headers, on_head, on_body);
  connection->cutter = nullptr;
  // A body that ends with the connection would look whole when the connection was cut.
  auto cut = cutter.Cut();
  if (result && !cut) {
    reply.status = result->status;
    for (const auto& [name, value] : result->headers) reply.headers.emplace_back(name, value);
    return reply;
  }
  Error error = cut ? *cut : !refused.empty() ? Unavailable(refused) : WhyNot(result.error());
  connected = connected || connection->verdict != X509_V_OK;
  connection.reset();
  return error;
}

Error HttpClient::Impl::WhyNot(httplib::Error error) const {
  using httplib::Error;
  switch (error) {
    case Error::Connection:
      return Unavailable("can't connect to " + connection->origin.host);
    case Error::ConnectionTimeout:
      return Unavailable(connection->origin.host + " does not answer");
    case Error::SSLConnection:
    case Error::SSLLoadingCerts:
    case Error::SSLServerVerification:
    case Error::SSLServerHostnameVerification:
      if (connection->verdict == X509_V_OK) return Unavailable("the TLS handshake failed");
      return Unavailable("the certificate of " + connection->origin.host + " is not accepted (" +
                         X509_verify_cert_error_string(connection->verdict) +
                         "), see http.ca-file and the host in the URL");
    case Error::Write:
    case Error::Read:
      return Unavailable("the connection was cut, or the answer is not HTTP");
    default:
      return Unavailable(httplib::to_string(error));
  }
}

}  // namespace tower
