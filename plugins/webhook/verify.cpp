#include "plugins/webhook/verify.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>

#include "core/base/encode.h"

namespace tower::webhook {
namespace {

constexpr std::string_view kStandardPrefix = "whsec_";
constexpr std::size_t kMinStandardKey = 16;  // bytes

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (auto line : Split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

// `text` behind `prefix`.
std::optional<std::string_view> Behind(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

std::optional<std::string> StandardKey(std::string_view secret) {
  auto key = Base64Decode(Behind(kStandardPrefix, secret).value_or(secret));
  if (!key || key->size() < kMinStandardKey) return std::nullopt;
  return key;
}

// Of a header Authorization.
std::optional<std::string_view> Credentials(const Delivery& delivery, std::string_view scheme) {
  const auto given = delivery.Header("authorization");
  if (!given || ToLower(given->substr(0, scheme.size())) != scheme) return std::nullopt;
  return Behind(" ", given->substr(scheme.size()));
}

DigestKind KindOf(std::string_view algorithm) {
  if (algorithm == "sha1") return DigestKind::kSha1;
  return algorithm == "sha512" ? DigestKind::kSha512 : DigestKind::kSha256;
}

}  // namespace

bool VerifyOptions::IsOneOf(std::initializer_list<std::string_view> schemes) const {
  return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
}

Status VerifyOptions::CheckUser() const {
  if (scheme != "basic" || (!user.empty() && user.find(':') == std::string::npos)) return Ok();
  return Invalid("verify=basic needs user, without a colon in it");
}

Status VerifyOptions::CheckHeader() const {
  if (scheme != "hmac" || IsHeaderName(hmac_header)) return Ok();
  return Invalid("verify=hmac needs hmac-header, the name of the header with the signature");
}

Status VerifyOptions::CheckSecret() const {
  const auto lines = Lines(secrets);
  if (scheme == "none" && !lines.empty()) return Invalid("verify=none does not use secret");
  if (scheme != "none" && lines.empty()) return Invalid("verify=" + scheme + " needs secret");
  if (scheme != "standard-webhooks") return Ok();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (StandardKey(lines[i])) continue;
    return Invalid("secret must be whsec_ and at least 16 bytes in base64, but its line " +
                   std::to_string(i + 1) + " is not");
  }
  return Ok();
}

Verifier::Verifier(const VerifyOptions& options) : options_(options) {
  if (options_.scheme == "github") {
    options_.hmac_header = "x-hub-signature-256";
    options_.hmac_prefix = "sha256=";
    options_.hmac_algorithm = "sha256";
    options_.hmac_encoding = "hex";
  }
  options_.hmac_header = ToLower(options_.hmac_header);
  if (options_.IsOneOf({"github", "hmac"})) algorithm_ = KindOf(options_.hmac_algorithm);
  by_token_ = options_.IsOneOf({"gitlab", "bearer", "basic"});
  for (const auto line : Lines(options_.secrets)) {
    if (options_.scheme == "standard-webhooks") {
      secrets_.push_back(StandardKey(line).value());
    } else if (options_.scheme == "basic") {
      secrets_.push_back(options_.user + ":" + std::string(line));
    } else {
      secrets_.emplace_back(line);
    }
  }
}

bool Verifier::HeadPasses(const Delivery& delivery, Clock::time_point now) const {
  if (options_.scheme == "none") return true;
  return by_token_ ? TokenPasses(delivery) : ReadClaim(delivery, now).has_value();
}

bool Verifier::Passes(const Delivery& delivery, Clock::time_point now) const {
  if (options_.scheme == "none") return true;
  if (by_token_) return TokenPasses(delivery);
  const auto claim = ReadClaim(delivery, now);
  if (!claim) return false;
  bool passes = false;
  for (const auto& secret : secrets_) {
    const auto right = Hmac(algorithm_, secret, {claim->before, delivery.body});
    for (const auto& mac : claim->macs) passes = SameSecret(mac, right) || passes;
  }
  return passes;
}

bool Verifier::TokenPasses(const Delivery& delivery) const {
  const auto token = Token(delivery);
  if (!token) return false;
  bool passes = false;
  for (const auto& secret : secrets_) passes = SameSecret(*token, secret) || passes;
  return passes;
}

std::optional<std::string> Verifier::Token(const Delivery& delivery) const {
  if (options_.scheme == "basic") {
    const auto encoded = Credentials(delivery, "basic");
    return encoded ? Base64Decode(*encoded) : std::nullopt;
  }
  const auto token = options_.scheme == "gitlab" ? delivery.Header("x-gitlab-token")
                                                 : Credentials(delivery, "bearer");
  return token ? std::optional<std::string>(*token) : std::nullopt;
}

std::optional<Verifier::Claim> Verifier::ReadClaim(const Delivery& delivery,
                                                   Clock::time_point now) const {
  if (options_.scheme == "standard-webhooks") return ReadStandard(delivery, now);
  if (options_.scheme == "slack") return ReadSlack(delivery, now);
  if (options_.scheme == "stripe") return ReadStripe(delivery, now);
  return ReadHmac(delivery);
}

std::optional<Verifier::Claim> Verifier::ReadHmac(const Delivery& delivery) const {
  const auto given = delivery.Header(options_.hmac_header);
  const auto text = given ? Behind(options_.hmac_prefix, *given) : std::nullopt;
  if (!text) return std::nullopt;
  auto mac = options_.hmac_encoding == "base64" ? Base64Decode(*text) : HexDecode(*text);
  if (!mac) return std::nullopt;
  return Claim{{std::move(*mac)}, {}};
}

// The Standard Webhooks specification. Svix, where it originates, uses header names of its own too.
std::optional<Verifier::Claim> Verifier::ReadStandard(const Delivery& delivery,
                                                      Clock::time_point now) const {
  const std::string family = delivery.HasHeader("webhook-id") ? "webhook-" : "svix-";
  const auto id = delivery.Header(family + "id");
  const auto timestamp = delivery.Header(family + "timestamp");
  const auto signatures = delivery.Header(family + "signature");
  if (!id || !timestamp || !signatures || !IsFresh(*timestamp, now)) return std::nullopt;
  // An id with a dot could be confused with the text that follows it.
  if (id->empty() || id->find('.') != std::string_view::npos) return std::nullopt;
  Claim claim;
  claim.before.append(*id).append(".").append(*timestamp).append(".");
  for (const auto signature : Split(*signatures, ' ')) {
    const auto text = Behind("v1,", signature);
    auto mac = text ? Base64Decode(*text) : std::nullopt;
    if (mac) claim.macs.push_back(std::move(*mac));
  }
  if (claim.macs.empty()) return std::nullopt;
  return claim;
}

std::optional<Verifier::Claim> Verifier::ReadSlack(const Delivery& delivery,
                                                   Clock::time_point now) const {
  const auto timestamp = delivery.Header("x-slack-request-timestamp");
  const auto signature = delivery.Header("x-slack-signature");
  if (!timestamp || !signature || !IsFresh(*timestamp, now)) return std::nullopt;
  const auto text = Behind("v0=", *signature);
  auto mac = text ? HexDecode(*text) : std::nullopt;
  if (!mac) return std::nullopt;
  return Claim{{std::move(*mac)}, "v0:" + std::string(*timestamp) + ":"};
}

// `t=1700000000,v1=…,v1=…`; other names belong to other schemes.
std::optional<Verifier::Claim> Verifier::ReadStripe(const Delivery& delivery,
                                                    Clock::time_point now) const {
  const auto signature = delivery.Header("stripe-signature");
  if (!signature) return std::nullopt;
  std::optional<std::string_view> timestamp;
  Claim claim;
  for (const auto item : Split(*signature, ',')) {
    if (const auto text = Behind("t=", item)) {
      if (timestamp) return std::nullopt;
      timestamp = text;
    } else if (const auto hex = Behind("v1=", item)) {
      auto mac = HexDecode(*hex);
      if (mac) claim.macs.push_back(std::move(*mac));
    }
  }
  if (!timestamp || claim.macs.empty() || !IsFresh(*timestamp, now)) return std::nullopt;
  claim.before.append(*timestamp).append(".");
  return claim;
}

bool Verifier::IsFresh(std::string_view seconds, Clock::time_point now) const {
  constexpr std::size_t kMaxDigits = 11;  // until the year 5138
  const bool digits =
      std::all_of(seconds.begin(), seconds.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (seconds.empty() || seconds.size() > kMaxDigits || !digits) return false;
  std::int64_t value = 0;
  std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
  const auto age = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) -
                   std::chrono::seconds(value);
  return std::chrono::abs(age) <= options_.tolerance;
}

}  // namespace tower::webhook
