// A request to a hook: what is verified, and the event that it becomes.
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

// Views into the request.
struct Delivery {
  Delivery() = default;
  explicit Delivery(const HttpRequest& request);

  std::vector<std::pair<std::string, std::string_view>> headers;  // names in lower case
  std::string_view content_type;
  std::string_view body;  // the bytes as received
  std::string_view path;
  std::vector<std::pair<std::string, std::string>> query;

  // The value of a header that occurs exactly once. `name` is in lower case.
  std::optional<std::string_view> Header(std::string_view name) const;
  bool HasHeader(std::string_view name) const;
};

// Whether a body of this type is JSON: the type is JSON, or empty.
bool IsJson(std::string_view content_type);

// `{"headers": {…}, "query": {…}, "body": …, "path": …}`. `body` is JSON and is inserted as it is.
// Headers with secrets are omitted, and so is `hidden` (lower case).
std::string MakeEvent(const Delivery& delivery, std::string_view hidden, std::string_view body);

}  // namespace tower::webhook

#endif  // PLUGINS_WEBHOOK_DELIVERY_H_
