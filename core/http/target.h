// Parses the target of a request (RFC 9112, section 3.2) and its Host, both by the syntax of RFC
// 3986.
#ifndef CORE_HTTP_TARGET_H_
#define CORE_HTTP_TARGET_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tower {

// The views of both structs refer to the parsed text.
struct HttpHost {
  std::string_view text;  // all of it
  std::string_view name;  // as sent: in any case, an IPv6 address in brackets; never empty
  std::string_view port;  // digits up to 65535; may be empty
};

// Returns nullopt if `text` is not `uri-host [":" port]`. Also refuses an empty name, which http
// URIs do not allow, and a comma, which occurs when an intermediary joins two Host headers.
std::optional<HttpHost> ParseHttpHost(std::string_view text) noexcept;

struct HttpTarget {
  std::string_view path;         // still encoded; begins with '/', or is "*"
  std::string_view query;        // still encoded, without its '?'
  std::optional<HttpHost> host;  // if the target is an absolute http or https URI
};

// Accepts a path with or without a query, an absolute URI, and "*"; returns nullopt for anything
// else. Refuses a fragment, invalid percent-encoding, and bytes that are not allowed in a path; a
// query may contain all printable characters, because browsers send them unencoded.
std::optional<HttpTarget> ParseHttpTarget(std::string_view text) noexcept;

// Percent-decodes a path for comparison with routes. An encoded '/' stays %2F, so that it does not
// separate segments. `path` is that of an HttpTarget; the result is `path` itself or refers to
// `storage`.
std::string_view DecodeHttpPath(std::string_view path, std::string& storage);

// Splits a query such as a=b&c into decoded names and values, in order; '+' is a space.
std::vector<std::pair<std::string, std::string>> ParseHttpQuery(std::string_view query);

}  // namespace tower

#endif  // CORE_HTTP_TARGET_H_
