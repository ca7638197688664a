// The part of http.h that shows a handler its request.
#include <algorithm>

#include "core/http/http.h"
#include "core/http/loop.h"

namespace tower {

std::optional<std::string_view> HttpRequest::Header(std::string_view name) const {
  return exchange_->reader.head().Find(name);
}

std::size_t HttpRequest::HeaderCount(std::string_view name) const {
  return exchange_->reader.head().Count(name);
}

std::vector<std::pair<std::string_view, std::string_view>> HttpRequest::Headers() const {
  std::vector<std::pair<std::string_view, std::string_view>> all;
  const auto& headers = exchange_->reader.head().headers;
  all.reserve(headers.size());
  for (const auto& header : headers) all.emplace_back(header.name, header.value);
  return all;
}

HttpLater HttpRequest::Defer() const {
  exchange_->deferred = true;
  return exchange_->later;
}

bool HttpRequest::HasQuery(std::string_view name) const {
  return std::any_of(query.begin(), query.end(),
                     [name](const auto& parameter) { return parameter.first == name; });
}

}  // namespace tower
