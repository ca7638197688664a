// What a request is for: its target (RFC 9112, section 3.2) and its Host, as RFC 3986 writes them.
#ifndef CORE_HTTP_TARGET_H_
#define CORE_HTTP_TARGET_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tower {

// Both are views into the text they were parsed from.
struct HttpHost {
  std::string_view text;  // all of it
  std::string_view name;  // as sent: in any case, an IPv6 address in brackets; never empty
  std::string_view port;  // digits up to 65535; may be empty
};

// Nothing where it is no `uri-host [":" port]`. A name may not be empty, which no http URI allows,
// nor have a comma, which two names joined by somebody on the way would have.
std::optional<HttpHost> ParseHttpHost(std::string_view text) noexcept;

struct HttpTarget {
  std::string_view path;         // still encoded; begins with '/', or is "*"
  std::string_view query;        // still encoded, without its '?'
  std::optional<HttpHost> host;  // where the target is an absolute http or https URI
};

// Nothing where it is neither a path with or without a query, nor an absolute URI, nor "*". A
// fragment, an escape that can't be decoded, and bytes that a path can't have are refused; a query
// may have whatever is printable, since browsers send it.
std::optional<HttpTarget> ParseHttpTarget(std::string_view text) noexcept;

// What a path is compared with: decoded, but a '/' that was encoded stays %2F, so that it separates
// nothing. `path` is of an HttpTarget; the result is `path` itself, or kept in `storage`.
std::string_view DecodeHttpPath(std::string_view path, std::string& storage);

// The names and values of a query, in its order: a=b&c, '+' being a space.
std::vector<std::pair<std::string, std::string>> ParseHttpQuery(std::string_view query);

}  // namespace tower

#endif  // CORE_HTTP_TARGET_H_
