#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/encode.h"
#include "core/http_client/client.h"

namespace tower {
namespace {

Error Bad(std::string_view what) { return {ErrorCode::kInvalid, "the URL " + std::string(what)}; }

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '.' || c == '_';
  });
}

bool IsIpv6(const std::string& host) {
  in6_addr ignored{};
  return inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

// Parses host[:port]; an IPv6 address is in brackets.
Status ParseAuthority(std::string_view text, HttpUrl& url) {
  std::string_view port;
  bool fits = false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return Bad("has no valid host");
    url.host = ToLower(text.substr(1, end - 1));
    fits = IsIpv6(url.host);
    port = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    url.host = ToLower(text.substr(0, colon));
    fits = IsHostName(url.host);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!fits) return Bad("has no valid host");
  url.port = url.tls ? 443 : 80;
  if (port.empty() || port == ":") return Ok();
  const auto* last = port.data() + port.size();
  const auto [end, fault] = std::from_chars(port.data() + 1, last, url.port);
  if (port[0] != ':' || fault != std::errc() || end != last || url.port < 1 || url.port > 65535) {
    return Bad("has no valid port");
  }
  return Ok();
}

// Removes dot segments (RFC 3986, section 5.2.4). REQUIRES: the path begins with a slash.
std::string RemoveDots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto next = std::min(path.find('/', 1), path.size());
    const auto segment = path.substr(0, next);
    path.remove_prefix(next);
    if (segment == "/..") out.erase(std::min(out.rfind('/'), out.size()));
    if (segment != "/." && segment != "/..") {
      out += segment;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

}  // namespace

Result<HttpUrl> HttpUrl::Parse(std::string_view text) {
  HttpUrl url;
  const auto scheme_end = text.find("://");
  const auto scheme = ToLower(text.substr(0, std::min(scheme_end, text.size())));
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return Bad("must begin with http:// or https://");
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c >= 0x7f; })) {
    return Bad("has a space or a byte that must be percent-encoded");
  }
  url.tls = scheme == "https";
  text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find('#'));
  const auto authority_end = std::min(text.find_first_of("/?"), text.size());
  const auto authority = text.substr(0, authority_end);
  if (authority.find('@') != std::string_view::npos) {
    return Bad("must not hold a user name or a password");
  }
  if (auto parsed = ParseAuthority(authority, url); !parsed) return parsed.error();
  url.target = text.substr(authority_end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

bool HttpUrl::SameOrigin(const HttpUrl& other) const {
  return tls == other.tls && host == other.host && port == other.port;
}

std::string HttpUrl::Text() const {
  std::string text = tls ? "https://" : "http://";
  text += host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text + target;
}

std::string HttpUrl::WithoutQuery() const {
  const std::string text = Text();
  return text.substr(0, text.find('?'));
}

Result<HttpUrl> HttpUrl::Resolve(std::string_view reference) const {
  reference = reference.substr(0, reference.find('#'));
  const auto scheme_end = reference.find(':');
  if (scheme_end < reference.find_first_of("/?")) return Parse(reference);
  if (reference.starts_with("//")) {
    return Parse((tls ? "https:" : "http:") + std::string(reference));
  }
  const auto path = std::string_view(target).substr(0, target.find('?'));
  const auto reference_path = reference.substr(0, reference.find('?'));
  const auto query = reference.substr(reference_path.size());
  HttpUrl url = *this;
  if (reference.empty()) return url;
  if (reference_path.empty()) {
    url.target = std::string(path);
  } else if (reference_path.starts_with('/')) {
    url.target = RemoveDots(reference_path);
  } else {
    url.target =
        RemoveDots(std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference_path));
  }
  url.target += query;
  return Parse(url.Text());
}

std::string WithQuery(std::string_view url, std::string_view name, std::string_view value) {
  url = url.substr(0, url.find('#'));
  const auto mark = url.find('?');
  std::string out(url.substr(0, mark));
  const std::string key = PercentEncode(name);
  char before = '?';
  const auto append = [&out, &before](std::string_view part) {
    (out += std::exchange(before, '&')).append(part);
  };
  auto rest = mark == std::string_view::npos ? std::string_view() : url.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto given = part.substr(0, part.find('='));
    if (given != key && given != name) append(part);
  }
  append(key + "=" + PercentEncode(value));
  return out;
}

}  // namespace tower
