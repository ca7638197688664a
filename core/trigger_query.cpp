#include "core/trigger_query.h"

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace tower {
namespace {

constexpr std::int64_t kListMost = 1000;

// A number from 1 to `most`.
std::optional<std::int64_t> ParseNumber(std::string_view text, std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number >= 1 && number <= most ? std::optional(number) : std::nullopt;
}

std::string EncodeQuery(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '.' ||
        c == '_' || c == '~') {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
  }
  return encoded;
}

}  // namespace

Result<ListQuery> ParseQuery(const HttpRequest& request, bool paged) {
  ListQuery query;
  auto& filter = query.filter;
  const auto fault = [](std::string text) { return Error{ErrorCode::kInvalid, std::move(text)}; };
  for (const auto& [name, value] : request.query) {
    std::optional<std::int64_t> number = 1;
    if (name == "status") {
      filter.state = ParseTriggerState(value);
      if (!filter.state) {
        return fault("status must be queued, published, undeliverable or discarded");
      }
    } else if (name == "protocol") {
      filter.protocol = value;
    } else if (name == "apiVersion") {
      filter.api_version = value;
    } else if (name == "source") {
      filter.source = value;
    } else if (paged && name == "limit") {
      number = ParseNumber(value, kListMost);
      if (!number) return fault("limit must be a number from 1 to " + std::to_string(kListMost));
      query.limit = *number;
    } else if (paged && name == "before") {
      number = ParseNumber(value, std::numeric_limits<std::int64_t>::max());
      if (!number) return fault("before must be as the Link header of an answer gave it");
      query.before = *number;
    } else {
      return fault("the query may have status, protocol, apiVersion, source" +
                   std::string(paged ? ", limit, before" : ""));
    }
  }
  return query;
}

std::string NextLink(const ListQuery& query, std::int64_t before) {
  const auto& filter = query.filter;
  std::string link = "</triggers?limit=" + std::to_string(query.limit);
  if (filter.state) link += "&status=" + std::string(ToString(*filter.state));
  for (const auto& [name, value] :
       {std::pair<std::string_view, std::string_view>("protocol", filter.protocol),
        {"apiVersion", filter.api_version},
        {"source", filter.source}}) {
    if (!value.empty()) link += "&" + std::string(name) + "=" + EncodeQuery(value);
  }
  return link + "&before=" + std::to_string(before) + ">; rel=\"next\"";
}

}  // namespace tower
