// The HTTP client for plugins that ask a service: TLS verified, every wait bounded and ended by a
// stop request, answers limited in size, and no request to an address that `http.deny` names.
#ifndef CORE_HTTP_CLIENT_CLIENT_H_
#define CORE_HTTP_CLIENT_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/options/options.h"

namespace tower {

// What holds for every client of the process: the core's options http.deny and http.ca-file.
struct HttpPolicy {
  // Networks that are never asked, checked against the resolved address (an IPv6 address that
  // stands for an IPv4 one counts as that too): CIDR, a single address, or the name of several:
  // link-local, metadata (of clouds), loopback, private.
  std::vector<std::string> deny;
  std::string ca_file;  // PEM; empty: SSL_CERT_FILE, else the system's bundle
};

HttpPolicy DefaultHttpPolicy();  // link-local and metadata
// kInvalid names every network that is none, and a ca_file without certificates.
Status CheckHttpPolicy(const HttpPolicy& policy);
Status CheckHttpNetwork(std::string_view network);

// For all clients made later. Thread-safe. REQUIRES: CheckHttpPolicy(policy).
void ConfigureHttpClients(HttpPolicy policy);

struct HttpClientOptions {
  std::chrono::milliseconds timeout{30'000};  // of a whole request, name lookup to last byte
  std::size_t max_body = 16U << 20U;          // of an answer
  int max_redirects = 5;                      // to the same scheme, host and port alone
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// kInvalid when it can't be sent, or is the client's own to send (Host, Connection, …). The message
// has no part of the value.
Status CheckHttpHeader(std::string_view name, std::string_view value);

struct HttpReply {
  int status = 0;
  HttpHeaders headers;
  std::string body;

  std::optional<std::string_view> Header(std::string_view name) const;  // the first, in any case
  // Retry-After (RFC 9110, section 10.2.3), seconds or a date; nothing where it is absent or no
  // such thing. At most a day.
  std::optional<std::chrono::milliseconds> RetryAfter() const;
};

// What a later request can ask by whether anything has changed (RFC 9110, section 13.1); the answer
// is 304 where nothing has. Empty where the service sends no such thing.
struct HttpValidators {
  std::string etag, last_modified;

  static HttpValidators Of(const HttpReply& reply);
  void AddTo(HttpHeaders& headers) const;  // If-None-Match, else If-Modified-Since
};

// Used by one thread; the process must ignore SIGPIPE. Keeps the connection to the last host alive.
// Nothing of the environment, such as a proxy, has a say.
class HttpClient {
 public:
  // kInvalid when there is no CA bundle to verify with, and https is asked for (`url` says so).
  static Result<std::unique_ptr<HttpClient>> Make(std::string_view url, HttpClientOptions options);
  ~HttpClient();

  // Any status is a reply; an error means that there was none: kStopped, kTimeout, kUnavailable
  // (lookup, connect, TLS, cut off, too large, too many redirects), kInvalid (the URL, a header),
  // kPermanent (a denied address, a redirect to elsewhere). Messages name the URL without its query
  // and user info, and no header.
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
  std::string host;  // lower case, without brackets
  int port = 0;
  std::string target;

  // Refuses user info, and bytes that should have been percent-encoded. A fragment is dropped. The
  // message has no part of the text.
  static Result<HttpUrl> Parse(std::string_view text);

  // The same scheme, host and port: where headers with secrets may go as well.
  bool SameOrigin(const HttpUrl& other) const;
  std::string Text() const;          // the whole
  std::string WithoutQuery() const;  // for messages
  // What a reference ("?page=2", "/a", "https://…") in a document from here means (RFC 3986,
  // section 5.2).
  Result<HttpUrl> Resolve(std::string_view reference) const;
};

// Adds or replaces a query parameter, percent-encoded.
std::string WithQuery(std::string_view url, std::string_view name, std::string_view value);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_CLIENT_H_
