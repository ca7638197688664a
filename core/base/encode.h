// Bytes as text (hexadecimal, base64, percent-encoding), and ASCII text as protocols treat it:
// case-insensitive comparison, tokens, and white space around a value.
#ifndef CORE_BASE_ENCODE_H_
#define CORE_BASE_ENCODE_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

// Lower case.
std::string HexEncode(std::string_view bytes);
// Accepts either case. Returns nullopt if the text does not consist of pairs of hexadecimal digits.
std::optional<std::string> HexDecode(std::string_view text);

// Base64 (RFC 4648, section 4). Decoding is strict: it requires padding and refuses other
// characters and non-zero trailing bits, so each value has exactly one text.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

// Percent-encoding (RFC 3986, section 2.1). Encodes every byte except the unreserved characters
// (letters, digits, - . _ ~), with upper case digits.
std::string PercentEncode(std::string_view text);
// Accepts either case. Returns nullopt for a malformed escape, and for an encoded zero byte, which
// would terminate the text for C functions.
std::optional<std::string> PercentDecode(std::string_view text);

// Converts ASCII letters to lower case and leaves every other byte unchanged.
constexpr char ToLower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
std::string ToLower(std::string_view text);
bool EqualsIgnoringCase(std::string_view a, std::string_view b) noexcept;

constexpr bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool IsLetter(char c) noexcept { return ToLower(c) >= 'a' && ToLower(c) <= 'z'; }

// The bytes of an HTTP token (RFC 9110, section 5.6.2). A table, because the request parser checks
// each byte of each header name.
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
bool IsToken(std::string_view text) noexcept;  // false for an empty text

// Removes the bytes in `blanks` from both ends. The default is the optional white space of RFC
// 9110, section 5.6.3: spaces and tabs.
std::string_view Trim(std::string_view text, std::string_view blanks = " \t") noexcept;

}  // namespace tower

#endif  // CORE_BASE_ENCODE_H_
