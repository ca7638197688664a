#include "core/http/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "core/base/encode.h"
#include "core/http/head.h"

namespace tower {
namespace {

constexpr std::size_t kMaxPort = 65535;

enum Class : std::uint8_t { kPath = 1, kQuery = 2, kName = 4 };

// The character classes of RFC 3986, appendix A. Percent-encoding is checked separately.
constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned char c = '!'; c <= '~'; ++c) classes[c] = c == '#' ? 0 : kQuery;
  const auto add = [&](std::string_view text, std::uint8_t added) {
    for (const char c : text) classes[static_cast<unsigned char>(c)] |= added;
  };
  for (unsigned char c = 'a'; c <= 'z'; ++c) {
    classes[c] |= kPath | kName;
    classes[c - 32U] |= kPath | kName;
  }
  add("0123456789-._~!$&'()*+;=", kPath | kName);
  add(",:@/", kPath);
  return classes;
}();

bool IsHex(char c) noexcept {
  return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

// Whether `text` consists of characters of the class and percent-encoded bytes other than zero.
bool Is(Class wanted, std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto digits = text.substr(i + 1, 2);
      if (digits.size() != 2 || !IsHex(digits[0]) || !IsHex(digits[1]) || digits == "00") {
        return false;
      }
      i += 2;
    } else if ((kClasses[static_cast<unsigned char>(text[i])] & wanted) == 0) {
      return false;
    }
  }
  return true;
}

bool IsPort(std::string_view text) noexcept {
  std::size_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return text.empty() ||
         (error == std::errc() && end == text.data() + text.size() && port <= kMaxPort);
}

// Checks the text between the brackets of an IP-literal.
bool IsAddress(std::string_view text) noexcept {
  if (text.starts_with('v') || text.starts_with('V')) {  // IPvFuture
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || dot == 1 || dot + 1 == text.size()) return false;
    const auto digits = text.substr(1, dot - 1);
    return std::all_of(digits.begin(), digits.end(), IsHex) &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(dot) + 1, text.end(), [](char c) {
             return c == ':' || c == ',' || (kClasses[static_cast<unsigned char>(c)] & kName) != 0;
           });
  }
  char copy[INET6_ADDRSTRLEN] = "";
  if (text.size() >= sizeof(copy)) return false;
  text.copy(copy, text.size());
  in6_addr address;
  return inet_pton(AF_INET6, copy, &address) == 1;
}

}  // namespace

std::optional<HttpHost> ParseHttpHost(std::string_view text) noexcept {
  const bool literal = text.starts_with('[');
  const auto end = literal ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return std::nullopt;
  const auto name = text.substr(0, literal ? end + 1 : end);
  auto port = text.substr(name.size());
  if (!port.empty() && port.front() != ':') return std::nullopt;
  port.remove_prefix(port.empty() ? 0 : 1);
  const bool good = literal ? IsAddress(name.substr(1, name.size() - 2)) : Is(kName, name);
  if (name.empty() || !good || !IsPort(port)) return std::nullopt;
  return HttpHost{text, name, port};
}

std::optional<HttpTarget> ParseHttpTarget(std::string_view text) noexcept {
  HttpTarget target;
  if (text == "*") {
    target.path = text;
    return target;
  }
  if (!text.starts_with('/')) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto scheme = text.substr(0, colon);
    const bool known = EqualsIgnoringCase(scheme, "http") || EqualsIgnoringCase(scheme, "https");
    if (!known || text.substr(colon, 3) != "://") return std::nullopt;
    text.remove_prefix(colon + 3);
    const auto end = std::min(text.find_first_of("/?"), text.size());
    target.host = ParseHttpHost(text.substr(0, end));
    if (!target.host) return std::nullopt;
    text.remove_prefix(end);
  }
  const auto mark = std::min(text.find('?'), text.size());
  target.path = mark == 0 ? "/" : text.substr(0, mark);
  if (mark < text.size()) target.query = text.substr(mark + 1);
  if (!Is(kPath, target.path) || !Is(kQuery, target.query)) return std::nullopt;
  return target;
}

std::string_view DecodeHttpPath(std::string_view path, std::string& storage) {
  if (path.find('%') == std::string_view::npos) return path;
  storage.clear();
  for (;;) {
    const auto slash = std::min(path.find('/'), path.size());
    for (const char c : PercentDecode(path.substr(0, slash)).value_or("")) {
      if (c == '/') {
        storage += "%2F";
      } else {
        storage += c;
      }
    }
    if (slash == path.size()) return storage;
    storage += '/';
    path.remove_prefix(slash + 1);
  }
}

std::vector<std::pair<std::string, std::string>> ParseHttpQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto decode = [](std::string_view text) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return PercentDecode(spaced).value_or("");
  };
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (piece.empty()) continue;
    const auto equals = std::min(piece.find('='), piece.size());
    all.emplace_back(decode(piece.substr(0, equals)),
                     decode(piece.substr(std::min(equals + 1, piece.size()))));
  }
  return all;
}

}  // namespace tower
