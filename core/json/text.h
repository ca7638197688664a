// The text of JSON strings, byte by byte, for parsers and writers of JSON.
#ifndef CORE_JSON_TEXT_H_
#define CORE_JSON_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "core/json/json.h"  // FindInvalidUtf8

namespace tower {

// How many bytes at the start can stand in a string as they are: all before the first quote,
// backslash or control character.
std::size_t PlainPrefix(std::string_view text) noexcept;

// What stands between the quotes of a JSON string, with its escapes taken out. Half of a surrogate
// pair becomes U+FFFD. REQUIRES: a parser found the escapes well-formed.
void AppendUnescaped(std::string& out, std::string_view content);

// The offset of a \u escape that is half of a surrogate pair, or npos. REQUIRES: as above.
std::size_t FindLoneSurrogate(std::string_view content) noexcept;

}  // namespace tower

#endif  // CORE_JSON_TEXT_H_
