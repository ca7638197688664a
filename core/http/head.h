// A strict parser for the head of an HTTP/1.1 request (RFC 9112, sections 2 to 6): a head that two
// parsers could interpret differently is refused. Headers decide where a request ends, so they are
// parsed here and not by cpp-httplib, whose releases differ in what they accept (0.41.0 even
// percent-decodes values).
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

inline constexpr std::size_t kMaxHttpHead = 32768;   // bytes, including the request line
inline constexpr std::size_t kMaxHttpTarget = 8192;  // bytes
inline constexpr std::size_t kMaxHttpRequestLine = kMaxHttpTarget + 64;
inline constexpr std::size_t kMaxHttpHeaders = 100;
inline constexpr std::size_t kMaxHttpHeader = 8000;  // bytes of one line

// The reason why a request is refused before it is handled.
struct HttpRefusal {
  int status = 400;
  std::string_view detail;  // fixed text
};

struct HttpHeader {
  std::string_view name;
  std::string_view
      value;  // as sent, without surrounding white space; no control character except tab
};

// A parsed request head. Its views refer to the parsed text.
struct HttpHead {
  std::string_view method;
  HttpTarget target;
  int minor_version = 1;  // of HTTP/1
  std::vector<HttpHeader> headers;
  // From an absolute target, else from the header Host; empty if an HTTP/1.0 request has none.
  HttpHost host;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;

  // The value of a header that occurs exactly once; nullopt if it is missing or repeated. `name` is
  // case-insensitive.
  std::optional<std::string_view> Find(std::string_view name) const noexcept;
  std::size_t Count(std::string_view name) const noexcept;
};

// A byte of a field value (RFC 9110, section 5.5): visible characters, space, tab, and 0x80 to
// 0xFF.
inline bool IsHttpValueByte(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
}

// The refusal of a request line that exceeds kMaxHttpRequestLine; `text` is the part received so
// far.
HttpRefusal RefuseLongRequestLine(std::string_view text) noexcept;

// Parses `text` into `head`, or returns why it is refused. REQUIRES: `text` ends with the empty
// line, and each of its lines ends with CRLF.
std::optional<HttpRefusal> ParseHttpHead(std::string_view text, HttpHead& head);

// Returns the item of `accepted` that is the media type of a Content-Type header (RFC 9110, section
// 8.3.1), or nullptr. A charset other than UTF-8 is refused; other parameters are ignored.
const std::string* FindMediaType(std::string_view value, const std::vector<std::string>& accepted);

}  // namespace tower

#endif  // CORE_HTTP_HEAD_H_
