#include "core/json/text.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "core/json/json.h"

namespace tower {
namespace {

// The size of the well-formed UTF-8 sequence at the start of `text`, or 0 (RFC 3629, section 4).
std::size_t Utf8Size(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4 || !tail(1)) return 0;
  if (lead < 0xE0) return 2;
  if (!tail(2)) return 0;
  if (lead < 0xF0) {
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
    return 3;
  }
  if (!tail(3)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return 4;
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

bool IsSurrogate(std::uint32_t code) noexcept { return code >= 0xD800 && code <= 0xDFFF; }

// Decodes the \u escape, or surrogate pair of escapes, at the start of `escape`; returns the code
// point and the size. A lone surrogate is returned unchanged.
std::pair<std::uint32_t, std::size_t> ReadEscape(std::string_view escape) noexcept {
  const auto unit = [escape](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4 && i < escape.size(); ++i) {
      const char c = escape[i];
      value = value << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
  };
  const std::uint32_t high = unit(2);
  if (high < 0xD800 || high > 0xDBFF || escape.substr(6, 2) != "\\u") return {high, 6};
  const std::uint32_t low = unit(8);
  if (low < 0xDC00 || low > 0xDFFF) return {high, 6};
  return {0x10000 + ((high - 0xD800) << 10 | (low - 0xDC00)), 12};
}

}  // namespace

bool IsUtf8(std::string_view text) noexcept {
  return FindInvalidUtf8(text) == std::string_view::npos;
}

std::size_t FindInvalidUtf8(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    if (std::uint64_t word; text.size() - at >= sizeof(word)) {
      std::memcpy(&word, text.data() + at, sizeof(word));
      if ((word & 0x8080808080808080U) == 0) {
        at += sizeof(word);
        continue;
      }
    }
    const std::size_t size = Utf8Size(text.substr(at, 4));
    if (size == 0) return at;
    at += size;
  }
  return std::string_view::npos;
}

std::size_t PlainPrefix(std::string_view text) noexcept {
  const auto* const bytes = text.data();
  std::size_t at = 0;
#ifdef __SSE2__
  for (; text.size() - at >= 16; at += 16) {
    const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(some, _mm_set1_epi8(' ' - 1)), some);
    const __m128i quote = _mm_cmpeq_epi8(some, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(some, _mm_set1_epi8('\\'));
    const auto special = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))));
    if (special != 0) return at + static_cast<std::size_t>(std::countr_zero(special));
  }
#endif
  // What is left, or everything where there is no SSE2.
  for (; at < text.size(); ++at) {
    const char c = bytes[at];
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') break;
  }
  return at;
}

void AppendUnescaped(std::string& out, std::string_view content) {
  for (;;) {
    const std::size_t escape = content.find('\\');
    out.append(content.substr(0, escape));
    if (escape == std::string_view::npos || escape + 1 == content.size()) return;
    content.remove_prefix(escape);
    constexpr std::string_view kShort = "bfnrt";
    constexpr std::string_view kMeaning = "\b\f\n\r\t";
    std::size_t size = 2;
    if (content[1] == 'u') {
      const auto [code, used] = ReadEscape(content);
      AppendUtf8(out, IsSurrogate(code) ? 0xFFFD : code);
      size = used;
    } else if (const auto i = kShort.find(content[1]); i != std::string_view::npos) {
      out.push_back(kMeaning[i]);
    } else {
      out.push_back(content[1]);
    }
    content.remove_prefix(std::min(size, content.size()));
  }
}

std::size_t FindLoneSurrogate(std::string_view content) noexcept {
  std::size_t at = content.find('\\');
  while (at != std::string_view::npos && at + 1 < content.size()) {
    std::size_t size = 2;
    if (content[at + 1] == 'u') {
      const auto [code, used] = ReadEscape(content.substr(at));
      if (IsSurrogate(code)) return at;
      size = used;
    }
    at = content.find('\\', at + size);
  }
  return std::string_view::npos;
}

void AppendJsonString(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto plain = [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x80 &&
           c != '"' && c != '\\';
  };
  out.push_back('"');
  while (!text.empty()) {
    auto run =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), plain) - text.begin());
    out.append(text.substr(0, run));
    text.remove_prefix(run);
    if (text.empty()) break;
    const char c = text.front();
    run = 1;
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (c == '\n') {
      out.append("\\n");
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.append({'\\', 'u', '0', '0', kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 0xF]});
    } else if (const std::size_t size = Utf8Size(text.substr(0, 4)); size != 0) {
      out.append(text.substr(0, run = size));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    text.remove_prefix(run);
  }
  out.push_back('"');
}

std::string_view ToString(JsonType type) noexcept {
  constexpr std::array<std::string_view, 7> kNames = {
      "null", "a boolean", "a boolean", "a number", "a string", "an array", "an object"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string Describe(const Faults& faults, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < std::min(limit, faults.size()); ++i) {
    if (i > 0) text.append("; ");
    if (!faults[i].pointer.empty()) text.append(faults[i].pointer).append(": ");
    text.append(faults[i].detail);
  }
  if (faults.size() > limit)
    text.append("; and ").append(std::to_string(faults.size() - limit)).append(" more");
  return text;
}

void AddFault(Faults& faults, Fault fault) {
  if (faults.size() < kMaxFaults) {
    faults.push_back(std::move(fault));
  } else if (faults.size() == kMaxFaults) {
    faults.push_back({"", "there are more faults than are listed here", fault.offset});
  }
}

bool AppendPointer(std::string& pointer, std::string_view token) {
  const auto special =
      std::count_if(token.begin(), token.end(), [](char c) { return c == '~' || c == '/'; });
  if (pointer.size() + 1 + token.size() + static_cast<std::size_t>(special) > kMaxPointerBytes)
    return false;
  pointer.push_back('/');
  for (const char c : token) {
    if (c == '~') {
      pointer.append("~0");
    } else if (c == '/') {
      pointer.append("~1");
    } else {
      pointer.push_back(c);
    }
  }
  return true;
}

}  // namespace tower
