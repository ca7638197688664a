// SHA-2 and HMAC, from OpenSSL.
#ifndef CORE_BASE_DIGEST_H_
#define CORE_BASE_DIGEST_H_

#include <initializer_list>
#include <string>
#include <string_view>

namespace tower {

enum class DigestKind { kSha1, kSha256, kSha512 };

// SHA-256 (FIPS 180-4): 64 lower case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

// HMAC (RFC 2104) of the concatenated parts, as raw bytes.
std::string Hmac(DigestKind kind, std::string_view key,
                 std::initializer_list<std::string_view> parts);

// Whether both are equal. Compares digests in constant time, so that the time reveals neither where
// they differ nor how long the secret is.
bool SameSecret(std::string_view a, std::string_view b);

}  // namespace tower

#endif  // CORE_BASE_DIGEST_H_
