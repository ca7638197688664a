#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/encode.h"
#include "core/base/time_text.h"
#include "core/http_client/client.h"
#include "core/http_client/exchange.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

bool IsHttpFieldValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

Status CheckHttpHeader(std::string_view name, std::string_view value) {
  constexpr std::array kOurs = {
      "Host",  "Connection",      "Content-Length", "Transfer-Encoding",
      "TE",    "Accept-Encoding", "Keep-Alive",     "Upgrade",
      "Range", "Expect",          "Trailer",        "Proxy-Authorization"};
  if (!IsToken(name)) return Error{ErrorCode::kInvalid, "a header has no valid name"};
  for (const std::string_view ours : kOurs) {
    if (EqualsIgnoringCase(name, ours)) {
      return Error{ErrorCode::kInvalid, "the header " + std::string(name) + " can't be set"};
    }
  }
  if (IsHttpFieldValue(value)) return Ok();
  return Error{ErrorCode::kInvalid,
               "the value of the header " + std::string(name) + " has a byte that can't be sent"};
}

std::optional<std::string_view> HttpReply::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (EqualsIgnoringCase(key, name)) return value;
  }
  return std::nullopt;
}

std::optional<milliseconds> HttpReply::RetryAfter() const {
  constexpr std::int64_t kDay = 86'400;
  const auto header = Header("Retry-After");
  if (!header) return std::nullopt;
  std::int64_t wait = 0;
  const auto* last = header->data() + header->size();
  const auto [end, fault] = std::from_chars(header->data(), last, wait);
  if (fault == std::errc::result_out_of_range && end == last) {
    wait = kDay;
  } else if (fault != std::errc() || end != last) {
    const auto date = ParseHttpDate(std::string(*header));
    if (!date) return std::nullopt;
    const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    wait = std::max<std::int64_t>((*date - now).count(), 0);
  }
  if (wait < 0) return std::nullopt;
  return seconds(std::min(wait, kDay));
}

HttpValidators HttpValidators::Of(const HttpReply& reply) {
  HttpValidators validators;
  const auto take = [&reply](std::string_view name) -> std::string {
    const auto value = reply.Header(name);
    return value && CheckHttpHeader(name, *value) ? std::string(*value) : "";
  };
  validators.etag = take("ETag");
  validators.last_modified = take("Last-Modified");
  return validators;
}

void HttpValidators::AddTo(HttpHeaders& headers) const {
  if (!etag.empty()) {
    headers.emplace_back("If-None-Match", etag);
  } else if (!last_modified.empty()) {
    headers.emplace_back("If-Modified-Since", last_modified);
  }
}

}  // namespace tower
