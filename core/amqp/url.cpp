#include "core/amqp/url.h"

#include <charconv>
#include <optional>

#include "core/base/encode.h"

namespace tower {
namespace {

constexpr std::uint16_t kPort = 5672;
constexpr std::uint16_t kTlsPort = 5671;
constexpr std::size_t kMaxShortString = 255;  // AMQP 0-9-1, section 4.2.5.3

Error Invalid(std::string_view what) {
  return {ErrorCode::kInvalid,
          "an AMQP URL is amqp[s]://user:password@host:port/vhost: " + std::string(what)};
}

bool SchemeIs(std::string_view scheme, std::string_view expected) {
  if (scheme.size() != expected.size()) return false;
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    if ((scheme[i] | 0x20) != expected[i]) return false;
  }
  return true;
}

Status ParseUser(std::string_view text, AmqpUrl& url) {
  const std::size_t colon = text.find(':');
  auto user = PercentDecode(text.substr(0, colon));
  auto password =
      PercentDecode(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
  if (!user || !password) return Invalid("user or password has a malformed percent escape");
  if (user->empty()) return Invalid("the user is empty");
  url.has_user = true;
  url.user = std::move(*user);
  url.password = std::move(*password);
  return Ok();
}

Status ParseHost(std::string_view text, AmqpUrl& url) {
  std::string_view port;
  std::size_t colon = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return Invalid("an IPv6 address lacks its ']'");
    url.host = text.substr(1, bracket - 1);
    const std::string_view rest = text.substr(bracket + 1);
    if (!rest.empty() && rest[0] != ':') return Invalid("unexpected text between ']' and the port");
    colon = rest.empty() ? std::string_view::npos : bracket + 1;
  } else {
    url.host = text.substr(0, colon);
  }
  if (url.host.empty()) return Invalid("the host is missing");
  if (url.host.find_first_of(" %\"<>\\^`{|}\t\r\n") != std::string::npos) {
    return Invalid("the host contains an invalid character");
  }
  if (colon == std::string_view::npos) return Ok();
  port = text.substr(colon + 1);
  const char* end = port.data() + port.size();
  auto [stopped, error] = std::from_chars(port.data(), end, url.port);
  if (port.empty() || error != std::errc() || stopped != end || url.port == 0) {
    return Invalid("the port is not a number from 1 to 65535");
  }
  return Ok();
}

Status ParseVhost(std::string_view path, AmqpUrl& url) {
  if (path.find('/') != std::string_view::npos) {
    return Invalid("write a '/' in the vhost as %2f");
  }
  auto vhost = PercentDecode(path);
  if (!vhost) return Invalid("the vhost has a malformed percent escape");
  if (vhost->size() > kMaxShortString) return Invalid("the vhost is longer than 255 bytes");
  url.vhost = std::move(*vhost);
  return Ok();
}

}  // namespace

std::string AmqpUrl::Address() const {
  const bool v6 = host.find(':') != std::string::npos;
  std::string text = tls ? "amqps://" : "amqp://";
  text += v6 ? "[" + host + "]" : host;
  text += ':';
  text += std::to_string(port);
  text += '/';
  text += PercentEncode(vhost);
  return text;
}

Result<AmqpUrl> ParseAmqpUrl(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return Invalid("it does not begin with amqp://");
  AmqpUrl url;
  const std::string_view scheme = text.substr(0, scheme_end);
  url.tls = SchemeIs(scheme, "amqps");
  if (!url.tls && !SchemeIs(scheme, "amqp")) return Invalid("the scheme is not amqp or amqps");
  url.port = url.tls ? kTlsPort : kPort;

  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find('?') != std::string_view::npos) {
    return Invalid("query parameters are not supported, use the amqp options (write a '?' as %3f)");
  }
  if (rest.find('#') != std::string_view::npos) return Invalid("write a '#' as %23");
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    if (Status vhost = ParseVhost(rest.substr(slash + 1), url); !vhost) return vhost.error();
  }
  std::string_view authority = rest.substr(0, slash);
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    if (Status user = ParseUser(authority.substr(0, at), url); !user) return user.error();
    authority.remove_prefix(at + 1);
  }
  if (Status host = ParseHost(authority, url); !host) return host.error();
  return url;
}

Status CheckAmqpUrl(std::string_view text) {
  auto url = ParseAmqpUrl(text);
  if (!url) return url.error();
  return Ok();
}

std::string RedactAmqpUrl(std::string_view text) {
  auto url = ParseAmqpUrl(text);
  return url ? url->Address() : "amqp://***";
}

}  // namespace tower
