// One request to a hook: what verifiers look at, and the event that it becomes.
#ifndef PLUGINS_WEBHOOK_DELIVERY_H_
#define PLUGINS_WEBHOOK_DELIVERY_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/http/message.h"
#include "core/json/json.h"

namespace tower::webhook {

bool IsHeaderName(std::string_view text);  // of letters, digits, dashes and underscores

// Views into the request, or into what a test made.
struct Delivery {
  Delivery() = default;
  explicit Delivery(const HttpRequest& request);

  std::vector<std::pair<std::string, std::string_view>> headers;  // names in lower case
  std::string_view content_type;
  std::string_view body;  // the bytes that came
  std::string_view path;
  std::vector<std::pair<std::string, std::string>> query;

  // The value of a header that came exactly once; `name` in lower case.
  std::optional<std::string_view> Header(std::string_view name) const;
  bool HasHeader(std::string_view name) const;
};

// Whether a body of this type is JSON: so says the type, or there is none.
bool IsJson(std::string_view content_type);

// `{"headers": {…}, "query": {…}, "body": …, "path": …}`. `body` is spliced in as it is: JSON.
// Headers that carry secrets are left out, and so is `hidden` (lower case).
std::string MakeEvent(const Delivery& delivery, std::string_view hidden, std::string_view body);

}  // namespace tower::webhook

#endif  // PLUGINS_WEBHOOK_DELIVERY_H_
