// The HTTP client for plugins that poll a service. It verifies TLS certificates, bounds every wait
// and ends it at a stop request, limits the size of replies, and does not contact addresses that
// `http.deny` names.
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

// Settings for all clients of the process: the core's options http.deny and http.ca-file.
struct HttpPolicy {
  // Networks that clients may not contact, checked against the resolved address; an IPv6 address
  // that embeds an IPv4 address is also checked as the latter. Each item is in CIDR notation, a
  // single address, or one of the names link-local, metadata (of clouds), loopback and private.
  std::vector<std::string> deny;
  std::string ca_file;  // PEM; empty: SSL_CERT_FILE, else the system's bundle
};

HttpPolicy DefaultHttpPolicy();  // link-local and metadata
// kInvalid; the message names every invalid network, and a ca_file without certificates.
Status CheckHttpPolicy(const HttpPolicy& policy);
Status CheckHttpNetwork(std::string_view network);

// Sets the policy for all clients created later. Thread-safe. REQUIRES: CheckHttpPolicy(policy).
void ConfigureHttpClients(HttpPolicy policy);

struct HttpClientOptions {
  std::chrono::milliseconds timeout{30'000};  // for a whole request, from name lookup to last byte
  std::size_t max_body = 16U << 20U;          // bytes of a reply
  int max_redirects = 5;                      // only to the same scheme, host and port
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// kInvalid if the header cannot be sent, or if the client sets it itself (Host, Connection, …). The
// message does not contain the value.
Status CheckHttpHeader(std::string_view name, std::string_view value);

struct HttpReply {
  int status = 0;
  HttpHeaders headers;
  std::string body;

  // The first header with this name (case-insensitive), or nullopt.
  std::optional<std::string_view> Header(std::string_view name) const;
  // The delay that Retry-After requests in seconds or as a date (RFC 9110, section 10.2.3), at most
  // one day; nullopt if the header is missing or invalid.
  std::optional<std::chrono::milliseconds> RetryAfter() const;
};

// The validators of a reply for a later conditional request (RFC 9110, section 13.1), which gets
// 304 if nothing has changed. Empty if the service sends none.
struct HttpValidators {
  std::string etag, last_modified;

  static HttpValidators Of(const HttpReply& reply);
  void AddTo(HttpHeaders& headers) const;  // If-None-Match, else If-Modified-Since
};

// Used by one thread; the process must ignore SIGPIPE. Keeps the connection to the last host open.
// Ignores environment variables such as those for a proxy.
class HttpClient {
 public:
  // kInvalid if `url` is an https URL and there is no CA bundle to verify with.
  static Result<std::unique_ptr<HttpClient>> Make(std::string_view url, HttpClientOptions options);
  ~HttpClient();

  // A reply with any status is a value; an error means that there was no reply: kStopped, kTimeout,
  // kUnavailable (lookup, connect, TLS, cut off, too large, too many redirects), kInvalid (the URL,
  // a header), kPermanent (a denied address, a redirect to another origin). Messages contain the
  // URL without its query and user info, and no headers.
  Result<HttpReply> Get(const std::string& url, const HttpHeaders& headers,
                        const std::stop_token& stop);

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The parts of an http or https URL. `target` consists of path and query, and is at least "/".
struct HttpUrl {
  bool tls = false;
  std::string host;  // lower case, without brackets
  int port = 0;
  std::string target;

  // Refuses user info, and characters that must be percent-encoded. Drops a fragment. The error
  // message does not contain the text.
  static Result<HttpUrl> Parse(std::string_view text);

  // Whether scheme, host and port are equal, so that headers with secrets may be sent there.
  bool SameOrigin(const HttpUrl& other) const;
  std::string Text() const;          // the complete URL
  std::string WithoutQuery() const;  // for messages
  // Resolves a reference ("?page=2", "/a", "https://…") relative to this URL (RFC 3986, section
  // 5.2).
  Result<HttpUrl> Resolve(std::string_view reference) const;
};

// Returns `url` with the query parameter added or replaced. Name and value are percent-encoded.
std::string WithQuery(std::string_view url, std::string_view name, std::string_view value);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_CLIENT_H_
