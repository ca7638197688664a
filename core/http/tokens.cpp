#include "core/http/tokens.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/base/digest.h"
#include "core/base/encode.h"
#include "core/base/file.h"
#include "core/http/head.h"

namespace tower {
namespace {

constexpr std::size_t kMinToken = 16;
constexpr std::size_t kMaxToken = 4096;
constexpr std::string_view kScheme = "Bearer";

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_' || c == '.' || c == '@';
  });
}

// Whether the text can be sent in a header: printable ASCII without spaces.
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
  if (!IsSecret(token) || token.size() < kMinToken) {
    return Error{ErrorCode::kInvalid,
                 "the token must be 16 to 4096 printable ASCII characters without a space, as "
                 "`openssl rand -hex 32` makes them"};
  }
  Entry entry{std::string(name), Sha256Hex(token)};
  for (const auto& other : entries_) {
    if (other.name == entry.name || other.digest == entry.digest) {
      return Error{ErrorCode::kInvalid, "the name or the token occurs twice"};
    }
  }
  entries_.push_back(std::move(entry));
  return Ok();
}

Result<HttpTokens> HttpTokens::Load(const std::string& path) {
  const auto context = "server.tokens-file " + path;
  const auto file = ReadRegularFile(path);
  if (!file) return Annotate(context, file.error());
  if ((file->mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{ErrorCode::kInvalid,
                 context + ": others can write it and could add a token; chmod go-w"};
  }
  HttpTokens tokens;
  if ((file->mode & S_IROTH) != 0) {
    tokens.warning_ = context + ": everyone on this machine can read the tokens; chmod o-r";
  }
  std::string_view rest = file->text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (auto added = tokens.Add(line); !added) {
      return Annotate(context + " line " + std::to_string(number), added.error());
    }
  }
  if (tokens.entries_.empty()) {
    return Error{ErrorCode::kInvalid, context + ": has no token"};
  }
  return tokens;
}

bool HttpTokens::IsBearer(std::string_view authorization) noexcept {
  return EqualsIgnoringCase(authorization.substr(0, kScheme.size()), kScheme) &&
         (authorization.size() == kScheme.size() || authorization[kScheme.size()] == ' ');
}

std::optional<std::string_view> HttpTokens::Check(std::string_view authorization) const {
  if (!IsBearer(authorization)) return std::nullopt;
  auto token = authorization.substr(kScheme.size());
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));  // RFC 9110, 11.4
  if (!IsSecret(token)) return std::nullopt;
  const auto digest = Sha256Hex(token);
  std::optional<std::string_view> name;
  for (const auto& entry : entries_) {
    if (SameDigest(entry.digest, digest)) name = entry.name;
  }
  return name;
}

void HttpTokensInForce::Set(HttpTokens tokens) {
  static std::atomic<std::uint64_t> versions{0};
  auto next = std::make_shared<const HttpTokens>(std::move(tokens));
  const std::lock_guard lock(mutex_);
  tokens_ = std::move(next);
  version_.store(++versions, std::memory_order_release);
}

const HttpTokens* HttpTokensInForce::Get() const {
  struct Seen {
    std::uint64_t version = 0;
    std::shared_ptr<const HttpTokens> tokens;
  };
  thread_local Seen seen;
  const auto version = version_.load(std::memory_order_acquire);
  if (version == 0) return nullptr;
  if (seen.version != version) {
    const std::lock_guard lock(mutex_);
    seen = {version_.load(), tokens_};
  }
  return seen.tokens.get();
}

}  // namespace tower
