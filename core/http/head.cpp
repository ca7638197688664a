#include "core/http/head.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/encode.h"

namespace tower {
namespace {

using Refused = std::optional<HttpRefusal>;

constexpr std::array<std::string_view, 8> kMethods = {"GET",    "HEAD",    "POST",  "PUT",
                                                      "DELETE", "OPTIONS", "TRACE", "PATCH"};

bool ListHas(std::string_view list, std::string_view wanted) noexcept {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (EqualsIgnoringCase(Trim(list.substr(0, comma)), wanted)) return true;
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
  const auto is_digit = [&](std::size_t at) { return version[at] >= '0' && version[at] <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(5) || version[6] != '.' ||
      !is_digit(7)) {
    return HttpRefusal{400, "the request line does not end with HTTP/1.1"};
  }
  if (version[5] != '1') return HttpRefusal{505, "only HTTP/1.0 and HTTP/1.1 are supported"};
  head.minor_version = version[7] - '0';
  head.keep_alive = head.minor_version > 0;
  if (target.size() > kMaxHttpTarget) return HttpRefusal{414, "the target is over 8192 bytes"};
  if (std::find(kMethods.begin(), kMethods.end(), head.method) == kMethods.end()) {
    return HttpRefusal{501, "the method is not known"};
  }
  const auto parsed = ParseHttpTarget(target);
  if (!parsed) {
    return HttpRefusal{400, "the target is not a valid path or http URI (RFC 3986)"};
  }
  if (parsed->path == "*" && head.method != "OPTIONS") {
    return HttpRefusal{400, "only OPTIONS has the target `*`"};
  }
  head.target = *parsed;
  return std::nullopt;
}

Refused ParseHeader(std::string_view line, HttpHead& head) {
  if (line.size() > kMaxHttpHeader) return HttpRefusal{431, "a header is over 8000 bytes"};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return HttpRefusal{400, "a header line is not `Name: value`"};  // also refuses folded lines
  }
  const auto value = Trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), [](char c) { return IsHttpValueByte(c); })) {
    return HttpRefusal{400, "a header has a control character"};
  }
  if (head.headers.size() == kMaxHttpHeaders) return HttpRefusal{431, "over 100 headers"};
  head.headers.push_back({line.substr(0, colon), value});
  return std::nullopt;
}

// The last coding determines where the body ends, so it must be `chunked` (RFC 9112, section 6.3).
// Other codings are not supported.
Refused CheckCodings(HttpHead& head) {
  std::size_t codings = 0;
  std::size_t chunked = 0;
  bool last = false;  // the last coding is chunked
  for (const auto& [name, value] : head.headers) {
    if (!EqualsIgnoringCase(name, "Transfer-Encoding")) continue;
    for (std::size_t at = 0; at <= value.size(); ++codings) {
      const auto comma = std::min(value.find(',', at), value.size());
      last = EqualsIgnoringCase(Trim(value.substr(at, comma - at)), "chunked");
      chunked += last ? 1 : 0;
      at = comma + 1;
    }
  }
  if (!last || chunked > 1) {
    return HttpRefusal{400, "Transfer-Encoding must contain `chunked` once, as the last coding"};
  }
  if (codings > 1) return HttpRefusal{501, "Transfer-Encoding must be `chunked` alone"};
  head.chunked = true;
  return std::nullopt;
}

Refused CheckFraming(HttpHead& head) {
  if (const auto lengths = head.Count("Content-Length"); lengths > 0) {
    const auto text = head.Find("Content-Length").value_or("");
    if (text.empty() || text.size() > 18 ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return HttpRefusal{400, "Content-Length must occur once and be a number"};
    }
    std::uint64_t length = 0;
    for (const char c : text) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    head.content_length = length;
  }
  if (head.Count("Transfer-Encoding") == 0) return std::nullopt;
  if (head.content_length) {
    return HttpRefusal{400, "Content-Length and Transfer-Encoding exclude each other"};
  }
  if (head.minor_version == 0) return HttpRefusal{400, "HTTP/1.0 has no Transfer-Encoding"};
  return CheckCodings(head);
}

Refused CheckHost(HttpHead& head) {
  const auto hosts = head.Count("Host");
  if (hosts > 1 || (hosts == 0 && head.minor_version > 0)) {
    return HttpRefusal{400, "Host must occur exactly once"};
  }
  if (hosts == 1) {
    const auto host = ParseHttpHost(*head.Find("Host"));
    if (!host) return HttpRefusal{400, "Host must be a name or an address, with or without a port"};
    head.host = *host;
  }
  if (head.target.host) head.host = *head.target.host;  // RFC 9112, section 3.2.2
  return std::nullopt;
}

Refused CheckHeaders(HttpHead& head) {
  if (auto refused = CheckHost(head)) return refused;
  if (auto refused = CheckFraming(head)) return refused;
  for (const auto& [name, value] : head.headers) {
    if (EqualsIgnoringCase(name, "Connection") && ListHas(value, "close")) head.keep_alive = false;
    if (EqualsIgnoringCase(name, "Expect") && !EqualsIgnoringCase(value, "100-continue")) {
      return HttpRefusal{417, "the only supported expectation is 100-continue"};
    }
  }
  return std::nullopt;
}

// Removes a token, or a quoted string if that is allowed, from the front of `text`. Returns nullopt
// if there is none.
std::optional<std::string> TakeWord(std::string_view& text, bool may_be_quoted) {
  std::string word;
  if (may_be_quoted && text.starts_with('"')) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '"') {
        text.remove_prefix(i + 1);
        return word;
      }
      if (text[i] == '\\' && ++i == text.size()) break;
      word += text[i];
    }
    return std::nullopt;
  }
  const auto* const end = std::find_if_not(text.begin(), text.end(), IsTokenByte);
  word.assign(text.begin(), end);
  text.remove_prefix(word.size());
  return word.empty() ? std::nullopt : std::optional(std::move(word));
}

}  // namespace

std::optional<std::string_view> HttpHead::Find(std::string_view name) const noexcept {
  std::optional<std::string_view> found;
  for (const auto& header : headers) {
    if (!EqualsIgnoringCase(header.name, name)) continue;
    if (found) return std::nullopt;
    found = header.value;
  }
  return found;
}

std::size_t HttpHead::Count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [name](const auto& header) { return EqualsIgnoringCase(header.name, name); }));
}

const std::string* FindMediaType(std::string_view value, const std::vector<std::string>& accepted) {
  const auto end = std::min(value.find(';'), value.size());
  const auto type = Trim(value.substr(0, end));
  const auto found = std::find_if(accepted.begin(), accepted.end(), [type](const auto& known) {
    return EqualsIgnoringCase(known, type);
  });
  if (found == accepted.end()) return nullptr;
  value = Trim(value.substr(end));
  while (!value.empty()) {
    if (value.front() != ';') return nullptr;
    value = Trim(value.substr(1));
    if (value.empty() || value.front() == ';') continue;
    const auto name = TakeWord(value, false);
    if (!name || !value.starts_with('=')) return nullptr;
    value.remove_prefix(1);
    const auto text = TakeWord(value, true);
    if (!text || (EqualsIgnoringCase(*name, "charset") && !EqualsIgnoringCase(*text, "utf-8"))) {
      return nullptr;
    }
    value = Trim(value);
  }
  return &*found;
}

HttpRefusal RefuseLongRequestLine(std::string_view text) noexcept {
  const auto space = text.find(' ');  // RFC 9112, section 3
  return space < kMaxHttpRequestLine - kMaxHttpTarget
             ? HttpRefusal{414, "the target is over 8192 bytes"}
             : HttpRefusal{501, "the method is not known"};
}

std::optional<HttpRefusal> ParseHttpHead(std::string_view text, HttpHead& head) {
  auto headers = std::move(head.headers);
  headers.clear();
  head = {};
  head.headers = std::move(headers);  // reuses its memory
  for (bool first = true;; first = false) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos)
      return HttpRefusal{400, "the head of the request is incomplete"};
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (line.empty() && !first) break;
    if (line.find('\r') != std::string_view::npos || line.find('\n') != std::string_view::npos) {
      return HttpRefusal{400, "a line does not end with CRLF"};
    }
    if (auto refused = first ? ParseRequestLine(line, head) : ParseHeader(line, head)) {
      return refused;
    }
  }
  return CheckHeaders(head);
}

}  // namespace tower
