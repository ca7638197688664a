// SHA-256 (FIPS 180-4), from OpenSSL.
#ifndef CORE_DIGEST_H_
#define CORE_DIGEST_H_

#include <string>
#include <string_view>

namespace tower {

// 64 lower case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace tower

#endif  // CORE_DIGEST_H_
