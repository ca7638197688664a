#include "core/http_tokens.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "core/digest.h"
#include "core/http_head.h"

namespace tower {
namespace {

constexpr std::size_t kMaxFile = 1UL << 20U;
constexpr std::size_t kMaxToken = 4096;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
  });
}

// What can stand in a header: printable ASCII without space.
bool IsSecret(std::string_view text) {
  return !text.empty() && text.size() <= kMaxToken &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool SameDigest(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Status HttpTokens::Add(std::string_view line) {
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  if (colon == std::string_view::npos || !IsName(name)) {
    return Error{ErrorCode::kInvalid,
                 "expected name:token, the name of letters, digits and any of . _ - @"};
  }
  const auto token = line.substr(colon + 1);
  if (!IsSecret(token)) {
    return Error{ErrorCode::kInvalid,
                 "the token must be 1 to 4096 printable ASCII characters without a space"};
  }
  Entry entry{std::string(name), Sha256Hex(token)};
  for (const auto& other : entries_) {
    if (other.name == entry.name || other.digest == entry.digest) {
      return Error{ErrorCode::kInvalid, "the name or the token stands there twice"};
    }
  }
  entries_.push_back(std::move(entry));
  return Ok();
}

Result<HttpTokens> HttpTokens::Load(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) {
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (!file || file.bad() || text.size() > kMaxFile) {
    return Error{ErrorCode::kInvalid,
                 "server.tokens-file " + path + ": " +
                     (errno != 0 ? ErrnoText(errno) : std::string("not a file of tokens"))};
  }
  HttpTokens tokens;
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (auto added = tokens.Add(line); !added) {
      return Annotate("server.tokens-file " + path + " line " + std::to_string(number),
                      added.error());
    }
  }
  if (tokens.entries_.empty()) {
    return Error{ErrorCode::kInvalid, "server.tokens-file " + path + ": has no token"};
  }
  return tokens;
}

std::optional<std::string_view> HttpTokens::Check(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (!SameIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const auto token = authorization.substr(kScheme.size());
  if (!IsSecret(token)) return std::nullopt;
  const auto digest = Sha256Hex(token);
  std::optional<std::string_view> name;
  for (const auto& entry : entries_) {
    if (SameDigest(entry.digest, digest)) name = entry.name;
  }
  return name;
}

}  // namespace tower
