#include "core/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <stdexcept>

#include "core/base/encode.h"

namespace tower {
namespace {

std::string Sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("openssl refused to compute a sha-256 digest");
  }
  return {digest.begin(), digest.begin() + size};
}

const char* NameOf(DigestKind kind) {
  switch (kind) {
    case DigestKind::kSha1:
      return "SHA1";
    case DigestKind::kSha256:
      return "SHA256";
    case DigestKind::kSha512:
      return "SHA512";
  }
  throw std::invalid_argument("no such digest");
}

// Fetched once per process, because fetching takes a lock and a search.
EVP_MAC* HmacAlgorithm() {
  static const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> algorithm(
      EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free);
  return algorithm.get();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) { return HexEncode(Sha256(bytes)); }

std::string Hmac(DigestKind kind, std::string_view key,
                 std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(
      EVP_MAC_CTX_new(HmacAlgorithm()), &EVP_MAC_CTX_free);
  const std::array<OSSL_PARAM, 2> settings = {
      OSSL_PARAM_construct_utf8_string("digest", const_cast<char*>(NameOf(kind)), 0),
      OSSL_PARAM_construct_end()};
  if (key.empty()) key = std::string_view("", 0);  // an empty key must not be a null pointer
  bool good = context != nullptr &&
              EVP_MAC_init(context.get(), Bytes(key), key.size(), settings.data()) == 1;
  for (const auto part : parts) {
    good = good && (part.empty() || EVP_MAC_update(context.get(), Bytes(part), part.size()) == 1);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  std::size_t size = 0;
  good = good && EVP_MAC_final(context.get(), mac.data(), &size, mac.size()) == 1;
  if (!good) throw std::runtime_error("openssl refused to compute an hmac");
  return {mac.begin(), mac.begin() + static_cast<std::ptrdiff_t>(size)};
}

bool SameSecret(std::string_view a, std::string_view b) {
  const auto of_a = Sha256(a);
  const auto of_b = Sha256(b);
  return CRYPTO_memcmp(of_a.data(), of_b.data(), of_a.size()) == 0;
}

}  // namespace tower
