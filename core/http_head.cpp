#include "core/http_head.h"

#include <algorithm>
#include <array>

namespace tower {
namespace {

using Refused = std::optional<HttpRefusal>;

constexpr std::array<std::string_view, 9> kMethods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

char Lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// RFC 9110, section 5.6.2.
constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> allowed{};
  for (unsigned char c = 'a'; c <= 'z'; ++c) allowed[c] = allowed[c - 32U] = true;
  for (unsigned char c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
    allowed[static_cast<unsigned char>(c)] = true;
  }
  return allowed;
}();

bool IsToken(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kTokenBytes[static_cast<unsigned char>(c)];
  });
}

// RFC 9110, section 5.5: visible bytes, space, tab, and anything from 0x80.
bool IsFieldValue(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
  });
}

std::string_view Trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool ListHas(std::string_view list, std::string_view wanted) noexcept {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (SameIgnoringCase(Trim(list.substr(0, comma)), wanted)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

Refused ParseRequestLine(std::string_view line, HttpHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return HttpRefusal{400, "the request line is not `METHOD TARGET HTTP/1.1`"};
  }
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  head.method = line.substr(0, first);
  if (!IsToken(head.method)) return HttpRefusal{400, "the method is not a token"};
  if (target.empty() ||
      std::any_of(target.begin(), target.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return HttpRefusal{400, "the target of the request has bytes that are not printable ASCII"};
  }
  if (version.size() != 8 || !version.starts_with("HTTP/")) {
    return HttpRefusal{400, "the request line does not end with HTTP/1.1"};
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return HttpRefusal{505, "HTTP/1.1 is spoken here"};
  }
  if (target.size() > kMaxHttpTarget) return HttpRefusal{414, "the target is over 8192 bytes"};
  if (std::find(kMethods.begin(), kMethods.end(), head.method) == kMethods.end()) {
    return HttpRefusal{501, "the method is not known"};
  }
  head.keep_alive = version == "HTTP/1.1";
  return std::nullopt;
}

Refused ParseHeader(std::string_view line, HttpHead& head) {
  if (line.size() > kMaxHttpHeader) return HttpRefusal{431, "a header is over 8000 bytes"};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return HttpRefusal{400, "a header line is not `Name: value`"};  // folded lines too
  }
  const auto value = Trim(line.substr(colon + 1));
  if (!IsFieldValue(value)) return HttpRefusal{400, "a header has a control character"};
  if (head.headers.size() == kMaxHttpHeaders) return HttpRefusal{431, "over 100 headers"};
  head.headers.push_back({line.substr(0, colon), value});
  return std::nullopt;
}

Refused CheckFraming(HttpHead& head) {
  if (const auto lengths = head.Count("Content-Length"); lengths > 0) {
    const auto text = head.Find("Content-Length").value_or("");
    if (text.empty() || text.size() > 18 ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return HttpRefusal{400, "Content-Length must stand once and be a number"};
    }
    std::uint64_t length = 0;
    for (const char c : text) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    head.content_length = length;
  }
  if (head.Count("Transfer-Encoding") == 0) return std::nullopt;
  if (head.content_length) {
    return HttpRefusal{400, "Content-Length and Transfer-Encoding exclude each other"};
  }
  if (!head.keep_alive) return HttpRefusal{400, "HTTP/1.0 has no Transfer-Encoding"};
  if (!SameIgnoringCase(head.Find("Transfer-Encoding").value_or(""), "chunked")) {
    return HttpRefusal{501, "Transfer-Encoding must be `chunked`, once"};
  }
  head.chunked = true;
  return std::nullopt;
}

Refused CheckHeaders(HttpHead& head) {
  if (const auto hosts = head.Count("Host"); hosts > 1 || (hosts == 0 && head.keep_alive)) {
    return HttpRefusal{400, "Host must stand exactly once"};
  }
  if (auto refused = CheckFraming(head)) return refused;
  for (const auto& [name, value] : head.headers) {
    if (SameIgnoringCase(name, "Connection") && ListHas(value, "close")) head.keep_alive = false;
    if (SameIgnoringCase(name, "Expect") && value != "100-continue") {
      return HttpRefusal{417, "the only expectation that can be met is 100-continue"};
    }
  }
  return std::nullopt;
}

}  // namespace

bool SameIgnoringCase(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

std::optional<std::string_view> HttpHead::Find(std::string_view name) const noexcept {
  std::optional<std::string_view> found;
  for (const auto& header : headers) {
    if (!SameIgnoringCase(header.name, name)) continue;
    if (found) return std::nullopt;
    found = header.value;
  }
  return found;
}

std::size_t HttpHead::Count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [name](const auto& header) { return SameIgnoringCase(header.name, name); }));
}

const std::string* FindMediaType(std::string_view value, const std::vector<std::string>& accepted) {
  auto end = std::min(value.find(';'), value.size());
  const auto type = Trim(value.substr(0, end));
  const auto found = std::find_if(accepted.begin(), accepted.end(), [type](const auto& known) {
    return SameIgnoringCase(known, type);
  });
  if (found == accepted.end()) return nullptr;
  while (end < value.size()) {
    value.remove_prefix(end + 1);
    end = std::min(value.find(';'), value.size());
    const auto parameter = Trim(value.substr(0, end));
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !SameIgnoringCase(parameter.substr(0, equals), "charset")) {
      continue;
    }
    const auto charset = parameter.substr(equals + 1);
    if (!SameIgnoringCase(charset, "utf-8") && !SameIgnoringCase(charset, "\"utf-8\"")) {
      return nullptr;
    }
  }
  return &*found;
}

std::optional<HttpRefusal> ParseHttpHead(std::string_view text, HttpHead& head) {
  head.method = {};
  head.headers.clear();
  head.content_length.reset();
  head.chunked = false;
  head.keep_alive = true;
  for (bool first = true;; first = false) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) return HttpRefusal{400, "the head of the request is cut"};
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (line.empty() && !first) break;
    if (line.find('\r') != std::string_view::npos || line.find('\n') != std::string_view::npos) {
      return HttpRefusal{400, "a line ends with something else than CRLF"};
    }
    if (auto refused = first ? ParseRequestLine(line, head) : ParseHeader(line, head)) {
      return refused;
    }
  }
  return CheckHeaders(head);
}

}  // namespace tower
