// The HTTP client for plugins that ask a service: TLS verified, every wait bounded and ended by a
// stop request, answers limited in size, and no request to an address that `http.deny` names.
#ifndef CORE_HTTP_CLIENT_H_
#define CORE_HTTP_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/options.h"
#include "core/result.h"

namespace tower {

// What holds for every client of the process: the core's options http.deny and http.ca-file.
struct HttpPolicy {
  // Networks that are never asked, checked against the resolved address (an IPv4-mapped IPv6
  // address counts as the IPv4 one): CIDR, or a single address.
  std::vector<std::string> deny;
  std::string ca_file;  // PEM; empty: SSL_CERT_FILE, else the system's bundle
};

// Link-local networks, and the addresses at which clouds serve metadata.
HttpPolicy DefaultHttpPolicy();
Status CheckHttpPolicy(const HttpPolicy& policy);  // kInvalid names the network that is none

// For all clients made later. Once, before any thread is started.
void ConfigureHttpClients(HttpPolicy policy);

struct HttpClientOptions {
  std::chrono::milliseconds timeout{30'000};  // of a whole request, name lookup to last byte
  std::size_t max_body = 16U << 20U;          // of an answer
  int max_redirects = 5;                      // to the same scheme, host and port alone
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
  int status = 0;
  HttpHeaders headers;
  std::string body;

  std::optional<std::string_view> Header(std::string_view name) const;  // the first, in any case
  // Retry-After (RFC 9110, section 10.2.3), seconds or a date; nothing where it is absent or no
  // such thing. At most a day.
  std::optional<std::chrono::milliseconds> RetryAfter() const;
};

// Used by one thread. Keeps the connection to the last host alive.
class HttpClient {
 public:
  // kInvalid when there is no CA bundle to verify with, and https is asked for (`url` says so).
  static Result<std::unique_ptr<HttpClient>> Make(std::string_view url, HttpClientOptions options);
  ~HttpClient();

  // Any status is a reply; an error means that there was none: kStopped, kTimeout, kUnavailable
  // (lookup, connect, TLS, cut off, too large), kInvalid (the URL), kPermanent (a denied address, a
  // redirect to elsewhere). Messages name the URL without its query and user info, and no header.
  Result<HttpReply> Get(const std::string& url, const HttpHeaders& headers,
                        const std::stop_token& stop);

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The parts of a URL, http or https only. `target` is path and query, at least "/".
struct HttpUrl {
  bool tls = false;
  std::string host;  // without brackets
  int port = 0;
  std::string target;
  static Result<HttpUrl> Parse(std::string_view text);  // refuses user info
};

// Adds or replaces a query parameter, percent-encoded.
std::string WithQuery(std::string_view url, std::string_view name, std::string_view value);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_H_
