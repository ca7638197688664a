#include "core/http/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

#include "core/base/encode.h"

namespace tower {
namespace {

constexpr HttpRefusal kForeignHost{
    421, "Host is not localhost or another allowed name; server.allowed-hosts adds names"};
constexpr HttpRefusal kForeignPage{
    403, "a page of another site sent this request (Sec-Fetch-Site or Origin says so)"};

// The parts of `name`, `name:port` or `[address]:port`, without a dot at the end of the name.
struct Authority {
  explicit Authority(std::string_view text) : ipv6(text.starts_with('[')) {
    const auto end = std::min(ipv6 ? text.find(']') : text.find(':'), text.size());
    name = text.substr(ipv6 ? 1 : 0, ipv6 ? end - 1 : end);
    if (ipv6) text.remove_prefix(std::min(end + 1, text.size()));
    if (!ipv6) text.remove_prefix(end);
    if (name.ends_with('.')) name.remove_suffix(1);
    if (text.starts_with(':')) port = text.substr(1);
  }
  std::string_view name, port;
  bool ipv6;
};

enum class Kind { kName, kAddress, kLoopback };

Kind KindOf(const Authority& authority) {
  if (authority.name.size() > INET6_ADDRSTRLEN) return Kind::kName;
  const std::string text(authority.name);
  in_addr ipv4{};
  if (!authority.ipv6) {
    if (inet_pton(AF_INET, text.c_str(), &ipv4) != 1) return Kind::kName;
    return ntohl(ipv4.s_addr) >> 24U == 127 ? Kind::kLoopback : Kind::kAddress;
  }
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, text.c_str(), &ipv6) != 1) return Kind::kName;
  return IN6_IS_ADDR_LOOPBACK(&ipv6) ? Kind::kLoopback : Kind::kAddress;
}

// Whether an Origin has the same host and port as Host.
bool IsSameSite(std::string_view origin, std::string_view host) {
  std::string_view usual_port;
  for (const auto& [scheme, port] :
       {std::pair<std::string_view, std::string_view>("http://", "80"), {"https://", "443"}}) {
    if (!origin.starts_with(scheme)) continue;
    origin.remove_prefix(scheme.size());
    usual_port = port;
    break;
  }
  if (usual_port.empty()) return false;  // Origin is `null` for a sandboxed page or a local file
  const Authority ours(host);
  const Authority theirs(origin);
  const auto port_of = [&](const Authority& authority) {
    return authority.port.empty() ? usual_port : authority.port;
  };
  return !ours.name.empty() && EqualsIgnoringCase(ours.name, theirs.name) &&
         port_of(ours) == port_of(theirs);
}

// The headers that the policy checks, found in one pass.
struct Signs {
  explicit Signs(const HttpHead& head) {
    if (!head.host.text.empty()) host = head.host.text;
    for (const auto& header : head.headers) {
      switch (header.name.size()) {
        case 6:
          if (EqualsIgnoringCase(header.name, "Origin")) Collect(header.value, origin, origins);
          break;
        case 13:
          if (EqualsIgnoringCase(header.name, "Authorization")) shows_token = true;
          break;
        case 14:
          if (EqualsIgnoringCase(header.name, "Sec-Fetch-Site")) Collect(header.value, site, sites);
          break;
        default:
          break;
      }
    }
  }
  static void Collect(std::string_view from, std::string_view& value, int& count) {
    value = from;
    ++count;
  }
  std::optional<std::string_view> host;  // may be missing in HTTP/1.0, which browsers do not use
  std::string_view origin, site;
  int origins = 0, sites = 0;
  bool shows_token = false;
};

bool ChangesNothing(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace

HttpAccess::HttpAccess(const Options& options)
    : tokens_(options.tokens), addresses_(!options.tokens && options.allow_anonymous) {
  names_ = options.allowed_hosts;
  names_.push_back(options.host);
  for (auto& name : names_) {
    if (name.ends_with('.')) name.pop_back();
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  }
}

std::optional<HttpRefusal> HttpAccess::Check(const HttpHead& head) const {
  const Signs signs(head);
  const bool harmless = ChangesNothing(head.method);
  const bool page_without_token = !harmless && signs.origins > 0 && !signs.shows_token;
  if ((!tokens_ || page_without_token) && signs.host && !Serves(*signs.host)) return kForeignHost;
  if (harmless) return std::nullopt;
  const bool other_site =
      signs.sites > 1 || (signs.sites == 1 && signs.site != "same-origin" && signs.site != "none");
  const bool other_origin =
      signs.origins > 1 ||
      (signs.origins == 1 && !IsSameSite(signs.origin, signs.host.value_or("")));
  if (other_site || other_origin) return kForeignPage;
  return std::nullopt;
}

bool HttpAccess::Serves(std::string_view text) const {
  const Authority authority(text);
  if (EqualsIgnoringCase(authority.name, "localhost")) return true;
  const auto kind = KindOf(authority);
  if (kind == Kind::kLoopback || (kind == Kind::kAddress && addresses_)) return true;
  return std::any_of(names_.begin(), names_.end(), [&authority](const auto& name) {
    return EqualsIgnoringCase(name, authority.name);
  });
}

Status CheckAllowedHost(std::string_view text) {
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  const Authority authority(text);
  const bool ipv6 = !bracketed && text.find(':') != text.rfind(':');  // without brackets
  const bool name = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_' || c == '.';
  });
  if (name || (bracketed && KindOf(authority) != Kind::kName)) return Ok();
  if (ipv6 && KindOf(Authority("[" + std::string(text) + "]")) != Kind::kName) return Ok();
  return Error{ErrorCode::kInvalid, "a name or an IP address, without scheme and port"};
}

}  // namespace tower
