// The escaped text of JSON strings, for parsers and writers of JSON.
#ifndef CORE_JSON_TEXT_H_
#define CORE_JSON_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "core/json/json.h"  // FindInvalidUtf8

namespace tower {

// The number of bytes at the start that need no escape in a string: all before the first quote,
// backslash or control character.
std::size_t PlainPrefix(std::string_view text) noexcept;

// Appends `content`, the text between the quotes of a JSON string, unescaped. A lone surrogate
// becomes U+FFFD. REQUIRES: a parser has checked that the escapes are well-formed.
void AppendUnescaped(std::string& out, std::string_view content);

// The offset of a \u escape that is a lone surrogate, or npos. REQUIRES: as above.
std::size_t FindLoneSurrogate(std::string_view content) noexcept;

}  // namespace tower

#endif  // CORE_JSON_TEXT_H_
