// Bytes as text: hexadecimal, base64, percent-encoding. And what protocols ask of text in ASCII:
// letters without regard to case, and blanks around a value.
#ifndef CORE_BASE_ENCODE_H_
#define CORE_BASE_ENCODE_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

// Lower case.
std::string HexEncode(std::string_view bytes);
// Accepts either case. Nothing where the text is not pairs of hexadecimal digits.
std::optional<std::string> HexDecode(std::string_view text);

// Base64 (RFC 4648, section 4). Decoding is strict: the text is padded, has nothing between the
// digits and no superfluous bit set, so each value has exactly one text.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

// Percent-encoding (RFC 3986, section 2.1). Encodes every byte but the unreserved characters
// (letters, digits, - . _ ~), with upper case digits.
std::string PercentEncode(std::string_view text);
// Accepts either case. Nothing where an escape is malformed or stands for a zero byte, which would
// end the text for functions of C.
std::optional<std::string> PercentDecode(std::string_view text);

// ASCII letters to lower case; every other byte stays as it is.
constexpr char ToLower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
std::string ToLower(std::string_view text);
bool EqualsIgnoringCase(std::string_view a, std::string_view b) noexcept;

constexpr bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool IsLetter(char c) noexcept { return ToLower(c) >= 'a' && ToLower(c) <= 'z'; }

// What a token of HTTP may consist of (RFC 9110, section 5.6.2). The table is there because the
// parser of requests asks for each byte of each header's name.
inline constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> allowed{};
  for (unsigned char c = 'a'; c <= 'z'; ++c) allowed[c] = allowed[c - 32U] = true;
  for (unsigned char c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
    allowed[static_cast<unsigned char>(c)] = true;
  }
  return allowed;
}();
inline bool IsTokenByte(char c) noexcept { return kTokenBytes[static_cast<unsigned char>(c)]; }
bool IsToken(std::string_view text) noexcept;  // not empty, and all of it token bytes

// The text without the bytes of `blanks` at both ends. By default those are spaces and tabs, the
// optional white space of RFC 9110, section 5.6.3.
std::string_view Trim(std::string_view text, std::string_view blanks = " \t") noexcept;

}  // namespace tower

#endif  // CORE_BASE_ENCODE_H_
