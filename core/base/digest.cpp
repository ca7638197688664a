#include "core/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace tower {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

// One for the process: fetching takes a lock and a search.
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
  if (key.empty()) key = std::string_view("", 0);  // no key at all is no null pointer
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

std::string HexEncode(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kHex[byte >> 4U];
    hex += kHex[byte & 15U];
  }
  return hex;
}

std::optional<std::string> HexDecode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  unsigned value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] | 32) : text[i];
    const auto digit = kHex.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = (value << 4U | static_cast<unsigned>(digit)) & 255U;
    if (i % 2 == 1) bytes += static_cast<char>(value);
  }
  return bytes;
}

std::string Base64Encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = i; j < i + 3; ++j) {
      group = group << 8U | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0U);
    }
    for (const unsigned shift : {18U, 12U, 6U, 0U}) text += kBase64[group >> shift & 63U];
  }
  const std::size_t padding = (3 - bytes.size() % 3) % 3;
  return text.replace(text.size() - padding, padding, padding, '=');
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    const auto digit = kBase64.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255U);
    bits &= (1U << count) - 1;
  }
  if (bits != 0) return std::nullopt;
  return bytes;
}

}  // namespace tower
