// SHA-2 and HMAC, from OpenSSL, and the texts in which digests and secrets travel.
#ifndef CORE_BASE_DIGEST_H_
#define CORE_BASE_DIGEST_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace tower {

enum class DigestKind { kSha1, kSha256, kSha512 };

// SHA-256 (FIPS 180-4): 64 lower case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

// HMAC (RFC 2104) over the parts, one after the other: raw bytes.
std::string Hmac(DigestKind kind, std::string_view key,
                 std::initializer_list<std::string_view> parts);

// Whether both are the same, in a time that tells nothing of where they differ, nor of the length
// of one that is to be kept secret: what is compared are digests.
bool SameSecret(std::string_view a, std::string_view b);

// Lower case.
std::string HexEncode(std::string_view bytes);
// Either case; nothing where the text is not pairs of hexadecimal digits.
std::optional<std::string> HexDecode(std::string_view text);

// Base64 (RFC 4648, section 4), read strictly: padded, nothing between the digits, no bit set that
// means nothing. So each value has one text.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace tower

#endif  // CORE_BASE_DIGEST_H_
