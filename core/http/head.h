// The head of an HTTP/1.1 request (RFC 9112, sections 2 to 6), read strictly: what two readers
// could understand in two ways is refused. Headers decide where a request ends, so they are read
// here and not by cpp-httplib, whose releases differ in what they take (0.41.0 even percent-decodes
// values).
#ifndef CORE_HTTP_HEAD_H_
#define CORE_HTTP_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/target.h"

namespace tower {

inline constexpr std::size_t kMaxHttpHead = 32768;   // bytes, request line included
inline constexpr std::size_t kMaxHttpTarget = 8192;  // bytes
inline constexpr std::size_t kMaxHttpRequestLine = kMaxHttpTarget + 64;
inline constexpr std::size_t kMaxHttpHeaders = 100;
inline constexpr std::size_t kMaxHttpHeader = 8000;  // bytes of one line

// Why a request is refused before anything of it is done.
struct HttpRefusal {
  int status = 400;
  std::string_view detail;  // fixed text
};

struct HttpHeader {
  std::string_view name;
  std::string_view value;  // as sent, without white space around it; no control character but tab
};

// Views into the text it was parsed from.
struct HttpHead {
  std::string_view method;
  HttpTarget target;
  int minor_version = 1;  // of HTTP/1
  std::vector<HttpHeader> headers;
  // That of an absolute target, else the header; empty where HTTP/1.0 sends none.
  HttpHost host;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;

  // The value of a header that stands there exactly once; nothing when it is missing or repeated.
  // `name` in any case.
  std::optional<std::string_view> Find(std::string_view name) const noexcept;
  std::size_t Count(std::string_view name) const noexcept;
};

// RFC 9110, section 5.5: visible bytes, space, tab, and anything from 0x80.
inline bool IsHttpValueByte(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
}

// The refusal of a request line that is longer than any could be; `text` is what has come of it.
HttpRefusal RefuseLongRequestLine(std::string_view text) noexcept;

// `text` ends with the empty line, and each of its lines with CRLF. Fills `head` anew.
std::optional<HttpRefusal> ParseHttpHead(std::string_view text, HttpHead& head);

// The media type of a Content-Type header (RFC 9110, section 8.3.1) among `accepted`, or nullptr.
// Of its parameters, a charset other than UTF-8 is refused.
const std::string* FindMediaType(std::string_view value, const std::vector<std::string>& accepted);

}  // namespace tower

#endif  // CORE_HTTP_HEAD_H_
